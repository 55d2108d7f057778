"""Fingerprints that wait to be filed in the look-back's store.

Workers write them with the posts that they are of, in one transaction; one process files them. So
no worker waits for the store, and what was inspected is looked back upon whatever dies in between.
Every function runs in the caller's transaction and blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.lookback import SeenFingerprint
from monitors.source_tables import seen_views
from streams.types import PostKey


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waiting:
    """A fingerprint that waits.

    Args:
        id: in the order of their entry.
        space: its vector space.
        seen: the fingerprint, in half precision.
    """

    id: int
    space: str
    seen: SeenFingerprint


def put(connection: Connection, space: str, seen: Sequence[SeenFingerprint]) -> None:
    """Let fingerprints of one space wait."""
    if seen:
        connection.execute(sa.insert(seen_views), [_row(space, one) for one in seen])


def take(connection: Connection, limit: int) -> list[Waiting]:
    """Give what waits, the oldest first; it waits until `drop`."""
    query = sa.select(seen_views).order_by(seen_views.c.id).limit(limit)
    return [
        Waiting(
            id=row.id,
            space=row.space,
            seen=SeenFingerprint(
                post=PostKey(row.post_key),
                medium=row.medium,
                at_seconds=row.at_seconds,
                vector=np.frombuffer(row.vector, "<f2").astype(np.float32),
                pdq=row.pdq,
                observed_at=row.observed_at,
            ),
        )
        for row in connection.execute(query)
    ]


def drop(connection: Connection, filed: Sequence[Waiting]) -> int:
    """Remove what was filed; give how many. Others may have been put between them meanwhile."""
    ids = [one.id for one in filed]
    return connection.execute(sa.delete(seen_views).where(seen_views.c.id.in_(ids))).rowcount


def forget(connection: Connection, before: datetime) -> int:
    """Remove what was observed before that; give how many."""
    old = seen_views.c.observed_at < before
    return connection.execute(sa.delete(seen_views).where(old)).rowcount


def count(connection: Connection) -> int:
    """Count what waits."""
    return connection.execute(sa.select(sa.func.count()).select_from(seen_views)).scalar_one()


def _row(space: str, one: SeenFingerprint) -> dict[str, object]:
    return {
        "post_key": one.post,
        "medium": one.medium,
        "space": space,
        "at_seconds": one.at_seconds,
        "vector": one.vector.astype("<f2").tobytes(),
        "pdq": one.pdq,
        "observed_at": one.observed_at,
    }
