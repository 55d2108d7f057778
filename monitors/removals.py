"""What a source says is gone: the end of posts that still wait.

Every function runs in the caller's transaction and blocks.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors import inbox as inbox_rows
from monitors.tables import inbox, outcomes
from streams.refs import author_ref, post_ref
from streams.sources.source import Removed
from streams.types import Outcome, PostKey, PostOutcome

AT_SOURCE = "_at_source"
"""Ends the reason of a post that its source said is gone: `deleted_at_source`."""


def ref_of(removed: Removed) -> tuple[bool, str]:
    """Name what is gone; whether it is an author, or a post."""
    if removed.post_id is not None:
        return False, post_ref(removed.network, removed.post_id)
    return True, author_ref(removed.network, removed.author or "")


def reason_of(removed: Removed) -> str:
    """Give the reason of a post that ends by it."""
    return f"{removed.reason[: 64 - len(AT_SOURCE)]}{AT_SOURCE}"


def end_waiting(
    connection: Connection, removals: Sequence[Removed], now: datetime
) -> list[PostOutcome]:
    """End the posts that wait and are gone: `vanished`. What is being inspected may still count.

    Not those of an account that is gone: it may be back in a moment, and its network does not give
    them again. Their media are asked for, and say themselves that they vanished.
    """
    ends = []
    for removed in removals:
        is_author, ref = ref_of(removed)
        if is_author:
            continue
        query = sa.select(inbox.c.post_key, inbox.c.source, inbox.c.observed_at)
        ends += [
            PostOutcome(
                key=row.post_key,
                source=row.source,
                outcome=Outcome.VANISHED,
                reason=reason_of(removed),
                observed_at=row.observed_at,
                ended_at=now,
            )
            for row in connection.execute(query.where(inbox.c.post_ref == ref))
        ]
    new = inbox_rows.finish(connection, ends) if ends else set()
    return [end for end in ends if end.key in new]


def forget_ended(connection: Connection, posts: Iterable[PostKey]) -> None:
    """Forget that posts were gone which their source gives again: they are looked at anew.

    Else a post that its author deletes and posts again under its old name would never be seen.
    """
    connection.execute(
        sa.delete(outcomes).where(
            outcomes.c.post_key.in_(list(posts)),
            outcomes.c.outcome == Outcome.VANISHED,
            outcomes.c.reason.endswith(AT_SOURCE, autoescape=True),
        )
    )
