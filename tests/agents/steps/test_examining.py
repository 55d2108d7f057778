"""`agents.steps.examining`: what is looked at, and when enough was seen."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.steps.examining import (
    MOST_BLURRED,
    MOST_READ,
    PAIRS,
    WORTH_VERIFYING,
    dense_look,
    frame_at,
    frames_to_blur,
    frames_to_read,
    frames_to_search,
    is_decided,
    pairs_to_verify,
    rejected,
    to_points,
)
from agents.steps.findings import FilmFound, Findings, StillFound
from alerts.policy import MIN_SHARE
from gpu_kernels.alignment import Alignment
from gpu_kernels.keypoints import Agreement, Keypoints
from gpu_kernels.search import Candidate
from gpu_kernels.sound import fingerprint_sound
from gpu_kernels.sound_line import SoundMatch
from monitors.gallery import Owner
from monitors.shelf import NegativeBank, Shelf
from streams.types import (
    CaseId,
    ContentId,
    Decision,
    DecodedMedia,
    Evidence,
    Frame,
    Match,
    MediaKind,
    Modality,
    ReferenceId,
)
from tests.agents.steps.test_matching import NUMBERS
from tests.fakes import a_melody, fingerprint_of

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


def line(pattern: float | None, frames: int = 20, *, similarity: float = 1.0) -> FilmFound:
    """Frames 0.. of a medium along a reference's 4.. and on, a second apart."""
    return FilmFound(
        alignment=Alignment(
            similarity=similarity,
            frames=frames,
            speed=1.0,
            query_span_seconds=(0.0, frames - 1.0),
            reference_span_seconds=(4.0, frames + 3.0),
            pattern=pattern,
            pairs=tuple((n, n + 4) for n in range(frames)),
        )
    )


def along(similarity: float, places: Sequence[int]) -> FilmFound:
    """A line through these frames of a medium."""
    found = line(0.9, len(places), similarity=similarity)
    pairs = tuple((ours, n) for n, ours in enumerate(places))
    return replace(found, alignment=replace(found.alignment, pairs=pairs))


def still(similarity: float, reference_seconds: float = 0.0, frame: int = 0) -> StillFound:
    candidate = Candidate(
        ordinal=0,
        similarity=similarity,
        pdq_distance=None,
        query_box=(0.0, 0.0, 1.0, 1.0),
        detail=6.0,
        reference_seconds=reference_seconds,
    )
    return StillFound(candidate=candidate, frame=frame, at_seconds=2.5)


A_SOUND = SoundMatch(
    similarity=0.5,
    query_span_seconds=(0.0, 9.0),
    reference_span_seconds=(0.0, 9.0),
    speed=1.0,
    pitch_semitones=0,
)
A_SURE_SOUND = replace(A_SOUND, similarity=1.0)


@dataclass(frozen=True)
class Snapshot:
    """A gallery as the step sees it: reference 0 is of case A, 1 of case B."""

    owners: tuple[Owner, ...] = (
        Owner(case=CaseId("A"), reference=ReferenceId("r0"), content=ContentId("g")),
        Owner(case=CaseId("B"), reference=ReferenceId("r1"), content=ContentId("h")),
    )
    shelf: Shelf = field(default_factory=Shelf)
    negatives: NegativeBank = field(default_factory=NegativeBank)


def test_a_plain_copy_is_decided_and_a_likely_one_is_not() -> None:
    for similarity, decided in ((1.0, True), (0.35, False)):
        findings = Findings(space="s", stills={0: still(similarity)})
        assert is_decided(findings, Snapshot(), NUMBERS, 1) == decided
    assert not is_decided(Findings(space="s"), Snapshot(), NUMBERS, 1)


@pytest.mark.parametrize(
    ("pattern", "decided"), [(None, True), (0.9, True), (0.49, False), (0.0, False), (-0.3, False)]
)
def test_a_film_out_of_a_copys_pattern_is_never_decided(
    pattern: float | None, decided: bool
) -> None:
    findings = Findings(space="s", films={0: line(pattern, 2000)})
    assert is_decided(findings, Snapshot(), NUMBERS, 2000) == decided


@pytest.mark.parametrize(
    ("findings", "frames", "decided"),
    [
        (Findings(space="s", films={0: line(0.9, 60)}), 120, True),
        (Findings(space="s", films={0: line(0.9, 60)}), 121, False),
        (Findings(space="s", stills={0: still(1.0)}), 2, False),
        (Findings(space="s", sounds={0: A_SURE_SOUND}), 0, True),
        (Findings(space="s", sounds={0: A_SURE_SOUND}), 1, False),
    ],
    ids=["half", "less", "one frame of a film", "a sound", "the sound of a film"],
)
def test_what_is_less_than_half_of_a_medium_decides_nothing(
    findings: Findings, frames: int, *, decided: bool
) -> None:
    """A title card or a song that somebody registered must not hide another victim's footage."""
    assert is_decided(findings, Snapshot(), NUMBERS, frames) == decided


def test_a_later_snapshots_reference_decides_nothing() -> None:
    assert not is_decided(Findings(space="s", stills={2: still(1.0)}), Snapshot(), NUMBERS, 1)


@pytest.mark.parametrize(("seconds", "rate"), [(5.0, 2.0), (40.0, 2.0), (40.1, 1.0), (7200.0, 1.0)])
def test_short_videos_are_looked_at_twice_a_second(seconds: float, rate: float) -> None:
    media = DecodedMedia(
        kind=MediaKind.VIDEO, format="mp4", frames=(), frame_count=9, duration_seconds=seconds
    )
    look = dense_look(media, 3.0)
    assert (look.start_seconds, look.frames_per_second, look.key_frames) == (3.0, rate, False)


@given(st.integers(0, 200))
def test_frames_to_read_are_few_spread_and_have_both_ends(seconds: int) -> None:
    frames = film(seconds)
    times = [frame.at_seconds for frame in frames_to_read(frames)]
    assert len(times) == min(seconds, MOST_READ)
    assert times == sorted(set(times))
    assert set(times[:1] + times[-1:]) <= {0.0, seconds - 1.0}
    gaps = [after - before for before, after in pairwise(times)]
    assert max(gaps, default=0) - min(gaps, default=0) <= 1


def test_frames_are_searched_in_order_of_time() -> None:
    prints = [replace(fingerprint_of(n), at_seconds=float(-n)) for n in range(4)]
    assert [one.at_seconds for one in frames_to_search(prints)] == [-3, -2, -1, 0]


def points_at(*seconds: float) -> tuple[Keypoints, ...]:
    empty = np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8)
    return tuple(
        Keypoints(width=4, height=3, points=empty[0], descriptors=empty[1], at_seconds=at)
        for at in seconds
    )


PRINTS = [replace(fingerprint_of(n), at_seconds=float(n)) for n in range(20)]


def shelved(*seconds: float) -> Snapshot:
    """Reference 0 is a film of a frame each second, with features at some."""
    snapshot = Snapshot()
    for n in range(30):
        snapshot.shelf.frames.add(0, replace(fingerprint_of(100 + n), at_seconds=float(n)))
    if seconds:
        snapshot.shelf.points[0] = points_at(*seconds)
    return snapshot


def pairs(snapshot: Snapshot, findings: Findings, limit: int = 4) -> dict[int, list[Span]]:
    """Give for each reference the seconds of the medium and of the features."""
    found = pairs_to_verify(findings, snapshot, PRINTS, limit)
    return {one: [(at, theirs.at_seconds) for at, theirs in some] for one, some in found}


def test_a_films_pairs_are_few_near_the_line_and_spread_over_it() -> None:
    snapshot = shelved(*(float(at) for at in range(0, 30, 2)))
    found = pairs(snapshot, Findings(space="s", films={0: line(0.9)}))[0]
    assert len(found) == PAIRS
    assert all(abs(at + 4 - theirs) <= 1.2 for at, theirs in found)
    assert found == sorted(found)
    assert found[-1][0] - found[0][0] >= 12


def test_features_far_from_the_line_stand_for_none_of_its_frames() -> None:
    """The line covers the reference's seconds 4 to 23; its features are elsewhere."""
    findings = Findings(space="s", films={0: line(0.9)})
    assert pairs(shelved(0.0, 26.0), findings) == {0: []}
    assert pairs(shelved(2.9, 24.1), findings) == {0: [(0.0, 2.9), (19.0, 24.1)]}


def test_a_stills_pair_is_the_nearest_features() -> None:
    findings = Findings(space="s", stills={0: still(0.9, reference_seconds=11.0)})
    assert pairs(shelved(0.0, 10.0, 20.0), findings) == {0: [(2.5, 10.0)]}


def test_the_likeliest_references_are_verified_first_and_no_unlikely_one() -> None:
    snapshot = shelved()
    for ordinal in range(4):
        snapshot.shelf.points[ordinal] = points_at(0.0)
    likeness = {0: 0.5, 1: 0.9, 2: WORTH_VERIFYING - 0.01, 3: WORTH_VERIFYING}
    findings = Findings(space="s", stills={one: still(value) for one, value in likeness.items()})
    assert list(pairs(snapshot, findings)) == [1, 0, 3]
    assert list(pairs(snapshot, findings, limit=1)) == [1]
    del snapshot.shelf.points[1]
    assert list(pairs(snapshot, findings)) == [0, 3]


@given(
    st.lists(
        st.builds(
            Agreement, points=st.integers(0, 99), share=st.sampled_from([0.0, 0.01, 0.2, 0.9])
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_candidates_points_are_those_of_its_middle_pair(found: list[Agreement]) -> None:
    said = to_points(found)
    assert (said.count, said.share) in {(one.points, one.share) for one in found}
    worth = [one.points if one.share >= MIN_SHARE else 0 for one in found]
    mine = said.count if said.share >= MIN_SHARE else 0
    assert sum(one <= mine for one in worth) > len(worth) / 2
    assert sum(one >= mine for one in worth) >= len(worth) / 2


@dataclass(frozen=True)
class Negative:
    """Whom a negative counts for."""

    case: CaseId | None = None
    reference: ReferenceId | None = None


def bank(negative: Negative, number: int | None, melody: int | None = None) -> Snapshot:
    """A gallery of pictures 0 and 1, and one negative."""
    snapshot = Snapshot()
    if number is not None:
        snapshot.negatives.add_frames(negative, [fingerprint_of(number)])
    if melody is not None:
        snapshot.negatives.add_sounds(negative, [fingerprint_sound(a_melody(melody))])
    return snapshot


QUERY = [fingerprint_of(7)]


@pytest.mark.parametrize(
    ("negative", "expected"),
    [
        (Negative(), {0, 1}),
        (Negative(case=CaseId("A")), {0}),
        (Negative(case=CaseId("B"), reference=ReferenceId("r1")), {1}),
        (Negative(case=CaseId("A"), reference=ReferenceId("r1")), set()),
    ],
    ids=["everybody's", "a case's", "a reference's", "another's"],
)
def test_a_negative_rejects_for_those_it_counts_for(negative: Negative, expected: set[int]) -> None:
    findings = Findings(space="s", stills={0: still(0.8), 1: still(0.8)})
    assert rejected(findings, bank(negative, 7), QUERY, None) == expected


def test_what_is_more_like_the_reference_is_not_rejected() -> None:
    findings = Findings(space="s", stills={0: still(0.8)})
    assert rejected(findings, bank(Negative(), 8), QUERY, None) == frozenset()
    assert rejected(findings, Snapshot(), QUERY, None) == frozenset()
    assert rejected(Findings(space="s"), bank(Negative(), 7), QUERY, None) == frozenset()


def test_frames_that_are_rejected_do_not_reject_the_sound() -> None:
    findings = Findings(space="s", stills={0: still(0.8)}, sounds={0: A_SOUND})
    heard = fingerprint_sound(a_melody(1))
    assert rejected(findings, bank(Negative(), 7), QUERY, heard) == frozenset()
    assert rejected(findings, bank(Negative(), None, 1), QUERY, heard) == frozenset()
    assert rejected(findings, bank(Negative(), 7, 1), QUERY, heard) == {0}
    alone = Findings(space="s", sounds={0: A_SOUND})
    assert rejected(alone, bank(Negative(), None, 1), [], heard) == {0}


def test_a_negative_frame_beside_a_copy_does_not_reject_it() -> None:
    """Whoever posts a copy would else append a picture that was rejected before."""
    query = [fingerprint_of(1), fingerprint_of(2), fingerprint_of(3), fingerprint_of(7)]
    elsewhere = Findings(space="s", stills={0: still(0.8)}, films={1: along(0.8, range(3))})
    assert rejected(elsewhere, bank(Negative(), 7), query, None) == frozenset()
    there = Findings(space="s", stills={0: still(0.8, frame=3)}, films={1: along(0.8, range(3))})
    assert rejected(there, bank(Negative(), 7), query, None) == {0}


def test_a_film_is_rejected_that_is_like_a_negative_along_most_of_its_line() -> None:
    query = [fingerprint_of(1), fingerprint_of(2), fingerprint_of(3), fingerprint_of(7)]
    films = Findings(space="s", films={0: along(0.8, range(4)), 1: along(0.8, range(2, 4))})
    snapshot = Snapshot()
    snapshot.negatives.add_frames(Negative(), [fingerprint_of(2), fingerprint_of(3)])
    assert rejected(films, snapshot, query, None) == frozenset()
    snapshot.negatives.add_frames(Negative(), [fingerprint_of(1), fingerprint_of(2), query[2]])
    assert rejected(films, snapshot, query, None) == {0}


def test_a_negative_sound_beside_a_copied_one_does_not_reject_it() -> None:
    heard = fingerprint_sound(a_melody(1))
    late = replace(A_SOUND, query_span_seconds=(60.0, 90.0))
    assert rejected(
        Findings(space="s", sounds={0: late}), bank(Negative(), None, 1), [], heard
    ) == (frozenset())


def test_of_a_films_pairs_those_at_hand_are_compared_or_else_others_of_its_line() -> None:
    snapshot = shelved(*(float(at) for at in range(0, 30, 2)))
    findings = Findings(space="s", films={0: line(0.9)})

    def seconds(kept: Collection[float] | None) -> list[float]:
        [(_, found)] = pairs_to_verify(findings, snapshot, PRINTS, 4, kept)
        return [at for at, _ in found]

    best = seconds(None)
    assert seconds(set(best)) == best
    assert seconds({best[0], best[0] + 1}) == best[:1]
    another = next(float(n) for n in range(20) if n not in best)
    assert seconds({another}) == [another]
    assert seconds(()) == []
