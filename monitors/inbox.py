"""The inbox: every post from its arrival to its one outcome.

A source's posts are written here before anything is produced, and the step that ends a post writes
its outcome and deletes its row in one transaction. So the broker is never the only memory:
whatever it, or Faust's acknowledgements, lose is still here and is produced again.

Every function runs in the caller's transaction and blocks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.engine import Connection

from monitors.tables import cursors, inbox, outcomes
from streams.errors import InvalidMessageError, OversizedMessageError
from streams.refs import refs_of
from streams.schemas import MAX_POST_BYTES, PostRecord, explain
from streams.sources.source import Accepted
from streams.types import Outcome, Post, PostKey, PostOutcome

ENVELOPE_BYTES = 1024
"""What a `PostRecord` holds besides the post that a source handed in: its name and a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A post as it arrives.

    Args:
        post: the post.
        payload: its `PostRecord`, see `payload_of`.
        cursor: from where its source would give it again; None: from its beginning, or never.
    """

    post: Post
    payload: bytes
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A row to be produced.

    Args:
        key: of the post, and of its records on the topics.
        payload: a `PostRecord`.
    """

    key: PostKey
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How much has not ended.

    Args:
        posts: rows.
        oldest_at: when the oldest of them was observed; None where there is none.
    """

    posts: int
    oldest_at: datetime | None


def payload_of(post: Post) -> bytes:
    """Write a post as the inbox keeps it and `haechi.posts.v1` carries it.

    Raises:
        OversizedMessageError: more than `MAX_POST_BYTES`, the envelope apart.
        InvalidMessageError: the post breaks the canonical schema.
    """
    try:
        payload = PostRecord.from_domain(post).to_bytes()
    except ValidationError as error:
        raise InvalidMessageError(explain(error)) from None
    if len(payload) > MAX_POST_BYTES + ENVELOPE_BYTES:
        raise OversizedMessageError(f"{len(payload)} bytes")
    return payload


def add(connection: Connection, arrivals: Sequence[Arrival], *, again: bool = False) -> Accepted:
    """Store what is new; a post that waits or has ended already is a duplicate.

    Args:
        connection: in a transaction.
        arrivals: as they came.
        again: look once more at posts that have ended: their outcome is forgotten, and they get
            another. What they opened stays, for its names are derived from theirs.
    """
    first = {arrival.post.key: arrival for arrival in reversed(arrivals)}
    if again and first:
        connection.execute(sa.delete(outcomes).where(outcomes.c.post_key.in_(list(first))))
        _hasten(connection, first)
    ended = _present(connection, outcomes.c.post_key, first)
    rows = [_row(arrival) for key, arrival in first.items() if key not in ended]
    rows.reverse()
    new = _insert_new(connection, inbox, rows)
    return Accepted(accepted=len(new), duplicates=len(arrivals) - len(new))


def _hasten(connection: Connection, keys: Iterable[PostKey]) -> None:
    """Put waiting posts before the others: a search asks for them now."""
    connection.execute(
        sa.update(inbox)
        .where(inbox.c.post_key.in_(list(keys)), inbox.c.attempts == 0)
        .values(urgent=True)
    )


def take_due(
    connection: Connection,
    now: datetime,
    *,
    limit: int,
    older_than: datetime | None = None,
) -> list[Due]:
    """Give rows to produce, those of searches and then the oldest first.

    Those that are put off beyond `now` are passed over.

    Args:
        connection: in a transaction.
        now: the time.
        limit: at most so many.
        older_than: rows produced before it are due again; None: only rows never produced, or put
            off and now due.
    """
    fresh = inbox.c.produced_at.is_(None)
    due = fresh if older_than is None else fresh | (inbox.c.produced_at <= older_than)
    waited = inbox.c.not_before.is_(None) | (inbox.c.not_before <= now)
    query = (
        sa.select(inbox.c.post_key, inbox.c.payload)
        .where(due, waited)
        .order_by(inbox.c.urgent.desc(), inbox.c.observed_at)
        .limit(limit)
    )
    return [
        Due(key=PostKey(row.post_key), payload=bytes(row.payload))
        for row in connection.execute(query)
    ]


def mark_produced(connection: Connection, keys: Sequence[PostKey], now: datetime) -> None:
    """Note that the broker has acknowledged these rows' records."""
    if keys:
        connection.execute(
            sa.update(inbox)
            .where(inbox.c.post_key.in_(keys))
            .values(produced_at=now, not_before=None)
        )


def reset_produced(connection: Connection) -> int:
    """Make every row due again: the broker has forgotten its records. Rows put off stay so."""
    result = connection.execute(
        sa.update(inbox).where(inbox.c.produced_at.is_not(None)).values(produced_at=None)
    )
    return result.rowcount


def still_open(connection: Connection, keys: Iterable[PostKey]) -> set[PostKey]:
    """Tell which of these posts have not ended."""
    return _present(connection, inbox.c.post_key, keys)


def attempts(connection: Connection, keys: Iterable[PostKey]) -> Mapping[PostKey, int]:
    """Tell how often each of these posts was put off; posts that ended are left out."""
    query = sa.select(inbox.c.post_key, inbox.c.attempts).where(inbox.c.post_key.in_(list(keys)))
    return {PostKey(row.post_key): row.attempts for row in connection.execute(query)}


def postpone(
    connection: Connection, key: PostKey, not_before: datetime, *, counted: bool = True
) -> None:
    """Put a post off: it is produced again after `not_before`, and this try is counted or not."""
    connection.execute(
        sa.update(inbox)
        .where(inbox.c.post_key == key)
        .values(not_before=not_before, produced_at=None, attempts=inbox.c.attempts + int(counted))
    )


def finish(connection: Connection, ends: Sequence[PostOutcome]) -> set[PostKey]:
    """End posts: write each outcome unless it has one, and delete its row.

    Returns:
        Those that had not ended before, so that metrics count each once.
    """
    first = {end.key: end for end in reversed(ends)}
    new = _insert_new(connection, outcomes, [_outcome_row(end) for end in first.values()])
    if first:
        connection.execute(sa.delete(inbox).where(inbox.c.post_key.in_(list(first))))
    return new


def end_dead(
    connection: Connection, key: PostKey, reason: str, now: datetime
) -> PostOutcome | None:
    """End a waiting post as `dead`; None where no such post waits."""
    query = sa.select(inbox.c.source, inbox.c.observed_at).where(inbox.c.post_key == key)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    end = PostOutcome(
        key=key,
        source=row.source,
        outcome=Outcome.DEAD,
        reason=reason,
        observed_at=row.observed_at,
        ended_at=now,
    )
    return end if finish(connection, [end]) else None


def waiting(connection: Connection) -> Waiting:
    """Count the posts that have not ended."""
    query = sa.select(sa.func.count().label("posts"), sa.func.min(inbox.c.observed_at).label("at"))
    row = connection.execute(query.select_from(inbox)).one()
    return Waiting(posts=row.posts, oldest_at=row.at)


def overdue(connection: Connection, now: datetime, seconds: float) -> list[PostKey]:
    """Give posts that were observed so long ago, and handed over, but have not ended.

    At most 1,000 of them. Those that were put off are left out: they wait for their hosts.
    """
    before = now - timedelta(seconds=seconds)
    query = (
        sa.select(inbox.c.post_key)
        .where(inbox.c.produced_at.is_not(None), inbox.c.observed_at <= before)
        .where(inbox.c.attempts == 0)
        .order_by(inbox.c.observed_at)
        .limit(1000)
    )
    return [PostKey(key) for key in connection.scalars(query)]


def resume_cursor(connection: Connection, source: str) -> str | None:
    """Tell where a source goes on: before its oldest waiting post, else where it had come to.

    What it gives again from there is known already and counted as duplicates.
    """
    oldest = (
        sa.select(inbox.c.cursor)
        .where(inbox.c.source == source)
        .order_by(inbox.c.observed_at)
        .limit(1)
    )
    row = connection.execute(oldest).one_or_none()
    if row is not None:
        return row.cursor  # type: ignore[no-any-return]
    return read_to(connection, source)


def read_to(connection: Connection, source: str) -> str | None:
    """Tell how far a source was read: all until there is stored. None: it never was."""
    return connection.scalar(sa.select(cursors.c.cursor).where(cursors.c.source == source))


def advance(connection: Connection, source: str, cursor: str, now: datetime) -> None:
    """Note how far a source was read, in the transaction that stores what was read."""
    _insert_new(connection, cursors, [{"source": source, "updated_at": now}])
    connection.execute(
        sa.update(cursors).where(cursors.c.source == source).values(cursor=cursor, updated_at=now)
    )


def lease(connection: Connection, source: str, owner: str, now: datetime, seconds: float) -> bool:
    """Take a source for `seconds`, or hold it longer; False while another owner has it."""
    _insert_new(connection, cursors, [{"source": source, "updated_at": now}])
    free = cursors.c.owner.is_(None) | (cursors.c.owner == owner) | (cursors.c.leased_until < now)
    result = connection.execute(
        sa.update(cursors)
        .where(cursors.c.source == source, free)
        .values(owner=owner, leased_until=now + timedelta(seconds=seconds))
    )
    return result.rowcount == 1


def release(connection: Connection, owner: str) -> None:
    """Give up every source of this owner's."""
    connection.execute(
        sa.update(cursors).where(cursors.c.owner == owner).values(owner=None, leased_until=None)
    )


def _row(arrival: Arrival) -> dict[str, object]:
    post, author = refs_of(arrival.post)
    return {
        "urgent": arrival.post.urgent,
        "post_ref": post,
        "author_ref": author,
        "post_key": arrival.post.key,
        "source": arrival.post.source,
        "cursor": arrival.cursor,
        "payload": arrival.payload,
        "observed_at": arrival.post.observed_at,
        "attempts": 0,
    }


def _outcome_row(end: PostOutcome) -> dict[str, object]:
    return {
        "post_key": end.key,
        "source": end.source,
        "outcome": end.outcome.value,
        "reason": end.reason,
        "media": end.media,
        "observed_at": end.observed_at,
        "ended_at": end.ended_at,
    }


def _present(
    connection: Connection, column: sa.Column[str], keys: Iterable[PostKey]
) -> set[PostKey]:
    query = sa.select(column).where(column.in_(list(keys)))
    return {PostKey(key) for key in connection.scalars(query)}


def _insert_new(
    connection: Connection, table: sa.Table, rows: Sequence[dict[str, object]]
) -> set[PostKey]:
    """Insert rows whose key is new; give the keys of those."""
    from sqlalchemy.dialects.postgresql import insert as postgresql_insert
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    if not rows:
        return set()
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    [key] = table.primary_key.columns
    statement = insert(table).on_conflict_do_nothing().returning(key)
    return {PostKey(found) for found in connection.scalars(statement, rows)}
