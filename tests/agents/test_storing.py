"""`agents.storing`, on both databases."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from agents.storing import Connected, Stored, Storing
from alerts.sightings import record_sighting
from alerts.tasks import Desk
from monitors import freshness, gaps, inbox
from monitors.database import Database
from monitors.gaps import GapState
from monitors.source_tables import source_states
from monitors.tables import locations, outcomes, tasks
from streams.errors import DatabaseUnavailableError
from streams.schemas import post_key
from streams.sources.source import (
    EventKind,
    Missed,
    Passed,
    Removed,
    Restored,
    SourcedItem,
    SourcedPost,
)
from streams.types import Post
from tests.alerts.rows import add_case, match_of, sighting_of
from tests.fakes import FakeClock

MINUTE = timedelta(minutes=1)


class Board:
    """One source whose items are stored."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.desk = Desk(database=database, endpoints=1, console_link="https://c.example")
        self.storing = Storing(self.desk, clock, "here")
        self.database = database
        self.clock = clock
        self.connected: Connected | None = None
        self.connect()

    def connect(self) -> str | None:
        cursor = self.storing.resume("board", ledger=True)
        self.connected = Connected()
        return cursor

    def give(self, *items: SourcedItem) -> Stored:
        stored = self.storing.store("board", None, items, self.connected)
        self.connected = stored.connected
        return stored

    def break_off(self, reason: str = "stalled") -> None:
        self.storing.interrupt("board", reason, self.clock.now() + MINUTE)

    def post(self, number: int = 1, *, at: datetime | None = None, **values: Any) -> SourcedPost:
        post = Post(
            key=post_key("board", str(number)),
            source="board",
            id=str(number),
            url=f"https://www.example.com/posts/{number}",
            author="@uploader",
            observed_at=self.clock.now(),
        )
        return SourcedPost(post=replace(post, **values), cursor=str(number), at=at)

    @property
    def ledger(self) -> list[tuple[str, datetime, datetime | None, GapState]]:
        with self.database.read() as connection:
            found = gaps.list_gaps(connection)
        return [(one.reason, one.from_at, one.to_at, one.state) for one in reversed(found)]

    @property
    def waiting(self) -> set[str]:
        with self.database.read() as connection:
            return set(connection.scalars(sa.select(sa.literal_column("post_key FROM inbox"))))

    def rows(self, table: sa.Table) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(sa.select(table)))


@pytest.fixture
def board(database: Database, clock: FakeClock) -> Board:
    return Board(database, clock)


def deleted(number: int = 1, network: str = "board", cursor: str = "9") -> Removed:
    return Removed(cursor=cursor, network=network, reason="deleted", post_id=str(number))


def deactivated() -> Removed:
    return Removed(cursor="9", network="board", reason="account_deactivated", author="@uploader")


def back() -> Restored:
    return Restored(cursor="9", network="board", author="@uploader")


def sight(board: Board, item: SourcedPost) -> None:
    """Decide that a post shows a case's content."""
    now = board.clock.now()
    with board.database.write() as connection:
        if not board.rows(tasks):
            add_case(connection, now)
        case = connection.scalar(sa.text("SELECT id FROM cases"))
        content = connection.scalar(sa.text("SELECT id FROM contents"))
        sighting = sighting_of((match_of(case, content),), now=now)
        post = replace(item.post, media=sighting.post.media)
        record_sighting(connection, replace(sighting, post=post), board.desk, now)


def test_a_source_that_another_collector_reads_is_left_alone(board: Board) -> None:
    with board.database.write() as connection:
        inbox.lease(connection, "board", "there", board.clock.now(), 15)
    assert not board.give(board.post()).held
    assert board.waiting == set()
    assert board.rows(source_states) == []


def test_a_batch_is_kept_whole_or_not_at_all(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_values: object) -> None:
        raise DatabaseUnavailableError("full disk")

    with monkeypatch.context() as patched:
        patched.setattr(freshness, "note_heard", fail)
        with pytest.raises(DatabaseUnavailableError):
            board.give(board.post(1), deleted(2))
    assert board.waiting == set()
    assert board.connect() is None


def test_a_gap_ends_though_the_transaction_that_ended_it_first_was_not_kept(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard_at = board.clock.now()
    board.give(board.post(1, at=heard_at))
    board.break_off()
    board.clock.advance(60)
    board.connect()

    def fail(*_args: object, **_values: object) -> None:
        raise DatabaseUnavailableError("locked")

    with monkeypatch.context() as patched:
        patched.setattr(gaps, "settle_gap", fail)
        with pytest.raises(DatabaseUnavailableError):
            board.give(board.post(2, at=board.clock.now()))
    again_at = board.clock.now()
    board.give(board.post(2, at=again_at))
    assert board.ledger == [("stalled", heard_at, again_at, GapState.REFILLED)]


def test_a_gap_is_refilled_when_events_later_than_its_end_came(board: Board) -> None:
    heard_at = board.clock.now()
    board.give(board.post(1, at=heard_at))
    board.break_off()
    board.clock.advance(60)
    board.connect()
    back_at = board.clock.now()
    board.give(board.post(2, at=heard_at + timedelta(seconds=1)))
    assert board.ledger == [("stalled", heard_at, back_at, GapState.OPEN)]
    board.clock.advance(1)
    board.give(Passed(cursor="3", counts={EventKind.HEARTBEAT: 1}))
    assert board.ledger[0][3] is GapState.OPEN
    board.give(board.post(3, at=back_at - timedelta(seconds=1)))
    assert board.ledger[0][3] is GapState.OPEN
    board.give(board.post(4, at=back_at))
    assert board.ledger == [("stalled", heard_at, back_at, GapState.REFILLED)]


def test_a_gap_goes_on_where_its_source_breaks_off_before_it_was_refilled(board: Board) -> None:
    heard_at = board.clock.now()
    board.give(board.post(1, at=heard_at))
    board.break_off()
    board.clock.advance(60)
    board.connect()
    board.give(board.post(2, at=heard_at + timedelta(seconds=1)))
    board.break_off("consumer_too_slow")
    assert board.ledger == [("stalled", heard_at, None, GapState.OPEN)]


def test_a_source_that_never_says_when_is_believed(board: Board) -> None:
    heard_at = board.clock.now()
    board.give(board.post(1))
    board.break_off()
    board.clock.advance(60)
    board.connect()
    board.give(board.post(2))
    assert board.ledger == [("stalled", heard_at, board.clock.now(), GapState.REFILLED)]


def test_a_gap_is_lost_where_its_source_says_so_and_its_reason_is_named(board: Board) -> None:
    heard_at = board.clock.now()
    board.give(board.post(1, at=heard_at))
    board.clock.advance(7200)
    board.connect()
    back_at = board.clock.now()
    board.give(Missed(cursor="1", reason="cursor_too_old"), board.post(2, at=back_at))
    assert board.ledger == [("cursor_too_old", heard_at, back_at, GapState.LOST)]
    board.give(board.post(3, at=back_at))
    assert board.ledger[0][3] is GapState.LOST


def test_a_gap_that_the_source_fetched_afterwards_is_refilled(board: Board) -> None:
    heard_at = board.clock.now()
    board.give(board.post(1, at=heard_at))
    board.break_off()
    board.clock.advance(60)
    board.connect()
    missed = Missed(cursor="2", reason="fetched", refilled=True)
    board.give(missed)
    assert board.ledger == [("stalled", heard_at, board.clock.now(), GapState.REFILLED)]


def test_what_a_source_missed_while_it_was_read_is_an_entry_of_its_own(board: Board) -> None:
    began = board.clock.now()
    board.give(board.post(1, at=began))
    board.clock.advance(30)
    board.give(
        Missed(cursor="2", reason="sequence_jump"),
        Missed(
            cursor="3", reason="list_overflow", since=began - MINUTE, until=began, refilled=True
        ),
    )
    assert board.ledger == [
        ("sequence_jump", began, board.clock.now(), GapState.LOST),
        ("list_overflow", began - MINUTE, began, GapState.REFILLED),
    ]


def test_a_source_that_was_never_heard_has_no_gap(board: Board) -> None:
    board.break_off("unauthorized")
    board.connect()
    assert board.ledger == []


def test_a_deleted_post_ends_in_all_its_revisions_as_vanished(board: Board) -> None:
    edit = board.post(1, revision="2", key=post_key("board", "1", "2"))
    stored = board.give(board.post(1), edit, deleted(1), board.post(2))
    assert board.waiting == {board.post(2).post.key}
    assert {(row.outcome, row.reason) for row in board.rows(outcomes)} == {
        ("vanished", "deleted_at_source")
    }
    assert {end.key for end in stored.ends} == {board.post(1).post.key, edit.post.key}
    assert stored.counts == {EventKind.POST: 3, EventKind.DELETION: 1}


@pytest.mark.parametrize("together", [True, False])
def test_a_post_that_is_posted_again_under_its_name_is_looked_at(
    board: Board, together: bool
) -> None:
    story: list[SourcedItem] = [board.post(1), deleted(1), board.post(1)]
    for some in [story] if together else [[one] for one in story]:
        board.give(*some)
    assert board.waiting == {board.post(1).post.key}
    assert board.rows(outcomes) == []


def test_a_post_that_is_posted_again_in_the_batch_of_its_deletion_stands_when_it_is_sighted(
    board: Board,
) -> None:
    board.give(board.post(1))
    sight(board, board.post(1))
    board.clock.advance(10)
    again = board.post(1)
    board.clock.advance(0.1)  # gathered, then stored
    board.give(deleted(1), again)
    [task] = board.rows(tasks)
    assert task.status == "removed_at_origin"
    sight(board, again)
    [task], [location] = board.rows(tasks), board.rows(locations)
    assert (task.status, location.gone_at) == ("reappeared", None)


def test_the_last_word_on_an_account_counts(board: Board) -> None:
    board.give(board.post(1))
    sight(board, board.post(1))
    board.give(back(), deactivated())
    assert [row.status for row in board.rows(tasks)] == ["removed_at_origin"]
    board.give(deactivated(), back(), deactivated(), back())
    assert [row.status for row in board.rows(tasks)] == ["reappeared"]
    assert [row.gone_at for row in board.rows(locations)] == [None]


def test_a_deactivated_account_ends_what_stood_of_tasks_and_its_waiting_posts_are_looked_at(
    board: Board,
) -> None:
    board.give(board.post(1), board.post(2), board.post(3, author="@other"))
    sight(board, board.post(1))
    stored = board.give(deactivated())
    assert board.post(2).post.key in board.waiting, "it may be back before anybody looked"
    assert [one.gone for one in stored.changed] == [1]
    assert [row.status for row in board.rows(tasks)] == ["removed_at_origin"]


def test_a_removal_of_another_network_does_nothing(board: Board) -> None:
    board.give(board.post(1))
    stored = board.give(deleted(1, network="elsewhere"))
    assert (stored.ends, [one.gone for one in stored.changed]) == ([], [0])
    assert board.waiting == {board.post(1).post.key}


def test_a_source_without_a_ledger_leaves_none(board: Board) -> None:
    board.storing.resume("replay", ledger=False)
    stored = board.storing.store("replay", None, [board.post(1)], None)
    assert stored.connected is None
    assert board.rows(source_states) == []


def test_nothing_read_keeps_the_lease_and_says_nothing(board: Board) -> None:
    board.clock.advance(14)
    assert board.give().held
    board.clock.advance(14)
    with board.database.write() as connection:
        assert not inbox.lease(connection, "board", "there", board.clock.now(), 15)
    assert board.rows(source_states) == []
