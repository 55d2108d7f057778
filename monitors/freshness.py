"""How each source is: when it was last heard, of which kinds of event, and what is wrong with it.

Every function runs in the caller's transaction and blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.database import Database
from monitors.source_tables import source_kinds, source_states
from monitors.tables import UtcTime
from streams.sources.source import EventKind

KIND_MISSING = "kind_missing"
CANARY_MISSING = "canary_missing"
SILENT = "silent"

BEHIND_SECONDS = 60.0
"""A source whose events are so old when they come eats a third of the 180 s of design.md."""

BEHIND = "behind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a source must give to be fresh.

    Args:
        silent_seconds: anything at all within so long.
        kinds: each of these kinds within so many seconds.
        canary_seconds: a canary must be seen so soon after it was sent.
    """

    silent_seconds: float = 60.0
    kinds: Mapping[EventKind, float] = field(default_factory=dict)
    canary_seconds: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a batch of a source's items tells of its freshness.

    Args:
        counts: events by kind.
        event_at: when the latest of them happened, as the source says; None where it does not.
    """

    counts: Mapping[EventKind, int]
    event_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How a source is.

    Args:
        source: its name.
        connected_at: since when it gives; None while it does not.
        heard_at: when anything came last.
        heard_seconds: how long that is ago; None where nothing ever came.
        lag_seconds: how old its latest event was when it came; None where it does not say.
        problem: why it does not give: a `StreamError`'s reason; None while it gives.
        problem_at: since when.
        retry_at: when it is tried again.
        missing: kinds of event that are overdue.
        troubles: everything that is wrong, the gravest first: `problem`, `silent`, `behind`,
            `kind_missing`, `canary_missing`.
        kinds: events of each kind, and when the last came.
    """

    source: str
    connected_at: datetime | None = None
    heard_at: datetime | None = None
    heard_seconds: float | None = None
    lag_seconds: float | None = None
    problem: str | None = None
    problem_at: datetime | None = None
    retry_at: datetime | None = None
    missing: tuple[EventKind, ...] = ()
    troubles: tuple[str, ...] = ()
    kinds: Mapping[EventKind, tuple[int, datetime]] = field(default_factory=dict)


def note_heard(
    connection: Connection, database: Database, source: str, heard: Heard, now: datetime
) -> None:
    """Note that something came: the source gives, whatever was wrong before.

    Where what came has no time, the last event's moves along: its lag stays what it was.
    """
    _ensure(connection, database, source)
    mine = source_states.c.source == source
    known = connection.execute(
        sa.select(source_states.c.heard_at, source_states.c.event_at).where(mine)
    ).one()
    event_at = heard.event_at
    if event_at is None and known.event_at is not None and known.heard_at is not None:
        event_at = known.event_at + max(now - known.heard_at, timedelta())
    connection.execute(
        sa.update(source_states)
        .where(mine)
        .values(
            heard_at=now,
            event_at=event_at,
            connected_at=sa.func.coalesce(source_states.c.connected_at, sa.literal(now, UtcTime())),
            problem=None,
            problem_at=None,
            retry_at=None,
        )
    )
    for kind, count in heard.counts.items():
        if count:
            _count(connection, database, source, kind, count, now)


def note_problem(
    connection: Connection,
    database: Database,
    source: str,
    reason: str,
    now: datetime,
    *,
    retry_at: datetime | None = None,
) -> None:
    """Note that a source does not give; `problem_at` is when that began."""
    _ensure(connection, database, source)
    mine = source_states.c.source == source
    known = connection.scalar(sa.select(source_states.c.problem_at).where(mine))
    connection.execute(
        sa.update(source_states)
        .where(mine)
        .values(problem=reason, problem_at=known or now, retry_at=retry_at, connected_at=None)
    )


def note_connecting(connection: Connection, source: str) -> None:
    """Note that a source is being connected: kinds of event are due from when it gives again on."""
    mine = source_states.c.source == source
    connection.execute(sa.update(source_states).where(mine).values(connected_at=None))


def note_canary(
    connection: Connection,
    database: Database,
    source: str,
    *,
    sent_at: datetime | None = None,
    seen_at: datetime | None = None,
) -> None:
    """Note that a canary was sent, or came back through the stream."""
    _ensure(connection, database, source)
    values: dict[str, Any] = {}
    if sent_at is not None:
        values["canary_sent_at"] = sent_at
    if seen_at is not None:
        values["canary_seen_at"] = seen_at
    connection.execute(
        sa.update(source_states).where(source_states.c.source == source).values(values)
    )


def last_heard(connection: Connection, source: str) -> datetime | None:
    """Tell when anything came from a source last; None: never."""
    query = sa.select(source_states.c.heard_at).where(source_states.c.source == source)
    return connection.scalar(query)


def has_times(connection: Connection, source: str) -> bool:
    """Tell whether a source ever said when something happened."""
    query = sa.select(source_states.c.event_at).where(source_states.c.source == source)
    return connection.scalar(query) is not None


def read_freshness(
    connection: Connection, expected: Mapping[str, Expectation], now: datetime
) -> list[Freshness]:
    """Tell how the sources are that were ever read or are expected, in the order of their names."""
    states = {row.source: row for row in connection.execute(sa.select(source_states))}
    kinds: dict[str, dict[EventKind, tuple[int, datetime]]] = {}
    for row in connection.execute(sa.select(source_kinds)):
        kinds.setdefault(row.source, {})[EventKind(row.kind)] = (row.events, row.last_at)
    return [
        _freshness(name, states.get(name), kinds.get(name, {}), expected.get(name), now)
        for name in sorted(states.keys() | expected.keys())
    ]


def _freshness(
    name: str,
    state: Any,
    kinds: Mapping[EventKind, tuple[int, datetime]],
    expected: Expectation | None,
    now: datetime,
) -> Freshness:
    if state is None:
        return Freshness(source=name, kinds=kinds)
    missing = _missing(state, kinds, expected, now)
    return Freshness(
        source=name,
        connected_at=state.connected_at,
        heard_at=state.heard_at,
        heard_seconds=_seconds(state.heard_at, now),
        lag_seconds=_seconds(state.event_at, state.heard_at),
        problem=state.problem,
        problem_at=state.problem_at,
        retry_at=state.retry_at,
        missing=missing,
        troubles=tuple(_troubles(state, missing, expected, now)),
        kinds=kinds,
    )


def _missing(
    state: Any,
    kinds: Mapping[EventKind, tuple[int, datetime]],
    expected: Expectation | None,
    now: datetime,
) -> tuple[EventKind, ...]:
    """Name the overdue kinds of a source that gives otherwise: a silent one lacks them all."""
    if expected is None or state.problem is not None or state.connected_at is None:
        return ()
    return tuple(
        kind
        for kind, seconds in expected.kinds.items()
        if now - max(state.connected_at, kinds[kind][1] if kind in kinds else state.connected_at)
        > timedelta(seconds=seconds)
    )


def _troubles(
    state: Any, missing: tuple[EventKind, ...], expected: Expectation | None, now: datetime
) -> list[str]:
    if state.problem is not None:
        return [state.problem]
    found = []
    if expected is not None and _exceeds(_seconds(state.heard_at, now), expected.silent_seconds):
        found.append(SILENT)
    if _exceeds(_seconds(state.event_at, state.heard_at), BEHIND_SECONDS):
        found.append(BEHIND)
    if missing:
        found.append(KIND_MISSING)
    if expected is not None and _exceeds(_canary_seconds(state, now), expected.canary_seconds):
        found.append(CANARY_MISSING)
    return found


def _canary_seconds(state: Any, now: datetime) -> float | None:
    """Tell how long a canary has been waited for; None where none is."""
    sent, seen = state.canary_sent_at, state.canary_seen_at
    waits = sent is not None and (seen is None or seen < sent)
    return _seconds(sent, now) if waits else None


def _exceeds(seconds: float | None, most: float) -> bool:
    return seconds is not None and seconds > most


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())


def _ensure(connection: Connection, database: Database, source: str) -> None:
    connection.execute(database.insert_new(source_states).values(source=source))


def _count(
    connection: Connection,
    database: Database,
    source: str,
    kind: EventKind,
    count: int,
    now: datetime,
) -> None:
    row = {"source": source, "kind": kind.value, "events": 0, "last_at": now}
    connection.execute(database.insert_new(source_kinds).values(row))
    connection.execute(
        sa.update(source_kinds)
        .where(source_kinds.c.source == source, source_kinds.c.kind == kind.value)
        .values(events=source_kinds.c.events + count, last_at=now)
    )
