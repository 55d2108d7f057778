"""`agents.steps.examining`: which frames are looked at."""

from hypothesis import given
from hypothesis import strategies as st

from agents.steps.examining import MOST_BLURRED, frame_at, frames_to_blur
from streams.types import (
    CaseId,
    ContentId,
    Decision,
    Evidence,
    Frame,
    Match,
    Modality,
    ReferenceId,
)

Span = tuple[float, float]


def film(seconds: int) -> list[Frame]:
    return [Frame(width=1, height=1, rgb=bytes(3), at_seconds=float(at)) for at in range(seconds)]


def a_match(
    span: Span | None,
    *,
    modality: Modality = Modality.FRAME,
    decision: Decision = Decision.ALERT,
) -> Match:
    return Match(
        case=CaseId("c"),
        reference=ReferenceId("r"),
        content=ContentId("g"),
        confidence=0.9,
        decision=decision,
        evidence=(Evidence(modality=modality, similarity=0.9, query_span_seconds=span),),
    )


def test_a_still_pictures_one_frame_is_estimated() -> None:
    (frame,) = film(1)
    assert frames_to_blur([a_match(None)], [frame]) == [frame]


def test_frames_come_from_the_matched_span_alone() -> None:
    chosen = frames_to_blur([a_match((20.0, 29.0))], film(60))
    assert [frame.at_seconds for frame in chosen] == [20.0, 23.0, 26.0, 29.0]


def test_a_span_between_two_frames_takes_the_nearest() -> None:
    sparse = film(60)[::10]
    (frame,) = frames_to_blur([a_match((21.0, 23.0))], sparse)
    assert frame.at_seconds == 20.0


def test_sound_and_what_nobody_shall_see_point_at_no_frame() -> None:
    heard = a_match((0.0, 5.0), modality=Modality.AUDIO)
    unseen = a_match((0.0, 5.0), decision=Decision.NONE)
    assert frames_to_blur([heard, unseen], film(10)) == []
    assert frames_to_blur([a_match((0.0, 5.0))], []) == []


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.floats(0, 40), st.floats(0, 40)).map(sorted), min_size=1, max_size=4),
)
def test_few_frames_are_taken_each_once_in_order(seconds: int, spans: list[list[float]]) -> None:
    matches = [a_match((start, end)) for start, end in spans]
    chosen = frames_to_blur(matches, film(seconds))
    times = [frame.at_seconds for frame in chosen]
    assert 1 <= len(times) <= MOST_BLURRED
    assert times == sorted(set(times))


@given(st.integers(1, 20), st.floats(0, 30))
def test_the_nearest_frame_is_the_nearest(seconds: int, at: float) -> None:
    frames = film(seconds)
    found = frames[frame_at(frames, at)]
    assert all(abs(found.at_seconds - at) <= abs(one.at_seconds - at) for one in frames)
