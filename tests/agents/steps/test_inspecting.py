"""`agents.steps.inspecting`."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.steps.inspecting import (
    MAX_MATCHES,
    bounded,
    failed,
    inspected,
    order_of,
    outcome_of,
    seconds_allowed,
    wait_before_retry,
)
from streams.errors import (
    DecoderCrashedError,
    ForbiddenAddressError,
    MediaError,
    MediaTooLargeError,
    MediaUnavailableError,
    MediaVanishedError,
    UndecodableMediaError,
)
from streams.types import (
    CaseId,
    ContentId,
    Decision,
    Evidence,
    Looked,
    Match,
    MediaKind,
    MediumResult,
    Modality,
    Outcome,
    ReferenceId,
)

LOOKED = Looked(kind=MediaKind.IMAGE, frames=1)
ORDER = [
    Outcome.SIGHTED,
    Outcome.SHED,
    Outcome.VANISHED,
    Outcome.UNREADABLE,
    Outcome.REFUSED,
    Outcome.CLEAR,
]


def a_match(decision: Decision) -> Match:
    return Match(
        case=CaseId("c"),
        reference=ReferenceId("r"),
        content=ContentId("g"),
        confidence=0.9,
        decision=decision,
        evidence=(Evidence(modality=Modality.FRAME, similarity=0.9),),
    )


def a_result(outcome: Outcome, reason: str | None = None) -> MediumResult:
    return MediumResult(index=0, outcome=outcome, reason=reason)


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (ForbiddenAddressError(), Outcome.REFUSED, "forbidden_address"),
        (MediaTooLargeError(), Outcome.REFUSED, "media_too_large"),
        (MediaVanishedError(), Outcome.VANISHED, "media_vanished"),
        (MediaUnavailableError(), Outcome.VANISHED, "host_unreachable"),
        (UndecodableMediaError(), Outcome.UNREADABLE, "undecodable_media"),
        (DecoderCrashedError(), Outcome.UNREADABLE, "decoder_crashed"),
        (MediaError(), Outcome.UNREADABLE, "media"),
    ],
)
def test_each_error_has_its_outcome(error: MediaError, outcome: Outcome, reason: str) -> None:
    result = failed(4, error)
    assert (result.index, result.outcome, result.reason) == (4, outcome, reason)


@pytest.mark.parametrize("decision", [Decision.ALERT, Decision.REVIEW])
def test_a_match_that_somebody_shall_see_makes_a_sighting(decision: Decision) -> None:
    result = inspected(0, "ab", [a_match(Decision.NONE), a_match(decision)])
    assert result.outcome is Outcome.SIGHTED
    assert [match.decision for match in result.matches] == [decision]


def test_matches_that_nobody_shall_see_leave_a_medium_clear() -> None:
    assert inspected(0, "ab", [a_match(Decision.NONE)]) == MediumResult(
        index=0, outcome=Outcome.CLEAR, sha256="ab"
    )


@given(st.lists(st.sampled_from(ORDER), min_size=1))
def test_the_gravest_outcome_wins(outcomes: list[Outcome]) -> None:
    outcome, reason = outcome_of([a_result(one, "why") for one in outcomes])
    assert outcome is min(outcomes, key=ORDER.index)
    if outcome is Outcome.SIGHTED:
        assert reason is None
    elif outcome is Outcome.CLEAR:
        assert reason == "why"
    else:
        assert reason == ("partly_why" if Outcome.CLEAR in outcomes else "why")


def test_the_reason_is_that_of_the_outcome() -> None:
    results = [a_result(Outcome.REFUSED, "media_too_large"), a_result(Outcome.VANISHED, "gone")]
    assert outcome_of(results) == (Outcome.VANISHED, "gone")


def test_waits_double_and_heed_the_host_up_to_an_hour() -> None:
    assert [wait_before_retry(tries, 20).total_seconds() for tries in range(3)] == [20, 40, 80]
    assert wait_before_retry(0, 20, 90) == timedelta(seconds=90)
    assert wait_before_retry(1, 20, 5) == timedelta(seconds=40)
    assert wait_before_retry(0, 20, 86_400) == timedelta(hours=1)


def test_a_later_try_may_take_longer() -> None:
    assert [seconds_allowed(tries, 15) for tries in range(3)] == [6, 12, 15]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), max_size=8))
def test_every_medium_has_its_turn_once_and_no_post_is_ahead_by_two(
    counts: list[tuple[int, int]],
) -> None:
    order = order_of(counts)
    assert sorted(order) == [(p, i) for p, (count, _) in enumerate(counts) for i in range(count)]
    taken = dict.fromkeys(range(len(counts)), 0)
    for place, _ in order:
        waiting = [taken[p] for p, (count, _) in enumerate(counts) if taken[p] < count]
        assert taken[place] == min(waiting)
        taken[place] += 1


def test_a_second_try_begins_at_the_end() -> None:
    assert order_of([(3, 0), (2, 1)]) == [(0, 0), (1, 1), (0, 1), (1, 0), (0, 2)]


def test_of_too_many_matches_every_mediums_best_are_kept() -> None:
    many = MediumResult(index=0, outcome=Outcome.SIGHTED, matches=(a_match(Decision.ALERT),) * 40)
    kept = bounded([many] * 100)
    assert sum(len(one.matches) for one in kept) == MAX_MATCHES
    assert {len(one.matches) for one in kept} == {MAX_MATCHES // 100}
    assert bounded([many]) == (many,)


@pytest.mark.parametrize(
    ("skipped", "reason"),
    [
        ("faces:no_time", "partly_looked"),
        ("faces:crashed", "partly_looked"),
        ("faces:no_model", None),
        ("faces:decided", None),
    ],
)
def test_clear_says_where_time_or_a_crash_cut_it_short_but_not_what_an_installation_lacks(
    skipped: str, reason: str | None
) -> None:
    result = inspected(0, "", [], replace(LOOKED, skipped=(skipped,)))
    assert (result.outcome, result.reason) == (Outcome.CLEAR, reason)
    assert result.looked is not None
    assert result.looked.skipped == (skipped,)
