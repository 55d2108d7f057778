"""End posts, and count each end once."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from monitors import metrics
from monitors.database import Database
from monitors.inbox import finish
from streams.types import PostKey, PostOutcome


def end_posts(database: Database, ends: Sequence[PostOutcome]) -> None:
    """Write outcomes in one transaction, then count those that were new. Blocks.

    Raises:
        DatabaseUnavailableError: nothing was written.
    """
    if ends:
        with database.write() as connection:
            new = finish(connection, ends)
        count_ends(ends, new)


def count_ends(ends: Sequence[PostOutcome], new: AbstractSet[PostKey]) -> None:
    """Count the posts that had not ended before, when that is committed.

    Args:
        ends: as given to `monitors.inbox.finish`.
        new: what it returned.
    """
    for end in {end.key: end for end in reversed(ends)}.values():
        if end.key in new:
            count_end(end)


def count_end(end: PostOutcome) -> None:
    """Count one post's end."""
    metrics.ENDED.labels(end.source, end.outcome.value).inc()
    lasted = (end.ended_at - end.observed_at).total_seconds()
    metrics.OBSERVED_TO_OUTCOME.observe(max(0.0, lasted))
