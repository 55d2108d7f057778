"""Tasks as officers read them: lists without an address, one task with its locations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alerts.severity import Severity
from alerts.tasks import TaskStatus
from monitors.tables import deliveries, locations, outbox, tasks
from streams.types import CaseId, ContentId, Decision, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSummary:
    """A task without anything that leads to the footage.

    Args:
        id: which.
        case: whose; never the alias.
        content: the reference group.
        host: the service's registrable domain.
        status: see `TaskStatus`.
        severity: see `Severity`.
        decision: the surest of its locations.
        confidence: the highest of its locations.
        opened_at: aware UTC, as are all.
        updated_at: when a location was added, or a level rose.
        observed_at: of the first sighting.
        reappeared: how often it came back after its end.
        locations: how many.
    """

    id: TaskId
    case: CaseId
    content: ContentId
    host: str
    status: TaskStatus
    severity: Severity
    decision: Decision
    confidence: float
    opened_at: datetime
    updated_at: datetime
    observed_at: datetime
    reappeared: int
    locations: int

    @property
    def observed_to_opened_seconds(self) -> float:
        """Tell how long the pipeline took: what the SLA bounds."""
        return (self.opened_at - self.observed_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """One medium of one post that holds a task's content; `post_url` and `media_url` lead there."""

    id: str
    source: str
    medium: int
    post_url: str
    media_url: str
    author: str | None
    media_sha256: str | None
    reference: str
    confidence: float
    decision: Decision
    evidence: Sequence[Mapping[str, Any]]
    published_at: datetime | None
    observed_at: datetime
    triaged_at: datetime
    inspected_at: datetime
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks; None: all."""

    status: TaskStatus | None = None
    severity: Severity | None = None


def list_tasks(
    connection: Connection, wanted: TaskFilter, *, limit: int, offset: int = 0
) -> tuple[TaskSummary, ...]:
    """Read tasks: the most urgent first, among equals the newest."""
    rank = sa.case({severity.value: severity.rank for severity in Severity}, value=tasks.c.severity)
    query = (
        _summaries()
        .where(*_conditions(wanted))
        .order_by(rank, tasks.c.opened_at.desc(), tasks.c.id)
        .limit(limit)
        .offset(offset)
    )
    return tuple(_summary(row) for row in connection.execute(query))


def count_tasks(connection: Connection, wanted: TaskFilter) -> int:
    """Count what `list_tasks` would read without a limit."""
    query = sa.select(sa.func.count()).select_from(tasks).where(*_conditions(wanted))
    return int(connection.execute(query).scalar_one())


def read_task(connection: Connection, task: str) -> TaskSummary | None:
    """Read one task; None where there is none."""
    row = connection.execute(_summaries().where(tasks.c.id == task)).one_or_none()
    return None if row is None else _summary(row)


def read_locations(
    connection: Connection, task: str, *, limit: int = 200, offset: int = 0
) -> tuple[Location, ...]:
    """Read a task's locations, the newest first. The caller writes who read them to the audit."""
    query = (
        sa.select(locations)
        .where(locations.c.task_id == task)
        .order_by(locations.c.decided_at.desc(), locations.c.id)
        .limit(limit)
        .offset(offset)
    )
    return tuple(_location(row) for row in connection.execute(query))


def notified_at(connection: Connection, task: str) -> datetime | None:
    """Tell when the first webhook about a task reached anybody; None: not yet."""
    first = sa.select(sa.func.min(deliveries.c.delivered_at)).join(
        outbox, outbox.c.id == deliveries.c.outbox_id
    )
    found: datetime | None = connection.scalar(first.where(outbox.c.task_id == task))
    return found


def tasks_by_status(connection: Connection) -> dict[str, int]:
    """Count tasks; every status stands in it."""
    return {status.value: 0 for status in TaskStatus} | _counted(connection, tasks.c.status)


def deliveries_by_status(connection: Connection) -> dict[str, int]:
    """Count webhook deliveries; every status stands in it."""
    return dict.fromkeys(("pending", "sent", "dead"), 0) | _counted(connection, deliveries.c.status)


def visible(text: str) -> str:
    """Write what a stranger wrote so that it neither steers a terminal nor turns or hides itself.

    An address stays the same address: what is not printable is percent-encoded.
    """
    return "".join(char if char.isprintable() else quote(char) for char in text)


def _counted(connection: Connection, column: sa.Column[Any]) -> dict[str, int]:
    query = sa.select(column, sa.func.count()).group_by(column)
    return {str(row[0]): int(row[1]) for row in connection.execute(query)}


def _conditions(wanted: TaskFilter) -> list[sa.ColumnElement[bool]]:
    chosen = ((tasks.c.status, wanted.status), (tasks.c.severity, wanted.severity))
    return [column == value.value for column, value in chosen if value is not None]


def _summaries() -> sa.Select[Any]:
    count = sa.select(sa.func.count()).where(locations.c.task_id == tasks.c.id)
    return sa.select(tasks, count.scalar_subquery().label("locations"))


def _summary(row: sa.Row[Any]) -> TaskSummary:
    return TaskSummary(
        id=row.id,
        case=row.case_id,
        content=row.content_id,
        host=row.host,
        status=TaskStatus(row.status),
        severity=Severity(row.severity),
        decision=Decision(row.decision),
        confidence=row.confidence,
        opened_at=row.opened_at,
        updated_at=row.updated_at,
        observed_at=row.observed_at,
        reappeared=row.reappeared,
        locations=row.locations,
    )


def _location(row: sa.Row[Any]) -> Location:
    return Location(
        id=row.id,
        source=row.source,
        medium=row.medium,
        post_url=row.post_url,
        media_url=row.media_url,
        author=row.author,
        media_sha256=row.media_sha256,
        reference=row.reference_id,
        confidence=row.confidence,
        decision=Decision(row.decision),
        evidence=row.evidence,
        published_at=row.published_at,
        observed_at=row.observed_at,
        triaged_at=row.triaged_at,
        inspected_at=row.inspected_at,
        decided_at=row.decided_at,
    )
