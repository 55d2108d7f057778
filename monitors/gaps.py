"""The gap ledger: when a source was not read, why, and whether that was made good.

Every function runs in the caller's transaction and blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from monitors.source_tables import gaps

MAX_KEPT = 10_000
"""Entries kept of each source: a source that breaks off every minute fills them in a week."""


class GapState(StrEnum):
    """What became of a gap."""

    OPEN = "open"
    """The source is away still, or gives what it missed just now."""
    REFILLED = "refilled"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch of time in which a source was not read.

    Args:
        id: in the order of their entry.
        source: whose.
        reason: snake_case: a `StreamError`'s reason, `stopped`, or what a source gave as `Missed`.
        from_at: when it was last heard before.
        to_at: when it gave again; None: not yet.
        state: what became of it.
    """

    id: int
    source: str
    reason: str
    from_at: datetime
    to_at: datetime | None
    state: GapState


def open_gap(connection: Connection, source: str, reason: str, from_at: datetime) -> int:
    """Enter a gap, or go on with the one that is open: a source that tries again has one."""
    known = _open_of(connection, source)
    if known is not None:
        connection.execute(sa.update(gaps).where(gaps.c.id == known).values(to_at=None))
        return known
    return _insert(connection, source, reason, from_at, None, GapState.OPEN)


def end_gap(connection: Connection, source: str, to_at: datetime) -> Gap | None:
    """Note that a source gives again; give its open gap, None where there is none."""
    known = _open_of(connection, source)
    if known is None:
        return None
    mine = gaps.c.id == known
    connection.execute(sa.update(gaps).where(mine, gaps.c.to_at.is_(None)).values(to_at=to_at))
    return _gap(connection.execute(sa.select(gaps).where(mine)).mappings().one())


def settle_gap(
    connection: Connection, gap: int, state: GapState, *, reason: str | None = None
) -> None:
    """Note what became of a gap. What was lost stays lost.

    Args:
        connection: in a transaction.
        gap: its identifier.
        state: what became of it.
        reason: why it was lost, where that is another reason than that of the interruption.
    """
    values = {"state": state} if reason is None else {"state": state, "reason": reason[:64]}
    connection.execute(
        sa.update(gaps).where(gaps.c.id == gap, gaps.c.state != GapState.LOST).values(values)
    )


def enter_gap(
    connection: Connection,
    source: str,
    reason: str,
    from_at: datetime,
    to_at: datetime,
    state: GapState,
) -> int:
    """Enter a gap that is over."""
    return _insert(connection, source, reason, min(from_at, to_at), to_at, state)


def list_gaps(connection: Connection, *, source: str | None = None, limit: int = 100) -> list[Gap]:
    """List gaps, the newest first."""
    query = sa.select(gaps).order_by(gaps.c.id.desc()).limit(limit)
    if source is not None:
        query = query.where(gaps.c.source == source)
    return [_gap(row) for row in connection.execute(query).mappings()]


def count_gaps(connection: Connection) -> Mapping[tuple[str, GapState], int]:
    """Count the gaps of each source by state."""
    columns = (gaps.c.source, gaps.c.state)
    rows = connection.execute(sa.select(*columns, sa.func.count()).group_by(*columns))
    return {(row[0], GapState(row[1])): row[2] for row in rows}


def _open_of(connection: Connection, source: str) -> int | None:
    query = (
        sa.select(gaps.c.id)
        .where(gaps.c.source == source, gaps.c.state == GapState.OPEN)
        .order_by(gaps.c.id.desc())
        .limit(1)
    )
    return connection.scalar(query)


def _insert(
    connection: Connection,
    source: str,
    reason: str,
    from_at: datetime,
    to_at: datetime | None,
    state: GapState,
) -> int:
    values = {"source": source, "reason": reason[:64], "from_at": from_at, "to_at": to_at}
    result = connection.execute(sa.insert(gaps).values(**values, state=state))
    [number] = result.inserted_primary_key or (0,)
    _forget_oldest(connection, source)
    return int(number)


def _forget_oldest(connection: Connection, source: str) -> None:
    mine = sa.select(gaps.c.id).where(gaps.c.source == source).order_by(gaps.c.id.desc())
    last = connection.scalar(mine.offset(MAX_KEPT).limit(1))
    if last is not None:
        connection.execute(sa.delete(gaps).where(gaps.c.source == source, gaps.c.id <= last))


def _gap(row: RowMapping) -> Gap:
    return Gap(**{**row, "state": GapState(row["state"])})
