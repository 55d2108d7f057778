"""Searches for a case: asked for by one action, carried out by a collector, read by everybody.

Every function runs in the caller's transaction and blocks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.cases import CaseStatus, lawful_case_ids, require_active
from monitors.database import Database
from monitors.source_tables import search_posts, search_sources, searches
from monitors.tables import cases, keyword_spellings, keywords, outcomes, references
from streams.types import CaseId, Outcome, PostKey

SearchId = NewType("SearchId", str)

LOOK_BACK = "lookback"
"""Stands among the sources of a search: what was seen already."""

LEASE_SECONDS = 10.0
"""A collector that died while it searched is replaced after so long."""

SETTLED_SECONDS = 5.0
"""References and keywords are often added one after another: a look-back waits for the last."""


class SearchState(StrEnum):
    """How far a search is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    """Everything found was inspected; `SourceState` says which sources answered wholly."""
    LATE = "late"
    """The deadline came first; what was found goes on being inspected."""
    STOPPED = "stopped"
    """The case's legal basis ended."""


class SourceState(StrEnum):
    """How far one source of a search is."""

    WAITING = "waiting"
    ASKING = "asking"
    ANSWERED = "answered"
    """All that was asked for was given."""
    PARTLY = "partly"
    """Some of it: `reason` says what is missing."""
    FAILED = "failed"


ANSWERED = frozenset({SourceState.ANSWERED, SourceState.PARTLY})
ENDED = frozenset({SearchState.DONE, SearchState.LATE, SearchState.STOPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search to be carried out.

    Args:
        id: random.
        case: whose references and keywords are looked for.
        sources: to be asked; empty: every enabled one, and what was seen.
        asked_at: when the one action was.
        deadline_at: when it ends, whatever is missing.
    """

    id: SearchId
    case: CaseId
    sources: tuple[str, ...]
    asked_at: datetime
    deadline_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceProgress:
    """How far one source is.

    Args:
        source: its name.
        state: see `SourceState`.
        reason: why it failed, or what is missing; snake_case.
        queries: questions for it.
        answered: of them, so many.
        found: posts that it gave, each once.
        ended_at: when its last answer came.
    """

    source: str
    state: SourceState
    reason: str | None = None
    queries: int = 0
    answered: int = 0
    found: int = 0
    ended_at: datetime | None = None


def ask(
    connection: Connection,
    name: str,
    *,
    actor: str,
    now: datetime,
    seconds: float,
    sources: Sequence[str] = (),
) -> Search:
    """Ask for a search; the caller writes it to the audit log.

    Raises:
        UnknownCaseError: there is no such case.
        CaseNotActiveError: it has no active legal basis.
    """
    case = require_active(connection, name, now)
    search = Search(
        id=SearchId(uuid4().hex),
        case=case.id,
        sources=tuple(sources),
        asked_at=now,
        deadline_at=now + timedelta(seconds=seconds),
    )
    connection.execute(
        sa.insert(searches).values(
            id=search.id,
            case_id=case.id,
            actor=actor,
            sources=list(sources),
            asked_at=now,
            deadline_at=search.deadline_at,
            state=SearchState.WAITING,
        )
    )
    return search


def ask_what_is_new(connection: Connection, *, actor: str, now: datetime, seconds: float) -> int:
    """Ask for a look-back for each case that got references or keywords since its last search.

    Returns:
        How many were asked for.
    """
    added = _additions().subquery()
    newest = sa.func.max(added.c.added_at, type_=references.c.added_at.type)
    last = (
        sa.select(sa.func.max(searches.c.asked_at))
        .where(searches.c.case_id == cases.c.id)
        .scalar_subquery()
    )
    query = (
        sa.select(cases.c.id)
        .join(added, added.c.case_id == cases.c.id)
        .where(cases.c.status == CaseStatus.OPEN)
        .group_by(cases.c.id)
        .having(newest <= now - timedelta(seconds=SETTLED_SECONDS))
        .having(newest > sa.func.coalesce(last, ""))
    )
    found = [CaseId(one) for one in connection.scalars(query)]
    lawful = lawful_case_ids(connection, now, found) if found else ()
    for case in lawful:
        ask(connection, case, actor=actor, now=now, seconds=seconds, sources=[LOOK_BACK])
    return len(lawful)


def take(connection: Connection, owner: str, now: datetime) -> Search | None:
    """Take the oldest search that nobody carries out, for `LEASE_SECONDS`; None: there is none."""
    waits = searches.c.leased_until.is_(None) | (searches.c.leased_until < now)
    query = (
        sa.select(searches)
        .where(searches.c.state.in_([SearchState.WAITING, SearchState.RUNNING]), waits)
        .order_by(searches.c.asked_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    connection.execute(
        sa.update(searches)
        .where(searches.c.id == row.id)
        .values(
            owner=owner,
            leased_until=now + timedelta(seconds=LEASE_SECONDS),
            state=SearchState.RUNNING,
        )
    )
    return Search(
        id=SearchId(row.id),
        case=CaseId(row.case_id),
        sources=tuple(row.sources),
        asked_at=row.asked_at,
        deadline_at=row.deadline_at,
    )


def hold(connection: Connection, search: SearchId, owner: str, now: datetime) -> bool:
    """Hold a search longer; False where another has it now."""
    result = connection.execute(
        sa.update(searches)
        .where(searches.c.id == search, searches.c.owner == owner)
        .values(leased_until=now + timedelta(seconds=LEASE_SECONDS))
    )
    return result.rowcount == 1


def end(connection: Connection, search: SearchId, state: SearchState, now: datetime) -> None:
    """Note how a search ended."""
    connection.execute(
        sa.update(searches)
        .where(searches.c.id == search)
        .values(state=state, ended_at=now, owner=None, leased_until=None)
    )


def note_source(
    connection: Connection, database: Database, search: SearchId, progress: SourceProgress
) -> None:
    """Note how far a source is."""
    key = {"search_id": search, "source": progress.source}
    values = {
        "state": progress.state,
        "reason": progress.reason,
        "queries": progress.queries,
        "answered": progress.answered,
        "found": progress.found,
        "ended_at": progress.ended_at,
    }
    connection.execute(database.insert_new(search_sources).values(**key, **values))
    connection.execute(
        sa.update(search_sources)
        .where(search_sources.c.search_id == search, search_sources.c.source == progress.source)
        .values(values)
    )


def add_posts(
    connection: Connection,
    database: Database,
    search: SearchId,
    source: str,
    keys: Iterable[PostKey],
    now: datetime,
) -> int:
    """Note what a source found; give how much of it no source of this search had found before."""
    rows = [
        {"search_id": search, "post_key": key, "source": source, "found_at": now}
        for key in dict.fromkeys(keys)
    ]
    statement = database.insert_new(search_posts)
    return sum(connection.execute(statement.values(row)).rowcount for row in rows)


def known_since(connection: Connection, case: CaseId) -> datetime | None:
    """Tell when a case last got something to look for: what was inspected before is stale."""
    added = _additions().subquery()
    newest = sa.func.max(added.c.added_at, type_=references.c.added_at.type)
    found: datetime | None = connection.scalar(sa.select(newest).where(added.c.case_id == case))
    return found


def _additions() -> sa.CompoundSelect[Any]:
    """Give what cases got, and when: references, keywords, and spellings that officers added."""
    spelt = keyword_spellings.join(keywords, keywords.c.id == keyword_spellings.c.keyword_id)
    return sa.union_all(
        sa.select(references.c.case_id, references.c.added_at),
        sa.select(keywords.c.case_id, keywords.c.added_at),
        sa.select(keywords.c.case_id, keyword_spellings.c.changed_at.label("added_at"))
        .select_from(spelt)
        .where(keyword_spellings.c.state == "added"),
    )


def settled(
    connection: Connection, keys: Iterable[PostKey], since: datetime | None
) -> set[PostKey]:
    """Tell which posts need no second look: inspected whole, after the case's last addition."""
    query = sa.select(outcomes.c.post_key).where(
        outcomes.c.post_key.in_(list(keys)),
        outcomes.c.outcome.in_([Outcome.CLEAR, Outcome.SIGHTED]),
        outcomes.c.reason.is_(None),
    )
    if since is not None:
        query = query.where(outcomes.c.observed_at > since)
    return {PostKey(key) for key in connection.scalars(query)}


def pending(connection: Connection, search: SearchId) -> int:
    """Count the posts of a search that have not ended."""
    query = (
        sa.select(sa.func.count())
        .select_from(search_posts)
        .outerjoin(outcomes, outcomes.c.post_key == search_posts.c.post_key)
        .where(search_posts.c.search_id == search, outcomes.c.post_key.is_(None))
    )
    return connection.execute(query).scalar_one()
