"""What a server of the Mastodon API gives, as items."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from streams.clock import Clock
from streams.errors import InvalidMessageError
from streams.schemas import NewPost
from streams.sources.fields import fits
from streams.sources.mastodon_records import (
    NETWORK,
    STATUS_ID,
    author,
    pictures,
    shown,
    status_id,
    to_new_post,
    to_profile,
)
from streams.sources.mastodon_wire import MALFORMED
from streams.sources.source import (
    EventKind,
    Passed,
    Rejected,
    Removed,
    SourcedItem,
    SourcedPost,
)
from streams.sources.sse import COMMENT, ServerEvent
from streams.types import Post

REMEMBERED = 100_000
"""Statuses whose deletion can be told, and profiles that were given: some 30 MB each."""

KINDS = {"update": EventKind.POST, "status.update": EventKind.EDIT}


class MastodonReading:
    """Makes items of events and of pages; remembers what deletions will name.

    Args:
        source: its name.
        clock: gives `observed_at`.
        host: of the server: of its own statuses alone it can say that they are gone. Of others it
            only drops its copy, because their server, or its moderators, told it to.
    """

    def __init__(self, source: str, clock: Clock, host: str) -> None:
        self._source = source
        self._host = host
        self._clock = clock
        self._names: OrderedDict[str, tuple[str, str | None]] = OrderedDict()
        self._profiles: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self.cursor = ""

    def begin(self, cursor: str) -> None:
        """Begin a connection."""
        self.cursor = cursor

    def items(self, event: ServerEvent) -> Iterator[SourcedItem]:
        """Make items of one event; never raises."""
        if event == COMMENT:
            yield self._passed(EventKind.HEARTBEAT)
            return
        if event.name in KINDS:
            yield from self.posted(_status(event.data), KINDS[event.name])
        elif event.name == "delete":
            yield self._deleted(event.data.strip())
        elif event.name == MALFORMED:
            yield self._rejected(event.data)
        else:
            yield self._passed(EventKind.OTHER)

    def posted(
        self, given: Any, kind: EventKind = EventKind.POST, *, past: datetime | None = None
    ) -> Iterator[SourcedItem]:
        """Make items of a status: its author's profile where it is new, and its post.

        Args:
            given: the status, unchecked.
            kind: a post, or its edit.
            past: of a status that fills a gap: when that was over. It claims no later time: the
                ledger would take that for the gap's end.
        """
        try:
            status = shown(given)
            mine, post = status_id(status), self._post(to_new_post(status))
            profile = self._profile(status)
        except InvalidMessageError:
            yield self._rejected(given)
            return
        if profile is not None:  # before the cursor moves: both are given, or both again
            yield SourcedPost(post=profile, cursor=self.cursor, kind=EventKind.PROFILE, at=past)
        _remember(self._names, mine, (post.id, post.author))
        if kind is EventKind.POST:
            self.cursor = newest(self.cursor, [given])
        yield SourcedPost(post=post, cursor=self.cursor, kind=kind, at=_at(post, kind, past))

    def _post(self, new: NewPost) -> Post:
        return new.to_domain(source=self._source, observed_at=self._clock.now(), network=NETWORK)

    def _profile(self, status: Mapping[str, Any]) -> Post | None:
        urls, name = pictures(status), author(status)
        if not urls or name is None:
            return None
        key = (name, *urls)
        if key in self._profiles:
            self._profiles.move_to_end(key)
            return None
        try:
            made = self._post(to_profile(status, urls))
        except InvalidMessageError:  # its post is as good without it
            return None
        _remember(self._profiles, key, None)
        return made

    def _deleted(self, mine: str) -> SourcedItem:
        if not fits(STATUS_ID, mine):
            return self._rejected(mine)
        if mine not in self._names:
            return self._passed(EventKind.DELETION)
        name, who = self._names[mine]
        if urlsplit(name).hostname != self._host:
            return self._passed(EventKind.DELETION)
        return Removed(
            cursor=self.cursor, network=NETWORK, reason="deleted", post_id=name, author=who
        )

    def _passed(self, kind: EventKind) -> Passed:
        return Passed(cursor=self.cursor, counts={kind: 1})

    def _rejected(self, what: Any) -> Rejected:
        """Name it by a hash: the protocol numbers nothing, and a dead letter is kept once."""
        digest = hashlib.sha256(_told(what).encode("utf-8", "surrogatepass")).hexdigest()
        reason = InvalidMessageError.reason
        return Rejected(cursor=self.cursor, reason=reason, position=int(digest[:15], 16))


def newest(known: str, statuses: Sequence[Any]) -> str:
    """Give the newest identifier; they grow in length, and at one length in order."""
    return max([known, *_identifiers(statuses)], key=_order)


def oldest(statuses: Sequence[Any]) -> str:
    """Give the oldest identifier; empty where there is none."""
    return min(_identifiers(statuses), key=_order, default="")


def _identifiers(statuses: Sequence[Any]) -> list[str]:
    found = [one.get("id") for one in statuses if isinstance(one, Mapping)]
    return [str(one) for one in found if fits(STATUS_ID, one)]


def _order(identifier: str) -> tuple[int, str]:
    return len(identifier), identifier


def _at(post: Post, kind: EventKind, past: datetime | None) -> datetime | None:
    claimed = post.published_at if kind is EventKind.POST else None
    return claimed if past is None else min(claimed or past, past)


def _status(payload: str) -> Any:
    """Read a status; what is no JSON is none, and remains what it is."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload


def _told(what: Any) -> str:
    """Tell what is rejected from the rest: a status by its names, else by what it is."""
    if isinstance(what, Mapping):
        names = ("id", "uri", "edited_at")
        return "\0".join(one for name in names if isinstance(one := what.get(name), str))
    return what if isinstance(what, str) else type(what).__name__


def _remember(kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
