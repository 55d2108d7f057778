"""What every source of posts has in common."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from streams.types import Post


class EventKind(StrEnum):
    """What sources tell apart, to notice which of it they no longer get. Fewer than 20 values."""

    POST = "post"
    EDIT = "edit"
    PROFILE = "profile"
    DELETION = "deletion"
    ACCOUNT = "account"
    OTHER = "other"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcedPost:
    """A post, and the cursor from which the source would go on after it.

    Args:
        post: the post.
        cursor: see `Source.posts`.
        kind: a post, its edit, or an account's profile.
        at: when the source says that it happened; None where it does not say. For its lag only.
    """

    post: Post
    cursor: str
    kind: EventKind = EventKind.POST
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A post, or everything of an author, is gone at its origin: a positive sign of removal.

    Args:
        cursor: see `Source.posts`.
        network: whose identifiers these are; see `Post.network`.
        reason: snake_case: `deleted`, `account_deleted`, `account_suspended`, `account_takendown`…
        post_id: which post, in all its revisions; None: all of the author's.
        author: as `Post.author`; needed where `post_id` is None.
        at: when the source says that it happened.
    """

    cursor: str
    network: str
    reason: str
    post_id: str | None = None
    author: str | None = None
    at: datetime | None = None

    @property
    def kind(self) -> EventKind:
        """Tell a post's deletion from an account's end."""
        return EventKind.DELETION if self.post_id is not None else EventKind.ACCOUNT


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """An account is back, and with it what it had posted."""

    cursor: str
    network: str
    author: str
    at: datetime | None = None

    @property
    def kind(self) -> EventKind:
        """It is an account's event."""
        return EventKind.ACCOUNT


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """Events with nothing to look at: counted by kind, so that none is skipped silently.

    A source gathers them for a moment (a second, or a hundred events) instead of giving each.
    """

    cursor: str
    counts: Mapping[EventKind, int] = field(default_factory=dict)
    at: datetime | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A stretch that the source did not, or could not, give: an entry of the gap ledger.

    The collector itself enters its own interruptions; a source gives this for what it alone knows:
    a cursor that was too old, a list that ran over, what it fetched afterwards.

    Args:
        cursor: from where the source goes on.
        reason: snake_case: `cursor_too_old`, `cursor_clamped`, `sequence_jump`, `list_overflow`…
        since: from when on; None: since the source was last heard.
        until: until when; None: now.
        refilled: whether all of it was fetched afterwards.
    """

    cursor: str
    reason: str
    since: datetime | None = None
    until: datetime | None = None
    refilled: bool = False


SourcedItem = SourcedPost | Removed | Restored | Passed | Rejected | Missed


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
        """Give items from `cursor` on; None: from the beginning, or from now where there is none.

        One call is one connection: where it breaks off this raises, and the caller calls again
        with the last cursor, after a pause that grows, has jitter, and heeds `Retry-After`.
        Malformed input is given as `Rejected`, never raised. Implementations are async generators.

        Raises:
            SourceError: the source does not give now; its `reason` says why.
            ConfigurationError: it never will with these settings.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a search asks for.

    Args:
        words: to be found, as an officer typed them or in a variant.
        since: posts from then on; None: all that the service keeps.
        limit: posts wanted at most.
    """

    words: str
    since: datetime | None = None
    limit: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated:
    """The service has more than it gave: the answer is not complete.

    Args:
        reason: snake_case: `limit`, `pages`, `quota`…
    """

    reason: str


class SearchSource(Protocol):
    """A service that is asked for posts. One question is one call."""

    name: str
    """Of fewer than 20 together with the streams' names; a metric label."""

    def search(self, query: Query) -> AsyncIterator[Post | Rejected | Truncated]:
        """Give the posts that the service finds, the newest first where it has a choice.

        `Post.source` is this `name`; `Post.network`, `id` and `revision` equal those that a stream
        of the same network gives, so that a post found by both is one. Implementations are async
        generators.

        Raises:
            SourceError: the service does not answer now; its `reason` says why.
            ConfigurationError: it never will with these settings.
        """
        ...
