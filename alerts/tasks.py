"""Takedown tasks: one a (case, canonical content, host), opened in the decider's transaction.

Every identifier is derived from what it names, and every write is an insert that gives way or a
rise that repeats itself harmlessly: the same sighting twice, late or at once leaves the same rows.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alerts.hosts import registrable_domain
from alerts.outbox import Event, announce
from alerts.severity import Severity, severity_of, worse
from monitors.cases import AgeClass, lawful_case_ids
from monitors.database import Database
from monitors.tables import cases, locations, tasks
from streams.types import (
    CaseId,
    ContentId,
    Decision,
    Evidence,
    Match,
    Modality,
    Outcome,
    Sighting,
    TaskId,
)

_TASK_LOCK = 0x7461736B  # PostgreSQL's advisory lock of whoever opens tasks; SQLite's writer has it

REASONS = {
    Modality.FRAME: "same picture by its embedding",
    Modality.HASH: "same picture by its perceptual hash",
    Modality.FACE: "same face",
    Modality.AUDIO: "same sound",
    Modality.VOICE: "same voice",
    Modality.SPEECH: "same words spoken",
    Modality.TEXT: "keywords of the case in the post's text",
}
"""What each modality says, in words that name nobody."""


class TaskStatus(StrEnum):
    """Where a task stands."""

    NEW = "new"
    CLOSED = "closed"
    VERIFIED_REMOVED = "verified_removed"
    REAPPEARED = "reappeared"


ENDED = frozenset({TaskStatus.CLOSED, TaskStatus.VERIFIED_REMOVED})
"""A new location of an ended task makes it reappear."""


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


class _Key(NamedTuple):
    """What a task is unique by. Sorted, so that two writers meet tasks in one order."""

    case: CaseId
    content: ContentId
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """One task's share of a sighting: the best match of each medium, by its index."""

    key: _Key
    severity: Severity
    hits: int
    matches: dict[int, Match]

    @property
    def decision(self) -> Decision:
        sure = any(match.decision is Decision.ALERT for match in self.matches.values())
        return Decision.ALERT if sure else Decision.REVIEW

    @property
    def confidence(self) -> float:
        return max(match.confidence for match in self.matches.values())


def record_sighting(
    connection: Connection,
    sighting: Sighting,
    *,
    database: Database,
    now: datetime,
    endpoints: int,
    console_link: str,
) -> tuple[Opened, ...]:
    """Open, raise or reopen the tasks of a sighting, and write what webhooks shall tell.

    Runs in the caller's write transaction: with it, all of it is kept or none. The legal basis of
    each case is read again here; a case without one gets nothing.

    Args:
        connection: of `database.write()`.
        sighting: as inspected; a second time changes nothing.
        database: whose dialect and lock to use.
        now: when it was decided.
        endpoints: how many webhook endpoints the settings name.
        console_link: the console's address, without a trailing slash.

    Returns:
        One for each task that holds the sighting, by case, content and host.
    """
    grouped = _group(sighting)
    if not grouped:
        return ()
    database.lock(connection, _TASK_LOCK)
    writer = _Writer(connection, sighting, database, now, endpoints, console_link)
    return tuple(writer.record(finding) for finding in _lawful(connection, sighting, grouped, now))


def task_id(case: str, content: str, host: str) -> TaskId:
    """Name a task by its key; the case's random id keeps outsiders from computing it."""
    return TaskId(_digest("task", case, content, host))


def location_id(task: str, post: str, medium: int) -> str:
    """Name a location."""
    return _digest("location", task, post, str(medium))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _group(sighting: Sighting) -> dict[_Key, dict[int, Match]]:
    """Sort the matches that somebody shall see by task and medium; the surest of each medium."""
    host = registrable_domain(sighting.post.url)
    grouped: dict[_Key, dict[int, Match]] = {}
    for result in sighting.results:
        if result.outcome is not Outcome.SIGHTED:
            continue
        for match in result.matches:
            if match.decision is Decision.NONE:
                continue
            media = grouped.setdefault(_Key(match.case, match.content, host), {})
            rival = media.get(result.index)
            if rival is None or match.confidence > rival.confidence:
                media[result.index] = match
    return grouped


def _lawful(
    connection: Connection,
    sighting: Sighting,
    grouped: dict[_Key, dict[int, Match]],
    now: datetime,
) -> list[_Finding]:
    lawful = lawful_case_ids(connection, now, {key.case for key in grouped})
    rows = connection.execute(
        sa.select(cases.c.id, cases.c.age_class).where(cases.c.id.in_(lawful))
    )
    ages = {CaseId(row.id): AgeClass(row.age_class) for row in rows}
    return [
        _finding(key, grouped[key], ages[key.case], _hits(sighting, key.case))
        for key in sorted(grouped)
        if key.case in ages
    ]


def _hits(sighting: Sighting, case: CaseId) -> int:
    return len({hit.keyword for hit in sighting.hits if hit.case == case})


def _finding(key: _Key, matches: dict[int, Match], age_class: AgeClass, hits: int) -> _Finding:
    severities = [
        severity_of(age_class, match.decision, keyword_hits=hits) for match in matches.values()
    ]
    return _Finding(
        key=key, severity=min(severities, key=lambda s: s.rank), hits=hits, matches=matches
    )


@dataclass(frozen=True, slots=True)
class _Writer:
    connection: Connection
    sighting: Sighting
    database: Database
    now: datetime
    endpoints: int
    console_link: str

    def record(self, finding: _Finding) -> Opened:
        task = task_id(*finding.key)
        is_new = self._insert(task, finding)
        added = sum(self._locate(task, index, finding) for index in sorted(finding.matches))
        if is_new:
            self._announce("task.opened", task, finding.severity, self.now)
            return Opened(task=task, severity=finding.severity, new=True)
        return Opened(task=task, severity=self._raise(task, finding, added), new=False)

    def _insert(self, task: TaskId, finding: _Finding) -> bool:
        statement = self.database.insert_new(tasks).values(
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
            observed_at=self.sighting.post.observed_at,
            reappeared=0,
        )
        return self.connection.execute(statement).rowcount == 1

    def _locate(self, task: TaskId, index: int, finding: _Finding) -> bool:
        post, match = self.sighting.post, finding.matches[index]
        result = next(one for one in self.sighting.results if one.index == index)
        statement = self.database.insert_new(locations).values(
            id=location_id(task, post.key, index),
            task_id=task,
            post_key=post.key,
            medium=index,
            source=post.source,
            post_id=post.id,
            post_url=post.url,
            media_url=post.media[index].url,
            author=post.author,
            media_sha256=result.sha256,
            reference_id=match.reference,
            confidence=match.confidence,
            decision=match.decision,
            evidence=_evidence(match, finding.hits),
            published_at=post.published_at,
            observed_at=post.observed_at,
            triaged_at=self.sighting.triaged_at,
            inspected_at=self.sighting.inspected_at,
            decided_at=self.now,
        )
        return self.connection.execute(statement).rowcount == 1

    def _raise(self, task: TaskId, finding: _Finding, added: int) -> Severity:
        """Lift a known task to this sighting's level; never lower it."""
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
            self._announce("task.reappeared", task, severity, row.opened_at, row.reappeared + 1)
        elif severity != row.severity:
            self._announce("task.severity_raised", task, severity, row.opened_at)
        return severity

    def _announce(
        self, kind: str, task: TaskId, severity: Severity, opened_at: datetime, turn: int = 0
    ) -> None:
        """Tell once: a task opens once, reaches each severity once, and returns in turns."""
        event = Event(
            id=_digest("outbox", kind, task, severity if kind.endswith("raised") else str(turn)),
            kind=kind,
            task=task,
            severity=severity,
            observed_at=self.sighting.post.observed_at,
            opened_at=opened_at,
            created_at=self.now,
        )
        announce(self.connection, self.database, event, self.endpoints, self.console_link)


def _surer(one: Decision, other: Decision) -> Decision:
    return Decision.ALERT if Decision.ALERT in (one, other) else one


def _evidence(match: Match, hits: int) -> list[dict[str, Any]]:
    """Put the evidence in numbers and words: no address, no text of the post, no picture."""
    said = [_said(one) for one in match.evidence]
    if hits:
        said.append(
            {
                "modality": Modality.TEXT,
                "reason": REASONS[Modality.TEXT],
                "keyword_hits": hits,
            }
        )
    return said


def _said(one: Evidence) -> dict[str, Any]:
    numbers = {
        "query_box": one.query_box,
        "query_span_seconds": one.query_span_seconds,
        "reference_span_seconds": one.reference_span_seconds,
    }
    present = {name: list(value) for name, value in numbers.items() if value is not None}
    return {
        "modality": one.modality,
        "similarity": one.similarity,
        "reason": REASONS[one.modality],
        **present,
        **({"space": one.space} if one.space else {}),
    }
