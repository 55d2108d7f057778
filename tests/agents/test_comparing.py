"""`agents.comparing`."""

import pytest

from agents import comparing
from agents.comparing import SETTLE_SECONDS, Comparison, Lacked
from streams.sources.source import Passed, SourcedPost
from tests.agents.pipeline import a_post
from tests.fakes import FakeClock


class Twins:
    """Two streams, `a` and `b`."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.comparison = Comparison([("a", "b")], clock)

    def give(self, *sources: str, post: int | None = None) -> None:
        for source in sources:
            item = Passed(cursor="1") if post is None else self._post(post)
            self.comparison.saw(source, [item])

    def _post(self, number: int) -> SourcedPost:
        return SourcedPost(post=a_post(self.clock, number), cursor="1")

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def live(self, *sources: str, seconds: float, every: float = 10.0) -> list[Lacked]:
        """Let time pass in which these streams give signs of life; compare meanwhile."""
        found = []
        for _ in range(int(seconds / every)):
            self.wait(every)
            self.give(*sources)
            found += self.comparison.settle()
        return found


@pytest.fixture
def twins(clock: FakeClock) -> Twins:
    made = Twins(clock)
    made.give("a", "b")
    made.live("a", "b", seconds=SETTLE_SECONDS)
    return made


def test_what_a_stream_lacks_of_its_twin_is_told_once(twins: Twins) -> None:
    first = twins.clock.now()
    twins.give("a", post=1)
    twins.wait(3)
    twins.give("a", post=2)
    last = twins.clock.now()
    assert twins.live("a", "b", seconds=2 * SETTLE_SECONDS + 60) == [
        Lacked(source="b", posts=2, from_at=first, to_at=last)
    ]


def test_it_is_told_of_either(twins: Twins) -> None:
    twins.give("a", post=1)
    twins.give("b", post=2)
    told = twins.live("a", "b", seconds=2 * SETTLE_SECONDS)
    assert sorted((one.source, one.posts) for one in told) == [("a", 1), ("b", 1)]


def test_nothing_is_lacking_that_came_later(twins: Twins) -> None:
    twins.give("a", post=1)
    assert twins.live("a", "b", seconds=SETTLE_SECONDS - 10) == []
    twins.give("b", post=1)
    assert twins.live("a", "b", seconds=2 * SETTLE_SECONDS) == []


def test_nothing_is_told_of_the_time_before_a_stream_was_read(clock: FakeClock) -> None:
    twins = Twins(clock)
    twins.give("a", post=1)
    twins.live("a", seconds=60)
    twins.give("b")
    twins.give("a", post=2)  # b may be catching up still
    assert twins.live("a", "b", seconds=3 * SETTLE_SECONDS) == []


def test_nothing_is_told_of_a_stream_that_is_away(twins: Twins) -> None:
    twins.comparison.away("b")
    twins.wait(1)
    twins.give("a", post=1)
    assert twins.live("a", seconds=3 * SETTLE_SECONDS) == []


@pytest.mark.parametrize("away_seconds", [10, 60, 600])
def test_nothing_is_told_of_the_time_in_which_a_stream_was_away_nor_while_it_catches_up(
    twins: Twins, away_seconds: int
) -> None:
    twins.comparison.away("b")
    twins.wait(1)
    twins.give("a", post=1)
    told = twins.live("a", seconds=away_seconds)
    twins.give("b")
    twins.give("a", post=2)
    assert told + twins.live("a", "b", seconds=3 * SETTLE_SECONDS) == []


def test_what_a_stream_lacked_before_it_was_away_is_still_told(twins: Twins) -> None:
    twins.give("a", post=1)
    twins.wait(1)
    twins.give("b")
    twins.comparison.away("b")
    told = twins.live("a", seconds=30)
    told += twins.live("a", "b", seconds=3 * SETTLE_SECONDS)
    assert [(one.source, one.posts) for one in told] == [("b", 1)]


def test_a_stream_that_is_silent_is_not_told_on(twins: Twins) -> None:
    twins.wait(1)
    twins.give("a", post=1)
    assert twins.live("a", seconds=3 * SETTLE_SECONDS) == []


def test_what_is_no_twin_is_not_remembered(twins: Twins) -> None:
    twins.give("c", post=1)
    twins.comparison.away("c")
    assert twins.live("a", "b", seconds=3 * SETTLE_SECONDS) == []


def test_a_flood_that_pushes_out_what_was_remembered_is_not_taken_for_a_lack(
    twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "MAX_KEPT", 5)
    twins.give("a", "b", post=1)
    for number in range(10, 20):
        twins.wait(1)
        twins.give("b", post=number)
    told = twins.live("a", "b", seconds=2 * SETTLE_SECONDS)
    assert [one for one in told if one.source == "b"] == []


def test_what_was_compared_is_forgotten(twins: Twins) -> None:
    for number in range(100):
        twins.give("a", "b", post=number)
        twins.live("a", "b", seconds=10)
    kept = twins.comparison._seen["a"]
    assert len(kept.keys) < 2 * SETTLE_SECONDS / 10 + 5
    for _ in range(50):
        twins.comparison.away("a")
        twins.live("a", "b", seconds=10)
    assert len(kept.stretches) < 20
