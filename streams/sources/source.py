"""What every source of posts has in common."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from streams.types import Post


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcedPost:
    """A post, and the cursor from which the source would go on after it."""

    post: Post
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Input that is no post: counted and dead-lettered by the collector, never raised.

    Args:
        cursor: from where the source would go on after it.
        reason: snake_case, as a `StreamError` carries it.
        position: where in the source's input it began, in the source's own unit.
    """

    cursor: str
    reason: str
    position: int


SourcedItem = SourcedPost | Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of a batch that was handed in.

    Args:
        accepted: posts stored that were new.
        duplicates: posts that were known already.
    """

    accepted: int
    duplicates: int


class Source(Protocol):
    """A stream of posts that can be taken up where it was left."""

    name: str
    """Of fewer than 20 in one installation; a metric label."""

    def posts(self, cursor: str | None) -> AsyncIterator[SourcedItem]:
        """Give items from `cursor` on; None: from the beginning.

        Malformed input is given as `Rejected`, never raised. Implementations are async generators.

        Raises:
            TransientError: the source cannot be reached now.
        """
        ...
