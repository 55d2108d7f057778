"""`monitors.gaps`, on both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy.engine import Connection

from monitors import gaps
from monitors.database import Database
from monitors.gaps import Gap, GapState
from tests.fakes import FakeClock

MINUTE = timedelta(minutes=1)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.write() as opened:
        yield opened


def only(connection: Connection) -> Gap:
    [found] = gaps.list_gaps(connection)
    return found


def test_a_gap_that_goes_on_is_one_entry_from_its_beginning(
    connection: Connection, clock: FakeClock
) -> None:
    began = clock.now()
    first = gaps.open_gap(connection, "board", "stalled", began)
    assert gaps.open_gap(connection, "board", "unauthorized", began + MINUTE) == first
    found = only(connection)
    assert (found.reason, found.from_at, found.to_at) == ("stalled", began, None)
    assert found.state is GapState.OPEN


def test_a_gap_ends_when_its_source_gives_again(connection: Connection, clock: FakeClock) -> None:
    began = clock.now()
    gaps.open_gap(connection, "board", "stalled", began)
    gaps.open_gap(connection, "other", "stalled", began)
    ended = gaps.end_gap(connection, "board", began + MINUTE)
    assert ended is not None
    assert (ended.source, ended.to_at, ended.state) == ("board", began + MINUTE, GapState.OPEN)
    [other] = gaps.list_gaps(connection, source="other")
    assert other.to_at is None


def test_a_source_without_a_gap_has_none_to_end(connection: Connection, clock: FakeClock) -> None:
    assert gaps.end_gap(connection, "board", clock.now()) is None
    gaps.settle_gap(
        connection, gaps.open_gap(connection, "board", "x", clock.now()), GapState.REFILLED
    )
    assert gaps.end_gap(connection, "board", clock.now()) is None


def test_a_gap_that_ended_keeps_its_end_and_one_that_goes_on_loses_it(
    connection: Connection, clock: FakeClock
) -> None:
    began = clock.now()
    gaps.open_gap(connection, "board", "stalled", began)
    gaps.end_gap(connection, "board", began + MINUTE)
    gaps.end_gap(connection, "board", began + 2 * MINUTE)
    assert only(connection).to_at == began + MINUTE
    gaps.open_gap(connection, "board", "stalled", began + 3 * MINUTE)
    assert (only(connection).from_at, only(connection).to_at) == (began, None)


def test_what_was_lost_stays_lost_and_says_why(connection: Connection, clock: FakeClock) -> None:
    gap = gaps.open_gap(connection, "board", "stopped", clock.now())
    gaps.settle_gap(connection, gap, GapState.LOST, reason="cursor_too_old")
    gaps.settle_gap(connection, gap, GapState.REFILLED)
    assert (only(connection).state, only(connection).reason) == (GapState.LOST, "cursor_too_old")


def test_what_was_refilled_keeps_the_reason_of_its_interruption(
    connection: Connection, clock: FakeClock
) -> None:
    gap = gaps.open_gap(connection, "board", "stopped", clock.now())
    gaps.settle_gap(connection, gap, GapState.REFILLED)
    assert (only(connection).state, only(connection).reason) == (GapState.REFILLED, "stopped")


def test_a_gap_never_ends_before_it_begins(connection: Connection, clock: FakeClock) -> None:
    now = clock.now()
    gaps.enter_gap(connection, "board", "list_overflow", now + MINUTE, now, GapState.LOST)
    assert (only(connection).from_at, only(connection).to_at) == (now, now)


def test_a_reason_too_long_for_its_column_is_cut(connection: Connection, clock: FakeClock) -> None:
    now = clock.now()
    gaps.enter_gap(connection, "board", "x" * 100, now, now, GapState.LOST)
    assert only(connection).reason == "x" * 64


def test_gaps_are_listed_newest_first_and_counted_by_state(
    connection: Connection, clock: FakeClock
) -> None:
    now = clock.now()
    for number in range(3):
        state = GapState.LOST if number else GapState.REFILLED
        gaps.enter_gap(connection, "board", f"r{number}", now, now, state)
    gaps.open_gap(connection, "other", "stalled", now)
    assert [one.reason for one in gaps.list_gaps(connection, source="board", limit=2)] == [
        "r2", "r1",
    ]  # fmt: skip
    assert gaps.count_gaps(connection) == {
        ("board", GapState.REFILLED): 1,
        ("board", GapState.LOST): 2,
        ("other", GapState.OPEN): 1,
    }


def test_the_oldest_entries_of_a_source_that_breaks_off_for_ever_are_forgotten(
    connection: Connection, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "MAX_KEPT", 3)
    now = clock.now()
    gaps.enter_gap(connection, "other", "kept", now, now, GapState.LOST)
    for number in range(5):
        gaps.enter_gap(connection, "board", f"r{number}", now, now, GapState.LOST)
    kept = [one.reason for one in gaps.list_gaps(connection, source="board")]
    assert kept == ["r4", "r3", "r2"]
    assert len(gaps.list_gaps(connection, source="other")) == 1
