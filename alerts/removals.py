"""What a source says is gone, or back: a task's locations, and the task with the last of them.

A deletion in the stream is a sign of removal at the origin; the re-checks of the watch confirm it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alerts.outbox import Event, announce
from alerts.severity import Severity
from alerts.tasks import Desk, TaskStatus, digest
from monitors.quarantine import SIGHTING_LOCK
from monitors.removals import AT_SOURCE, reason_of, ref_of
from monitors.tables import locations, outcomes, tasks
from streams.refs import author_ref
from streams.sources.source import Removed, Restored
from streams.types import Outcome, PostKey, TaskId

OPEN = (TaskStatus.NEW, TaskStatus.REAPPEARED)
"""Tasks that end where nothing of theirs stands any more."""

REMOVED = (TaskStatus.REMOVED_AT_ORIGIN, TaskStatus.VERIFIED_REMOVED)
"""Tasks that reappear with their locations; what an officer closed stays closed."""

ACCOUNT = "account_"
"""Begins the reasons that pass when the account is back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a batch of removals changed.

    Args:
        gone: locations that are.
        back: locations that are.
        tasks: that ended, or reappeared.
    """

    gone: int = 0
    back: int = 0
    tasks: tuple[TaskId, ...] = ()


def mark_gone(
    connection: Connection, desk: Desk, removals: Sequence[Removed], now: datetime
) -> Changed:
    """Mark what stands where a source says that it is gone; end tasks of which nothing stands.

    Runs in the caller's write transaction; a second time it changes nothing.
    """
    found: dict[str, tuple[TaskId, str]] = {}
    for removed in removals:
        is_author, ref = ref_of(removed)
        column = locations.c.author_ref if is_author else locations.c.post_ref
        query = sa.select(locations.c.id, locations.c.task_id).where(column == ref)
        _remember(connection, removed, column == ref)
        for row in connection.execute(query.where(locations.c.gone_at.is_(None))):
            found[row.id] = (row.task_id, reason_of(removed).removesuffix(AT_SOURCE))
    return _mark(connection, desk, found, now)


def mark_ended(
    connection: Connection, desk: Desk, posts: Iterable[PostKey], now: datetime
) -> Changed:
    """Mark what was decided after its source had said that it is gone."""
    query = (
        sa.select(locations.c.id, locations.c.task_id, outcomes.c.reason)
        .join(outcomes, outcomes.c.post_key == locations.c.post_key)
        .where(locations.c.post_key.in_(list(posts)), locations.c.gone_at.is_(None))
        .where(outcomes.c.outcome == Outcome.VANISHED)
        .where(outcomes.c.reason.endswith(AT_SOURCE, autoescape=True))
    )
    found = {
        row.id: (row.task_id, row.reason.removesuffix(AT_SOURCE))
        for row in connection.execute(query)
    }
    return _mark(connection, desk, found, now)


def mark_back(
    connection: Connection, desk: Desk, restored: Sequence[Restored], now: datetime
) -> Changed:
    """Mark what stands again since its author's account is back; its tasks reappear."""
    refs = [author_ref(one.network, one.author) for one in restored]
    mine = (locations.c.author_ref.in_(refs), _passes())
    owners = set(connection.scalars(sa.select(locations.c.task_id).where(*mine)))
    if not owners:
        return Changed()
    desk.database.lock(connection, SIGHTING_LOCK)
    back = connection.execute(
        sa.update(locations).where(*mine).values(gone_at=None, gone_reason=None)
    )
    query = sa.select(tasks).where(tasks.c.id.in_(owners), tasks.c.status.in_(REMOVED))
    returned = connection.execute(query.order_by(tasks.c.id)).all()
    for row in returned:
        turn = row.reappeared + 1
        _change(connection, row, now, status=TaskStatus.REAPPEARED, reappeared=turn)
        _announce(connection, desk, "task.reappeared", row, now, str(turn))
    return Changed(back=back.rowcount, tasks=tuple(TaskId(row.id) for row in returned))


def _passes() -> sa.ColumnElement[bool]:
    return locations.c.gone_reason.startswith(ACCOUNT, autoescape=True)


def _remember(connection: Connection, removed: Removed, mine: sa.ColumnElement[bool]) -> None:
    """Keep the last reason of what was gone with its account: a deleted post doesn't come back."""
    reason = reason_of(removed).removesuffix(AT_SOURCE)
    connection.execute(sa.update(locations).where(mine, _passes()).values(gone_reason=reason))


def _mark(
    connection: Connection, desk: Desk, found: dict[str, tuple[TaskId, str]], now: datetime
) -> Changed:
    if not found:
        return Changed()
    desk.database.lock(connection, SIGHTING_LOCK)
    for location, (_, reason) in found.items():
        connection.execute(
            sa.update(locations)
            .where(locations.c.id == location, locations.c.gone_at.is_(None))
            .values(gone_at=now, gone_reason=reason)
        )
    ended = _end_tasks(connection, desk, {task for task, _ in found.values()}, now)
    return Changed(gone=len(found), tasks=ended)


def _end_tasks(
    connection: Connection, desk: Desk, owners: set[TaskId], now: datetime
) -> tuple[TaskId, ...]:
    stands = (
        sa.select(locations.c.id)
        .where(locations.c.task_id == tasks.c.id, locations.c.gone_at.is_(None))
        .exists()
    )
    query = sa.select(tasks).where(tasks.c.id.in_(owners), tasks.c.status.in_(OPEN), ~stands)
    ended = connection.execute(query.order_by(tasks.c.id)).all()
    for row in ended:
        _change(connection, row, now, status=TaskStatus.REMOVED_AT_ORIGIN)
        _announce(connection, desk, "task.removed_at_origin", row, now, str(row.reappeared))
    return tuple(TaskId(row.id) for row in ended)


def _change(connection: Connection, row: Any, now: datetime, **values: Any) -> None:
    moment = max(row.updated_at, now)
    connection.execute(
        sa.update(tasks).where(tasks.c.id == row.id).values(updated_at=moment, **values)
    )


def _announce(
    connection: Connection, desk: Desk, kind: str, row: Any, now: datetime, turn: str
) -> None:
    event = Event(
        id=digest("outbox", kind, row.id, turn),
        kind=kind,
        task=TaskId(row.id),
        severity=Severity(row.severity),
        observed_at=row.observed_at,
        opened_at=row.opened_at,
        created_at=now,
    )
    announce(connection, desk.database, event, desk.endpoints, desk.console_link)
