"""`monitors.freshness`, on both databases."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import pytest
from sqlalchemy.engine import Connection

from monitors import freshness
from monitors.database import Database
from monitors.freshness import (
    BEHIND,
    BEHIND_SECONDS,
    CANARY_MISSING,
    KIND_MISSING,
    SILENT,
    Expectation,
    Freshness,
    Heard,
)
from streams.sources.source import EventKind
from tests.fakes import FakeClock


class Watched:
    """One source, as it is noted and read."""

    def __init__(self, connection: Connection, database: Database, clock: FakeClock) -> None:
        self.connection = connection
        self.database = database
        self.clock = clock

    def hear(self, at: datetime | None = None, **counts: int) -> None:
        heard = Heard(
            counts={EventKind(name): count for name, count in counts.items()}, event_at=at
        )
        freshness.note_heard(self.connection, self.database, "board", heard, self.clock.now())

    def fail(self, reason: str, retry_at: datetime | None = None) -> None:
        freshness.note_problem(
            self.connection, self.database, "board", reason, self.clock.now(), retry_at=retry_at
        )

    def canary(self, **times: datetime) -> None:
        freshness.note_canary(self.connection, self.database, "board", **times)

    def read(self, expected: Mapping[str, Expectation] | None = None) -> Freshness:
        expectations = {"board": Expectation()} if expected is None else expected
        [found] = freshness.read_freshness(self.connection, expectations, self.clock.now())
        return found


@pytest.fixture
def board(database: Database, clock: FakeClock) -> Iterator[Watched]:
    with database.write() as connection:
        yield Watched(connection, database, clock)


def test_a_source_that_was_never_read_has_no_trouble_yet(board: Watched) -> None:
    assert board.read() == Freshness(source="board")
    assert freshness.last_heard(board.connection, "board") is None


def test_sources_are_told_in_the_order_of_their_names(board: Watched) -> None:
    board.hear(post=1)
    expected = {"zebra": Expectation(), "ant": Expectation()}
    found = freshness.read_freshness(board.connection, expected, board.clock.now())
    assert [one.source for one in found] == ["ant", "board", "zebra"]


def test_events_are_counted_by_kind_with_the_time_of_the_last(
    board: Watched, clock: FakeClock
) -> None:
    first = clock.now()
    board.hear(post=2, deletion=1)
    clock.advance(10)
    board.hear(post=3, edit=0)
    found = board.read()
    assert found.kinds == {
        EventKind.POST: (5, clock.now()),
        EventKind.DELETION: (1, first),
    }
    assert (found.heard_at, found.heard_seconds) == (clock.now(), 0)
    assert found.connected_at == first


def test_a_source_is_silent_when_it_gave_nothing_for_too_long(
    board: Watched, clock: FakeClock
) -> None:
    expected = {"board": Expectation(silent_seconds=30)}
    board.hear(heartbeat=1)
    clock.advance(30)
    assert board.read(expected).troubles == ()
    clock.advance(1)
    found = board.read(expected)
    assert (found.troubles, found.heard_seconds) == ((SILENT,), 31)
    assert board.read({}).troubles == ()


def test_a_source_whose_events_are_old_when_they_come_is_behind(
    board: Watched, clock: FakeClock
) -> None:
    board.hear(at=clock.now() - timedelta(seconds=BEHIND_SECONDS), post=1)
    assert board.read().troubles == ()
    board.hear(at=clock.now() - timedelta(seconds=BEHIND_SECONDS + 1), post=1)
    assert board.read().troubles == (BEHIND,)
    assert board.read().lag_seconds == BEHIND_SECONDS + 1
    board.hear(at=clock.now(), post=1)
    assert board.read().troubles == ()


def test_a_quiet_source_that_gives_signs_of_life_alone_is_not_behind(
    board: Watched, clock: FakeClock
) -> None:
    board.hear(at=clock.now() - timedelta(seconds=3), post=1)
    for _ in range(20):
        clock.advance(15)
        board.hear(heartbeat=1)
    found = board.read()
    assert (found.lag_seconds, found.troubles) == (3, ())


def test_an_event_of_the_future_is_no_negative_lag(board: Watched, clock: FakeClock) -> None:
    board.hear(at=clock.now() + timedelta(days=900), post=1)
    assert board.read().lag_seconds == 0


def test_a_source_that_never_says_when_has_no_times(board: Watched, clock: FakeClock) -> None:
    board.hear(post=1)
    assert not freshness.has_times(board.connection, "board")
    assert board.read().lag_seconds is None
    board.hear(at=clock.now(), post=1)
    board.hear(heartbeat=1)
    assert freshness.has_times(board.connection, "board")


def test_a_problem_is_since_its_beginning_and_over_when_anything_comes(
    board: Watched, clock: FakeClock
) -> None:
    board.hear(post=1)
    began = clock.now()
    board.fail("stalled", clock.now() + timedelta(seconds=2))
    clock.advance(10)
    again = clock.now() + timedelta(seconds=4)
    board.fail("unauthorized", again)
    found = board.read()
    assert (found.problem, found.problem_at, found.retry_at) == ("unauthorized", began, again)
    assert (found.troubles, found.connected_at) == (("unauthorized",), None)
    board.hear(heartbeat=1)
    found = board.read()
    assert (found.problem, found.problem_at, found.retry_at) == (None, None, None)
    assert (found.troubles, found.connected_at) == ((), clock.now())


def test_a_kind_that_stays_away_is_missing_and_no_longer_when_it_comes(
    board: Watched, clock: FakeClock
) -> None:
    expected = {"board": Expectation(kinds={EventKind.DELETION: 60, EventKind.POST: 60})}
    board.hear(post=1)
    clock.advance(60)
    board.hear(post=1)
    assert board.read(expected).missing == ()
    clock.advance(1)
    board.hear(post=1)
    found = board.read(expected)
    assert (found.missing, found.troubles) == ((EventKind.DELETION,), (KIND_MISSING,))
    board.hear(deletion=1)
    assert board.read(expected).troubles == ()


def test_no_kind_is_missing_while_there_is_a_problem_nor_right_after_it(
    board: Watched, clock: FakeClock
) -> None:
    expected = {"board": Expectation(kinds={EventKind.DELETION: 60})}
    board.hear(deletion=1)
    board.fail("stalled")
    clock.advance(600)
    found = board.read(expected)
    assert (found.missing, found.troubles) == ((), ("stalled",))
    board.hear(post=1)
    assert board.read(expected).missing == ()
    clock.advance(61)
    board.hear(post=1)
    assert board.read(expected).missing == (EventKind.DELETION,)


def test_no_kind_is_missing_right_after_a_restart(board: Watched, clock: FakeClock) -> None:
    expected = {"board": Expectation(kinds={EventKind.DELETION: 60})}
    board.hear(deletion=1)
    clock.advance(7200)
    freshness.note_connecting(board.connection, "board")
    assert board.read(expected).missing == ()
    board.hear(post=1)
    assert board.read(expected).missing == ()


def test_a_canary_that_does_not_come_back_is_missing(board: Watched, clock: FakeClock) -> None:
    expected = {"board": Expectation(canary_seconds=120, silent_seconds=10_000)}
    board.hear(post=1)
    board.canary(sent_at=clock.now())
    clock.advance(120)
    assert board.read(expected).troubles == ()
    clock.advance(1)
    assert board.read(expected).troubles == (CANARY_MISSING,)
    board.canary(seen_at=clock.now())
    assert board.read(expected).troubles == ()
    clock.advance(1)
    board.canary(sent_at=clock.now())
    clock.advance(121)
    assert board.read(expected).troubles == (CANARY_MISSING,)


def test_several_troubles_are_told_the_gravest_first(board: Watched, clock: FakeClock) -> None:
    expected = {"board": Expectation(silent_seconds=30, kinds={EventKind.DELETION: 30})}
    board.hear(at=clock.now() - timedelta(seconds=90), post=1)
    board.canary(sent_at=clock.now())
    clock.advance(121)
    assert board.read(expected).troubles == (SILENT, BEHIND, KIND_MISSING, CANARY_MISSING)
