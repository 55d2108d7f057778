"""`alerts.removals`, on both databases."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from alerts.removals import Changed, mark_back, mark_ended, mark_gone
from alerts.sightings import record_sighting
from alerts.tasks import Desk, TaskStatus
from monitors import inbox
from monitors.database import Database
from monitors.tables import locations, outbox, tasks
from streams.sources.source import Removed, Restored
from streams.types import Match, Outcome, PostKey, PostOutcome, Sighting
from tests.alerts.rows import add_case, match_of, sighting_of
from tests.fakes import FakeClock

NETWORK = "board"  # of `sighting_of`'s posts
AUTHOR = "@uploader"


class Office:
    """Where tasks are opened, and removals marked."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.desk = Desk(database=database, endpoints=1, console_link="https://c.example")
        self.database = database
        self.clock = clock
        with database.write() as connection:
            self.match: Match = match_of(*add_case(connection, clock.now()))

    def sight(self, post: str = "1", **values: Any) -> Sighting:
        found = sighting_of((self.match,), now=self.clock.now(), post=post, **values)
        self.record(found)
        return found

    def record(self, sighting: Sighting) -> None:
        with self.database.write() as connection:
            record_sighting(connection, sighting, self.desk, self.clock.now())

    def remove(self, *removals: Removed, at: datetime | None = None) -> Changed:
        with self.database.write() as connection:
            return mark_gone(connection, self.desk, removals, at or self.clock.now())

    def restore(self, *restored: Restored) -> Changed:
        with self.database.write() as connection:
            return mark_back(connection, self.desk, restored, self.clock.now())

    def all(self, table: sa.Table) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(sa.select(table)))

    @property
    def task(self) -> Any:
        [found] = self.all(tasks)
        return found

    @property
    def gone(self) -> dict[str, str | None]:
        """The reason for which each post's location is gone; None: it stands."""
        found = self.all(locations)
        assert all((one.gone_at is None) == (one.gone_reason is None) for one in found)
        return {one.post_id: one.gone_reason for one in found}

    @property
    def told(self) -> list[str]:
        return sorted(row.event for row in self.all(outbox))


@pytest.fixture
def office(database: Database, clock: FakeClock) -> Office:
    return Office(database, clock)


def deleted(post: str, network: str = NETWORK) -> Removed:
    return Removed(cursor="1", network=network, reason="deleted", post_id=post)


def deactivated(author: str = AUTHOR, network: str = NETWORK) -> Removed:
    return Removed(cursor="1", network=network, reason="account_deactivated", author=author)


def back(author: str = AUTHOR, network: str = NETWORK) -> Restored:
    return Restored(cursor="2", network=network, author=author)


def test_a_task_ends_with_the_last_of_what_stands_and_tells_it_once(office: Office) -> None:
    office.sight("1")
    office.sight("2")
    office.clock.advance(5)
    assert office.remove(deleted("1")) == Changed(gone=1)
    assert office.gone == {"1": "deleted", "2": None}
    assert office.task.status == TaskStatus.NEW
    changed = office.remove(deleted("2"))
    assert changed == Changed(gone=1, tasks=(office.task.id,))
    assert (office.task.status, office.task.updated_at) == ("removed_at_origin", office.clock.now())
    assert office.told == ["task.opened", "task.removed_at_origin"]
    assert office.remove(deleted("1"), deleted("2")) == Changed()
    assert office.told == ["task.opened", "task.removed_at_origin"]


def test_an_accounts_end_takes_all_that_its_author_posted(office: Office) -> None:
    office.sight("1")
    office.sight("2")
    changed = office.remove(deactivated())
    assert (changed.gone, len(changed.tasks)) == (2, 1)
    assert office.gone == {"1": "account_deactivated", "2": "account_deactivated"}
    assert office.task.status == TaskStatus.REMOVED_AT_ORIGIN


@pytest.mark.parametrize(
    "stranger",
    [deleted("1", "elsewhere"), deleted("7"), deactivated(network="elsewhere"), deactivated("@x")],
)
def test_a_removal_of_another_network_or_author_does_nothing(
    office: Office, stranger: Removed
) -> None:
    office.sight("1")
    assert office.remove(stranger) == Changed()
    assert office.gone == {"1": None}
    assert office.task.status == TaskStatus.NEW


def test_an_account_that_is_back_brings_its_tasks_back(office: Office) -> None:
    office.sight("1")
    office.remove(deactivated())
    assert office.restore(back(network="elsewhere"), back("@x")) == Changed()
    changed = office.restore(back())
    assert changed == Changed(back=1, tasks=(office.task.id,))
    assert (office.task.status, office.task.reappeared) == ("reappeared", 1)
    assert office.gone == {"1": None}
    assert office.restore(back()) == Changed()
    office.remove(deactivated())
    office.restore(back())
    assert (office.task.status, office.task.reappeared) == ("reappeared", 2)
    assert office.told == [
        "task.opened", "task.reappeared", "task.reappeared", "task.removed_at_origin",
        "task.removed_at_origin",
    ]  # fmt: skip


def test_a_deleted_post_does_not_come_back_with_its_account(office: Office) -> None:
    office.sight("1")
    office.sight("2")
    office.remove(deleted("1"))
    office.remove(deactivated())
    office.remove(deleted("2"))
    assert office.gone == {"1": "deleted", "2": "deleted"}
    assert office.restore(back()) == Changed()
    assert office.task.status == TaskStatus.REMOVED_AT_ORIGIN


@pytest.mark.parametrize(
    ("status", "then"), [("verified_removed", "reappeared"), ("closed", "closed")]
)
def test_what_was_found_removed_reappears_and_what_an_officer_closed_does_not(
    office: Office, status: str, then: str
) -> None:
    office.sight("1")
    office.remove(deactivated())
    with office.database.write() as connection:
        connection.execute(sa.update(tasks).values(status=status))
    office.restore(back())
    assert office.task.status == then
    assert office.gone == {"1": None}


def test_a_closed_task_stays_closed_when_its_content_goes(office: Office) -> None:
    office.sight("1")
    with office.database.write() as connection:
        connection.execute(sa.update(tasks).values(status="closed"))
    assert office.remove(deleted("1")) == Changed(gone=1)
    assert office.task.status == TaskStatus.CLOSED
    assert office.told == ["task.opened"]


def test_a_further_post_of_what_was_removed_reappears(office: Office) -> None:
    office.sight("1")
    office.remove(deleted("1"))
    office.sight("2")
    assert (office.task.status, office.gone) == ("reappeared", {"1": "deleted", "2": None})


def test_a_post_that_was_gone_and_was_seen_again_since_stands_again(office: Office) -> None:
    first = office.sight("1")
    office.remove(deleted("1"))
    office.record(first)  # delivered again: seen before it was gone
    assert (office.task.status, office.gone) == ("removed_at_origin", {"1": "deleted"})
    office.clock.advance(60)
    again = replace(first, post=replace(first.post, observed_at=office.clock.now()))
    office.record(again)
    assert (office.task.status, office.gone) == ("reappeared", {"1": None})
    office.record(again)
    assert office.task.reappeared == 1


def _end(office: Office, key: PostKey, outcome: Outcome, reason: str | None) -> None:
    end = PostOutcome(
        key=key,
        source="board",
        outcome=outcome,
        reason=reason,
        observed_at=office.clock.now(),
        ended_at=office.clock.now(),
    )
    with office.database.write() as connection:
        inbox.finish(connection, [end])


def test_what_is_decided_after_its_source_said_that_it_is_gone_is_marked(office: Office) -> None:
    sighting = office.sight("1")
    _end(office, sighting.post.key, Outcome.VANISHED, "deleted_at_source")
    with office.database.write() as connection:
        changed = mark_ended(connection, office.desk, [sighting.post.key], office.clock.now())
    assert (changed.gone, office.gone) == (1, {"1": "deleted"})
    assert office.task.status == TaskStatus.REMOVED_AT_ORIGIN


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.VANISHED, "media_vanished"),
        (Outcome.VANISHED, None),
        (Outcome.SIGHTED, None),
        (Outcome.DEAD, "deleted_at_source"),
    ],
)
def test_what_ended_otherwise_stands(office: Office, outcome: Outcome, reason: str | None) -> None:
    sighting = office.sight("1")
    _end(office, sighting.post.key, outcome, reason)
    with office.database.write() as connection:
        changed = mark_ended(connection, office.desk, [sighting.post.key], office.clock.now())
    assert changed == Changed()
    assert office.gone == {"1": None}


def test_a_clock_that_goes_back_does_not_turn_a_task_back(office: Office) -> None:
    office.sight("1")
    opened_at = office.task.updated_at
    office.remove(deleted("1"), at=office.clock.now() - timedelta(seconds=90))
    assert office.task.updated_at == opened_at
