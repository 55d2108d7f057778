"""Takedown tasks: one a (case, canonical content, host), opened in the decider's transaction.

Every identifier is derived from what it names, and every write is an insert that gives way or a
rise that repeats itself harmlessly: the same sighting twice, late or at once leaves the same rows.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alerts.evidence import nudity_in
from alerts.outbox import Event, announce
from alerts.severity import Severity, severity_of, worse
from monitors.cases import AgeClass, lawful_case_ids
from monitors.database import Database
from monitors.quarantine import QuarantineLimits
from monitors.tables import cases, locations, tasks
from streams.types import CaseId, ContentId, Decision, TaskId


class TaskStatus(StrEnum):
    """Where a task stands."""

    NEW = "new"
    CLOSED = "closed"
    REMOVED_AT_ORIGIN = "removed_at_origin"
    """The sources say that nothing of it stands any more."""
    VERIFIED_REMOVED = "verified_removed"
    REAPPEARED = "reappeared"


ENDED = frozenset({TaskStatus.CLOSED, TaskStatus.REMOVED_AT_ORIGIN, TaskStatus.VERIFIED_REMOVED})
"""A new location of an ended task makes it reappear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where tasks are opened: the same for every sighting of a process.

    Args:
        database: whose dialect and lock to use.
        endpoints: how many webhook endpoints the settings name.
        console_link: the console's address, without a trailing slash.
        limits: when a reference floods.
    """

    database: Database
    endpoints: int
    console_link: str
    limits: QuarantineLimits = field(default_factory=QuarantineLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A task that holds a sighting.

    Args:
        task: which.
        severity: its own, which may be worse than this sighting's.
        new: whether this sighting opened it.
    """

    task: TaskId
    severity: Severity
    new: bool


class Key(NamedTuple):
    """What a task is unique by. Sorted, so that two writers meet tasks in one order."""

    case: CaseId
    content: ContentId
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One medium of one post: the columns of `locations` and `held_sightings` alike.

    Args:
        values: those columns, by name.
        hits: keywords of the case in the post's text.
    """

    values: Mapping[str, Any]
    hits: int

    @property
    def decision(self) -> Decision:
        """Say what was decided about it."""
        return Decision(self.values["decision"])

    @property
    def nudity(self) -> float | None:
        """Give the estimate of what matched there; None where there is none."""
        return nudity_in(self.values["evidence"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One task's places.

    Args:
        key: whose they are.
        age_class: of the case.
        places: at least one.
    """

    key: Key
    age_class: AgeClass
    places: tuple[Place, ...]

    @property
    def severity(self) -> Severity:
        """Give the worst of the places'."""
        levels = (
            severity_of(
                self.age_class, place.decision, keyword_hits=place.hits, nudity=place.nudity
            )
            for place in self.places
        )
        return min(levels, key=lambda severity: severity.rank)

    @property
    def decision(self) -> Decision:
        """Give the surest of the places'."""
        sure = any(place.decision is Decision.ALERT for place in self.places)
        return Decision.ALERT if sure else Decision.REVIEW

    @property
    def confidence(self) -> float:
        """Give the highest of the places'."""
        return max(float(place.values["confidence"]) for place in self.places)

    @property
    def observed_at(self) -> datetime:
        """Tell when the first of the places was observed."""
        moments: list[datetime] = [place.values["observed_at"] for place in self.places]
        return min(moments)


def open_tasks(
    connection: Connection, findings: Iterable[Finding], desk: Desk, now: datetime
) -> tuple[Opened, ...]:
    """Open, raise or reopen tasks, and write what webhooks shall tell.

    Runs in the caller's write transaction, under `SIGHTING_LOCK`: with it, all of it is kept or
    none.

    Args:
        connection: of `database.write()`.
        findings: of lawful cases, sorted by key; a second time they change nothing.
        desk: where.
        now: when the tasks open.
    """
    writer = _Writer(connection, desk, now)
    return tuple(writer.record(finding) for finding in findings)


def lawful_ages(
    connection: Connection, now: datetime, wanted: Iterable[CaseId]
) -> dict[CaseId, AgeClass]:
    """Give the age class of each case that may be acted upon; keep that true in this transaction.

    See `monitors.cases.lawful_case_ids`.
    """
    lawful = lawful_case_ids(connection, now, wanted)
    rows = connection.execute(
        sa.select(cases.c.id, cases.c.age_class).where(cases.c.id.in_(lawful))
    )
    return {CaseId(row.id): AgeClass(row.age_class) for row in rows}


def task_id(case: str, content: str, host: str) -> TaskId:
    """Name a task by its key; the case's random id keeps outsiders from computing it."""
    return TaskId(digest("task", case, content, host))


def location_id(task: str, post: str, medium: int) -> str:
    """Name a location."""
    return digest("location", task, post, str(medium))


def digest(*parts: str) -> str:
    """Name something by what it is: 32 hex digits."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Writer:
    connection: Connection
    desk: Desk
    now: datetime

    def record(self, finding: Finding) -> Opened:
        task = task_id(*finding.key)
        is_new = self._insert(task, finding)
        added = sum(self._locate(task, place) for place in finding.places)
        if is_new:
            self._announce("task.opened", task, finding, finding.severity, self.now)
            return Opened(task=task, severity=finding.severity, new=True)
        return Opened(task=task, severity=self._raise(task, finding, added), new=False)

    def _insert(self, task: TaskId, finding: Finding) -> bool:
        statement = self.desk.database.insert_new(tasks).values(
            id=task,
            case_id=finding.key.case,
            content_id=finding.key.content,
            host=finding.key.host,
            status=TaskStatus.NEW,
            severity=finding.severity,
            decision=finding.decision,
            confidence=finding.confidence,
            opened_at=self.now,
            updated_at=self.now,
            observed_at=finding.observed_at,
            reappeared=0,
        )
        return self.connection.execute(statement).rowcount == 1

    def _locate(self, task: TaskId, place: Place) -> bool:
        name = location_id(task, place.values["post_key"], place.values["medium"])
        statement = self.desk.database.insert_new(locations).values(
            id=name, task_id=task, **place.values
        )
        return self.connection.execute(statement).rowcount == 1 or self._stands_again(name, place)

    def _stands_again(self, name: str, place: Place) -> bool:
        """Tell whether a known location was gone, and was seen again since."""
        was_gone = locations.c.gone_at < place.values["observed_at"]
        back = (
            sa.update(locations)
            .where(locations.c.id == name, was_gone)
            .values(gone_at=None, gone_reason=None)
        )
        return self.connection.execute(back).rowcount == 1

    def _raise(self, task: TaskId, finding: Finding, added: int) -> Severity:
        """Lift a known task to this finding's level; never lower it."""
        row = self.connection.execute(
            sa.select(tasks).where(tasks.c.id == task).with_for_update()
        ).one()
        severity = worse(Severity(row.severity), finding.severity)
        is_back = added > 0 and row.status in ENDED
        changes: dict[str, Any] = {
            "severity": severity,
            "decision": _surer(Decision(row.decision), finding.decision),
            "confidence": max(row.confidence, finding.confidence),
            "status": TaskStatus.REAPPEARED if is_back else row.status,
            "reappeared": row.reappeared + is_back,
        }
        if added or any(value != getattr(row, name) for name, value in changes.items()):
            changes["updated_at"] = max(row.updated_at, self.now)
            self.connection.execute(sa.update(tasks).where(tasks.c.id == task).values(changes))
        if is_back:
            turn = row.reappeared + 1
            self._announce("task.reappeared", task, finding, severity, row.opened_at, turn)
        elif severity != row.severity:
            self._announce("task.severity_raised", task, finding, severity, row.opened_at)
        return severity

    def _announce(
        self,
        kind: str,
        task: TaskId,
        finding: Finding,
        severity: Severity,
        opened_at: datetime,
        turn: int = 0,
    ) -> None:
        """Tell once: a task opens once, reaches each severity once, and returns in turns."""
        event = Event(
            id=digest("outbox", kind, task, severity if kind.endswith("raised") else str(turn)),
            kind=kind,
            task=task,
            severity=severity,
            observed_at=finding.observed_at,
            opened_at=opened_at,
            created_at=self.now,
        )
        desk = self.desk
        announce(self.connection, desk.database, event, desk.endpoints, desk.console_link)


def _surer(one: Decision, other: Decision) -> Decision:
    return Decision.ALERT if Decision.ALERT in (one, other) else one
