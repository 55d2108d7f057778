"""`agents.comparing`."""

import pytest

from agents.comparing import MAX_KEPT, SETTLE_SECONDS, Comparison
from streams.sources.source import Passed, SourcedPost
from tests.agents.pipeline import a_post
from tests.fakes import FakeClock

HOUR = 3600.0


@pytest.fixture
def comparison(clock: FakeClock) -> Comparison:
    made = Comparison([("one", "two")], clock)
    for name in ("one", "two"):
        made.saw(name, [Passed(cursor="0")])
    clock.advance(SETTLE_SECONDS + 1)
    return made


def saw(comparison: Comparison, clock: FakeClock, name: str, *numbers: int) -> None:
    comparison.saw(
        name, [SourcedPost(post=a_post(clock, number), cursor=str(number)) for number in numbers]
    )


def settle_later(comparison: Comparison, clock: FakeClock) -> list[tuple[str, int]]:
    """Let time pass in which both are heard."""
    clock.advance(SETTLE_SECONDS + 1)
    for name in ("one", "two"):
        comparison.saw(name, [Passed(cursor="9")])
    return [(one.source, one.posts) for one in comparison.settle()]


def test_what_one_gives_and_the_other_does_not_is_told_once(
    comparison: Comparison, clock: FakeClock
) -> None:
    saw(comparison, clock, "one", 1, 2, 3)
    saw(comparison, clock, "two", 1)
    assert comparison.settle() == [], "it may still come"
    assert settle_later(comparison, clock) == [("two", 2)]
    assert settle_later(comparison, clock) == []


def test_what_comes_late_is_not_missing(comparison: Comparison, clock: FakeClock) -> None:
    saw(comparison, clock, "one", 1)
    clock.advance(SETTLE_SECONDS / 2)
    saw(comparison, clock, "two", 1)
    assert settle_later(comparison, clock) == []


def test_of_a_time_in_which_it_was_away_nothing_is_told(
    comparison: Comparison, clock: FakeClock
) -> None:
    comparison.away("two")
    clock.advance(10)
    saw(comparison, clock, "one", 1, 2)
    clock.advance(10)
    comparison.saw("two", [Passed(cursor="1")])
    assert settle_later(comparison, clock) == []


def test_others_are_not_compared_and_memory_is_bounded(clock: FakeClock) -> None:
    comparison = Comparison([("one", "two")], clock)
    saw(comparison, clock, "three", 1)
    clock.advance(HOUR)
    assert comparison.settle() == []
    for start in range(0, MAX_KEPT + 100, 10_000):
        saw(comparison, clock, "one", *range(start, start + 10_000))
    assert len(comparison._seen["one"].keys) == MAX_KEPT
