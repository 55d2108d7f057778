"""How far a search is, and what it found: for the command, the console and metrics.

Every function runs in the caller's transaction and blocks.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.searches import ANSWERED, SearchId, SearchState, SourceProgress, SourceState
from monitors.source_tables import search_posts, search_sources, searches
from monitors.tables import locations, outcomes, tasks
from streams.types import CaseId


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTask:
    """A task that holds something the search found. No address: see `alerts.reading`."""

    task: str
    host: str
    status: str
    severity: str
    confidence: float
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a search is.

    Args:
        id: whose.
        case: whose.
        state: see `SearchState`.
        asked_at: when the one action was.
        deadline_at: when it ends.
        ended_at: when it did.
        sources: each in turn.
        posts: found by any source, each once.
        inspected: of them, how many have ended.
        outcomes: how they ended.
        tasks: those that hold any of them; `new` where the search came before the task.
    """

    id: SearchId
    case: CaseId
    state: SearchState
    asked_at: datetime
    deadline_at: datetime
    ended_at: datetime | None
    sources: tuple[SourceProgress, ...]
    posts: int
    inspected: int
    outcomes: Mapping[str, int]
    tasks: tuple[FoundTask, ...]

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""
        return None if self.ended_at is None else (self.ended_at - self.asked_at).total_seconds()


def list_searches(connection: Connection, case: CaseId, *, limit: int = 20) -> list[SearchId]:
    """List a case's searches, the newest first."""
    query = (
        sa.select(searches.c.id)
        .where(searches.c.case_id == case)
        .order_by(searches.c.asked_at.desc())
        .limit(limit)
    )
    return [SearchId(one) for one in connection.scalars(query)]


def read_progress(connection: Connection, search: str) -> Progress | None:
    """Tell how far a search is; None where there is none of this identifier."""
    row = connection.execute(sa.select(searches).where(searches.c.id == search)).one_or_none()
    if row is None:
        return None
    ends = _ends(connection, search)
    return Progress(
        id=SearchId(row.id),
        case=CaseId(row.case_id),
        state=SearchState(row.state),
        asked_at=row.asked_at,
        deadline_at=row.deadline_at,
        ended_at=row.ended_at,
        sources=_sources(connection, search),
        posts=sum(ends.values()),
        inspected=sum(count for outcome, count in ends.items() if outcome is not None),
        outcomes={outcome: count for outcome, count in ends.items() if outcome is not None},
        tasks=_tasks(connection, search, row),
    )


def as_json_row(progress: Progress) -> dict[str, Any]:
    """Write how far a search is as one JSON object."""
    answered = sum(one.state in ANSWERED for one in progress.sources)
    return {
        "search": progress.id,
        "case": progress.case,
        "state": progress.state,
        "asked_at": progress.asked_at.isoformat(),
        "deadline_at": progress.deadline_at.isoformat(),
        "seconds": progress.seconds,
        "answered": answered,
        "sources": [
            {
                "source": one.source,
                "state": one.state,
                "reason": one.reason,
                "queries": one.queries,
                "answered": one.answered,
                "posts": one.found,
            }
            for one in progress.sources
        ],
        "posts": progress.posts,
        "inspected": progress.inspected,
        "outcomes": dict(progress.outcomes),
        "tasks": [asdict(task) for task in progress.tasks],
    }


def _sources(connection: Connection, search: str) -> tuple[SourceProgress, ...]:
    query = (
        sa.select(search_sources)
        .where(search_sources.c.search_id == search)
        .order_by(search_sources.c.source)
    )
    return tuple(
        SourceProgress(
            source=row.source,
            state=SourceState(row.state),
            reason=row.reason,
            queries=row.queries,
            answered=row.answered,
            found=row.found,
            ended_at=row.ended_at,
        )
        for row in connection.execute(query)
    )


def _ends(connection: Connection, search: str) -> dict[str | None, int]:
    query = (
        sa.select(outcomes.c.outcome, sa.func.count())
        .select_from(search_posts)
        .outerjoin(outcomes, outcomes.c.post_key == search_posts.c.post_key)
        .where(search_posts.c.search_id == search)
        .group_by(outcomes.c.outcome)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _tasks(connection: Connection, search: str, row: Any) -> tuple[FoundTask, ...]:
    query = (
        sa.select(tasks)
        .where(tasks.c.case_id == row.case_id)
        .where(
            tasks.c.id.in_(
                sa.select(locations.c.task_id).join(
                    search_posts,
                    (search_posts.c.post_key == locations.c.post_key)
                    & (search_posts.c.search_id == search),
                )
            )
        )
        .order_by(tasks.c.confidence.desc(), tasks.c.id)
    )
    return tuple(
        FoundTask(
            task=one.id,
            host=one.host,
            status=one.status,
            severity=one.severity,
            confidence=one.confidence,
            new=one.opened_at >= row.asked_at,
        )
        for one in connection.execute(query)
    )
