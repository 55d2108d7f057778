"""Flood quarantine: a reference that sights too much, too unsurely, stops opening tasks by itself.

Nothing is lost: what it sights meanwhile is kept, and becomes tasks when the quarantine ends. What
is sure is never held by a flood's quarantine, so that a true spread is not silenced.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.database import Database
from monitors.tables import held_sightings, references, sighting_counters
from streams.settings import Settings
from streams.types import Decision, Match, Modality, PostKey, ReferenceId

SIGHTING_LOCK = 0x7461736B
"""PostgreSQL's advisory lock of whoever opens tasks, holds sightings or ends a quarantine; SQLite's
writer has it."""

SURE_CONFIDENCE = 0.999
"""From here on an alert is sure. One wrong in a thousand floods nobody."""

EXACT_SIMILARITY = 1 - 10 / 256
"""A perceptual hash at most 10 of 256 bits off. A third of the 31 that PDQ's authors take for
likeness (`gpu_kernels.search.NEAR_PDQ_DISTANCE`): a plain picture's chance hit shall not be one."""

KEEP_DISCARDED = timedelta(days=7)
"""Far longer than any record of a post is delivered again."""


class Reason(StrEnum):
    """Why a reference is in quarantine."""

    FLOOD = "flood"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineLimits:
    """When a reference floods, and for how long it is held then.

    Args:
        after_sightings: as many unsure sightings in the window are no flood yet.
        window_seconds: what is counted together.
        seconds: how long a quarantine lasts.
    """

    after_sightings: int = 50
    window_seconds: float = 3600.0
    seconds: float = 86_400.0

    @classmethod
    def from_settings(cls, settings: Settings) -> "QuarantineLimits":
        """Read the three settings."""
        return cls(
            after_sightings=settings.quarantine_after_sightings,
            window_seconds=settings.quarantine_window_seconds,
            seconds=settings.quarantine_seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One medium of one post, as a reference's flood is told by it.

    Args:
        reference: which sighted it.
        post: which.
        medium: its position in the post.
        bytes_key: the same for the same bytes; see `key_of_bytes`.
        host: registrable domain of the post.
        unsure: see `is_unsure`.
    """

    reference: ReferenceId
    post: PostKey
    medium: int
    bytes_key: str
    host: str
    unsure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A quarantine in force.

    Args:
        reason: why.
        until: when it ends by itself.
    """

    reason: Reason
    until: datetime

    def holds(self, match: Match) -> bool:
        """Say whether the match waits: in a flood's quarantine what is sure does not."""
        return self.reason is Reason.BY_HAND or is_unsure(match)


def is_unsure(match: Match) -> bool:
    """Say whether a match may be part of a flood: neither an exact hash nor a sure alert."""
    if match.decision is not Decision.ALERT:
        return True
    exact = any(
        one.modality is Modality.HASH and one.similarity >= EXACT_SIMILARITY
        for one in match.evidence
    )
    return not exact and match.confidence < SURE_CONFIDENCE


def key_of_bytes(sha256: str | None, url: str) -> str:
    """Name a medium's bytes, by its address where they are unknown."""
    return sha256 or hashlib.sha256(url.encode()).hexdigest()


def quarantines(
    connection: Connection, wanted: Collection[ReferenceId], now: datetime
) -> dict[ReferenceId, Quarantine | None]:
    """Tell which of the references exist, and which of them are in quarantine."""
    rows = connection.execute(
        sa.select(
            references.c.id, references.c.quarantined_until, references.c.quarantine_reason
        ).where(references.c.id.in_(sorted(set(wanted))))
    )
    return {
        ReferenceId(row.id): _in_force(row.quarantine_reason, row.quarantined_until, now)
        for row in rows
    }


def count_sighting(
    connection: Connection,
    database: Database,
    seen: Seen,
    limits: QuarantineLimits,
    now: datetime,
) -> Quarantine | None:
    """Count what a reference sighted, and put it into quarantine where that is a flood.

    A flood is more than `after_sightings` unsure sightings in the window, by posts and by pairs of
    bytes and host, and more of them unsure than sure: the median sighting is unsure. The same
    sighting again counts once. Call it under `SIGHTING_LOCK`, not while a quarantine is in force.

    Returns:
        The quarantine that begins with this sighting; None: there is no flood.
    """
    mine = sighting_counters.c.reference_id == seen.reference
    since = now - timedelta(seconds=limits.window_seconds)
    connection.execute(sa.delete(sighting_counters).where(mine, sighting_counters.c.at <= since))
    added = connection.execute(
        database.insert_new(sighting_counters).values(
            reference_id=seen.reference,
            post_key=seen.post,
            medium=seen.medium,
            bytes_key=seen.bytes_key,
            host=seen.host,
            unsure=seen.unsure,
            at=now,
        )
    )
    if not (added.rowcount and seen.unsure and _floods(connection, seen.reference, limits)):
        return None
    begun = Quarantine(reason=Reason.FLOOD, until=now + timedelta(seconds=limits.seconds))
    begin(connection, seen.reference, begun, now)
    return begun


def begin(
    connection: Connection, reference: ReferenceId, quarantine: Quarantine, now: datetime
) -> None:
    """Put a reference into quarantine; what is held for it already waits until the new end."""
    connection.execute(
        sa.update(references)
        .where(references.c.id == reference)
        .values(
            quarantined_at=now,
            quarantined_until=quarantine.until,
            quarantine_reason=quarantine.reason,
        )
    )
    _postpone(connection, reference, quarantine.until)


def end(connection: Connection, reference: ReferenceId, now: datetime) -> None:
    """End a quarantine: what is held is due at once, and counting begins anew."""
    connection.execute(
        sa.update(references)
        .where(references.c.id == reference)
        .values(quarantined_at=None, quarantined_until=None, quarantine_reason=None)
    )
    connection.execute(
        sa.delete(sighting_counters).where(sighting_counters.c.reference_id == reference)
    )
    _postpone(connection, reference, now)


def end_expired(connection: Connection, now: datetime) -> list[ReferenceId]:
    """End the quarantines whose time is over; tell whose."""
    over = connection.scalars(
        sa.select(references.c.id)
        .where(references.c.quarantined_until <= now)
        .order_by(references.c.id)
    ).all()
    for reference in over:
        end(connection, ReferenceId(reference), now)
    return [ReferenceId(reference) for reference in over]


def hold(
    connection: Connection, database: Database, values: Mapping[str, Any], until: datetime
) -> bool:
    """Keep a sighting until its quarantine ends; False where it is kept already, or was discarded.

    Args:
        connection: of `Database.write`.
        database: whose dialect to use.
        values: the columns of `held_sightings` but for its end.
        until: that end.
    """
    statement = database.insert_new(held_sightings).values(**values, held_until=until)
    return connection.execute(statement).rowcount == 1


def discard(connection: Connection, reference: ReferenceId, now: datetime) -> int:
    """Open no task for what is held; tell how many there were. Their addresses are forgotten."""
    return connection.execute(
        sa.update(held_sightings)
        .where(held_sightings.c.reference_id == reference, held_sightings.c.discarded_at.is_(None))
        .values(discarded_at=now, post_url="", media_url="", author=None, evidence=[])
    ).rowcount


def forget_discarded(connection: Connection, now: datetime) -> int:
    """Delete what was discarded long ago."""
    old = held_sightings.c.discarded_at <= now - KEEP_DISCARDED
    return connection.execute(sa.delete(held_sightings).where(old)).rowcount


def count_quarantined(connection: Connection, now: datetime) -> dict[Reason, int]:
    """Count the references in quarantine; every reason stands in it."""
    rows = connection.execute(
        sa.select(references.c.quarantine_reason, sa.func.count())
        .where(references.c.quarantined_until > now)
        .group_by(references.c.quarantine_reason)
    )
    return dict.fromkeys(Reason, 0) | {Reason(row[0]): int(row[1]) for row in rows}


def count_held(connection: Connection, reference: ReferenceId | None = None) -> int:
    """Count the sightings that wait, of one reference or of all."""
    query = sa.select(sa.func.count()).where(held_sightings.c.discarded_at.is_(None))
    if reference is not None:
        query = query.where(held_sightings.c.reference_id == reference)
    return int(connection.execute(query).scalar_one())


def _floods(connection: Connection, reference: ReferenceId, limits: QuarantineLimits) -> bool:
    pair = sighting_counters.c.bytes_key + "/" + sighting_counters.c.host
    query = (
        sa.select(
            sighting_counters.c.unsure,
            sa.func.count(sighting_counters.c.post_key.distinct()).label("posts"),
            sa.func.count(pair.distinct()).label("pairs"),
        )
        .where(sighting_counters.c.reference_id == reference)
        .group_by(sighting_counters.c.unsure)
    )
    counts = {bool(row.unsure): min(row.posts, row.pairs) for row in connection.execute(query)}
    unsure, sure = int(counts.get(True, 0)), int(counts.get(False, 0))
    return unsure > max(limits.after_sightings, sure)


def _postpone(connection: Connection, reference: ReferenceId, until: datetime) -> None:
    connection.execute(
        sa.update(held_sightings)
        .where(held_sightings.c.reference_id == reference, held_sightings.c.discarded_at.is_(None))
        .values(held_until=until)
    )


def _in_force(reason: str, until: datetime | None, now: datetime) -> Quarantine | None:
    if until is None or until <= now:
        return None
    return Quarantine(reason=Reason(reason), until=until)
