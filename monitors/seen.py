"""The posts of the last days that had media: what looking back inspects again.

A fingerprint leads to its post's key, a keyword to its text; both to the post as it was observed.
Every function runs in the caller's transaction and blocks.
"""

import zlib
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.source_tables import seen_posts
from streams.errors import InvalidMessageError
from streams.schemas import MAX_POST_BYTES, PostRecord
from streams.types import Post, PostKey

_LEVEL = 6
_AT_ONCE = 500
"""Keys of one query, and rows of one page."""


def compressed(post: Post) -> bytes:
    """Write a post as `seen_posts` keeps it."""
    return zlib.compress(PostRecord.from_domain(post).to_bytes(), _LEVEL)


def remember(connection: Connection, posts: Sequence[tuple[Post, bytes]]) -> int:
    """Keep posts, each with what `compressed` wrote; give how many were new."""
    rows = {
        post.key: {
            "post_key": post.key,
            "source": post.source,
            "payload": payload,
            "observed_at": post.observed_at,
        }
        for post, payload in posts
    }
    new = [rows[key] for key in rows.keys() - known(connection, list(rows))]
    if new:
        connection.execute(sa.insert(seen_posts), new)
    return len(new)


def known(connection: Connection, keys: Sequence[PostKey]) -> set[PostKey]:
    """Tell which posts are kept already."""
    return {
        PostKey(name)
        for some in _in_groups(keys)
        for name in connection.scalars(
            sa.select(seen_posts.c.post_key).where(seen_posts.c.post_key.in_(some))
        )
    }


def read(connection: Connection, keys: Sequence[PostKey]) -> dict[PostKey, Post]:
    """Give posts as they were observed; those that were forgotten are missing."""
    found = {}
    for some in _in_groups(keys):
        query = sa.select(seen_posts.c.post_key, seen_posts.c.payload).where(
            seen_posts.c.post_key.in_(some)
        )
        for row in connection.execute(query):
            post = _opened(row.payload)
            if post is not None:
                found[PostKey(row.post_key)] = post
    return found


def texts(
    connection: Connection, since: datetime, limit: int
) -> Generator[tuple[PostKey, tuple[str, ...]], None, None]:
    """Give posts' texts, newest first: what triage searches, see `texts_of`.

    Args:
        connection: in a transaction; read page by page while the iterator is. One that is left
            before its end must be closed.
        since: leave out what was observed before.
        limit: how many posts at most, those without any text included.
    """
    query = (
        sa.select(seen_posts.c.post_key, seen_posts.c.payload)
        .where(seen_posts.c.observed_at >= since)
        .order_by(seen_posts.c.observed_at.desc())
        .limit(limit)
        .execution_options(yield_per=_AT_ONCE)
    )
    with connection.execute(query) as rows:
        for row in rows:
            post = _opened(row.payload)
            found = texts_of(post) if post is not None else ()
            if found:
                yield PostKey(row.post_key), found


def texts_of(post: Post) -> tuple[str, ...]:
    """Give a post's text and its media's descriptions, without empty ones."""
    return tuple(text for text in (post.text, *(one.alt_text for one in post.media)) if text)


def forget(connection: Connection, before: datetime) -> int:
    """Remove the posts that were observed before that; give how many."""
    done = connection.execute(sa.delete(seen_posts).where(seen_posts.c.observed_at < before))
    return int(done.rowcount)


def _opened(payload: bytes) -> Post | None:
    """Read a post; one that an earlier version wrote and this one cannot read is as forgotten."""
    inflated = zlib.decompressobj()
    try:
        raw = inflated.decompress(bytes(payload), 2 * MAX_POST_BYTES)
        return PostRecord.from_bytes(raw).to_post()
    except (zlib.error, InvalidMessageError):
        return None


def _in_groups(keys: Sequence[PostKey]) -> Iterator[Sequence[PostKey]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]
