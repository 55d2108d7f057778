"""What a quarantine held: it becomes tasks when that ends, or is discarded by somebody."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alerts.tasks import Desk, Finding, Key, Opened, Place, lawful_ages, open_tasks
from monitors.audit import Detail
from monitors.cases import find_case
from monitors.enrolled import require_reference
from monitors.quarantine import (
    SIGHTING_LOCK,
    count_held,
    discard,
    end,
    end_expired,
    forget_discarded,
)
from monitors.register import CaseRegister
from monitors.tables import held_sightings, locations, references
from streams.types import CaseId, ReferenceId

_AT_ONCE = 200
"""Held sightings that one transaction releases: the decider waits for it."""

_PLACE = tuple(
    column.name
    for column in locations.columns
    if column.name not in {"id", "task_id", "gone_at", "gone_reason"}
)
"""The columns that locations and held sightings share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What a release did.

    Args:
        sightings: how many do not wait any more.
        opened: the tasks that hold them, in order; one may stand here more than once.
        references: whose quarantine ended by itself.
    """

    sightings: int = 0
    opened: tuple[Opened, ...] = ()
    references: tuple[ReferenceId, ...] = ()


def release_due(desk: Desk, now: datetime) -> Released:
    """End the quarantines whose time is over, and open the tasks of whatever is due. Blocks.

    A timer calls it; cut off, or called by several at once, it leaves nothing undone and nothing
    twice. What belongs to a case without a legal basis is dropped, as it would have been.

    Raises:
        DatabaseUnavailableError: what was not done yet is done next time.
    """
    with desk.database.write() as connection:
        desk.database.lock(connection, SIGHTING_LOCK)
        _lock_expired(connection, now)
        ended = end_expired(connection, now)
        forget_discarded(connection, now)
    return replace(_drain(desk, now, sa.true()), references=tuple(ended))


def release(
    desk: Desk, register: CaseRegister, case: str, reference: str, *, discarded: bool = False
) -> Released:
    """End a reference's quarantine; open the tasks of what it holds, or discard that. Audited.

    Cut off after its first transaction, `release_due` completes it.

    Raises:
        UnknownCaseError: there is no such case.
        UnknownReferenceError: it has no such reference.
    """
    now = register.clock.now()
    with desk.database.write() as connection:
        desk.database.lock(connection, SIGHTING_LOCK)
        owner = find_case(connection, case, lock=True).id
        found = require_reference(connection, owner, reference)
        count = discard(connection, found, now) if discarded else count_held(connection, found)
        end(connection, found, now)
        detail: Detail = {"reference": found, "held": count, "discarded": discarded}
        register.record(connection, "reference.release", owner, detail)
    return (
        Released(sightings=count)
        if discarded
        else _drain(desk, now, held_sightings.c.reference_id == found)
    )


def _lock_expired(connection: Connection, now: datetime) -> None:
    """Meet a withdrawal at the case, before the rows that it deletes."""
    over = sa.select(references.c.case_id).where(references.c.quarantined_until <= now).distinct()
    lawful_ages(connection, now, [CaseId(case) for case in connection.scalars(over)])


def _drain(desk: Desk, now: datetime, which: sa.ColumnElement[bool]) -> Released:
    """Open the tasks of whatever is due, some in each transaction."""
    count = 0
    opened: list[Opened] = []
    while True:
        with desk.database.write() as connection:
            released, tasks = _release_some(connection, desk, now, which)
        count += released
        opened += tasks
        if released < _AT_ONCE:
            return Released(sightings=count, opened=tuple(opened))


def _release_some(
    connection: Connection, desk: Desk, now: datetime, which: sa.ColumnElement[bool]
) -> tuple[int, tuple[Opened, ...]]:
    desk.database.lock(connection, SIGHTING_LOCK)
    due = sa.and_(
        held_sightings.c.held_until <= now, held_sightings.c.discarded_at.is_(None), which
    )
    oldest = (held_sightings.c.decided_at, held_sightings.c.id)
    query = sa.select(held_sightings).where(due).order_by(*oldest).limit(_AT_ONCE)
    found = connection.execute(query).all()
    ages = lawful_ages(connection, now, {CaseId(row.case_id) for row in found})
    # Again: a withdrawal may have come first, and taken its own away.
    mine = held_sightings.c.id.in_([row.id for row in found])
    rows = connection.execute(sa.select(held_sightings).where(mine).order_by(*oldest)).all()
    grouped: dict[Key, list[Place]] = {}
    for row in rows:
        grouped.setdefault(Key(row.case_id, row.content_id, row.host), []).append(_place(row))
    findings = [
        Finding(key=key, age_class=ages[key.case], places=tuple(grouped[key]))
        for key in sorted(grouped)
        if key.case in ages
    ]
    opened = open_tasks(connection, findings, desk, now)
    _delete(connection, [row.id for row in rows])
    return len(found), opened


def _place(row: sa.Row[Any]) -> Place:
    return Place(values={name: getattr(row, name) for name in _PLACE}, hits=row.keyword_hits)


def _delete(connection: Connection, ids: Sequence[str]) -> None:
    connection.execute(sa.delete(held_sightings).where(held_sightings.c.id.in_(ids)))
