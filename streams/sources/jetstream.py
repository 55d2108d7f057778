"""Jetstream: the AT Protocol's events as JSON, chosen by collection. Versions 1 and 2.

Facts: https://github.com/bluesky-social/jetstream and its lexicon
`network.bsky.jetstream.subscribeEvents`; `docs/sources.md` says what is made of them.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from pydantic import Field
from websockets.typing import Data

from streams.clock import Clock
from streams.errors import ConsumerTooSlowError, InvalidMessageError
from streams.sources.at_answers import NAME, RefusedError, to_error, to_plain
from streams.sources.at_canary import AtStreamConfig
from streams.sources.at_events import (
    Operation,
    Origin,
    account_item,
    passed,
    rejected,
    to_item,
)
from streams.sources.at_records import COLLECTIONS
from streams.sources.fields import parse_time
from streams.sources.gathering import gathered
from streams.sources.sockets import (
    MAX_MESSAGE_BYTES,
    TOO_SLOW,
    SocketUrl,
    messages,
    opened,
    read_cursor,
)
from streams.sources.source import Missed, SourcedItem

NSID = "network.bsky.jetstream.subscribeEvents"
PATHS = {1: "/subscribe", 2: f"/xrpc/{NSID}"}
SUBPROTOCOLS: Mapping[int, tuple[str, ...]] = {1: (), 2: ("xrpc.v1.json",)}

KINDS = ("commit", "account", "sync")
"""Of version 2; version 1 sends accounts and identities whatever is asked for."""

NOTICES = {"OutdatedCursor": "cursor_too_old", "FutureCursor": "cursor_in_future"}
"""What `#info` may say of a cursor, and the reason of what was missed by it."""

OLDEST = 10**15
"""A cursor that version 2 takes for a time, of 2001: it clamps it to the oldest that it has."""

CLAMPED_SECONDS = 10.0
"""Version 1 moves a cursor that is too old without a word. As a cursor is inclusive, the first
event is the one that was seen last, or an earlier one; where it is later by more than this, what
lies between was not given. Other instances stamp the same event by their own clocks."""

MAX_POSITION = 2**53
"""Beyond this no server counts, and no date is left."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class JetstreamConfig(AtStreamConfig):
    """A Jetstream server."""

    kind: Literal["jetstream"] = "jetstream"
    url: SocketUrl = Field(description="wss://HOST; the path of the version is appended.")
    version: Literal[1, 2] = 1
    rewind_seconds: float = Field(
        default=0, ge=0, le=3600, description="Version 1: go on so much before the cursor, where "
        "another instance may answer: each stamps events by its own clock.",
    )  # fmt: skip


class JetstreamSource:
    """Reads one Jetstream server. The cursor is its `time_us` (version 1) or `seq` (version 2).

    Args:
        config: which.
        clock: gives `observed_at`.
    """

    def __init__(self, config: JetstreamConfig, *, clock: Clock) -> None:
        self.name = config.name
        self._config = config
        self._clock = clock

    async def posts(self, cursor: str | None) -> AsyncIterator[SourcedItem]:
        """Give posts, profiles, deletions and accounts from `cursor` on; see `Source.posts`.

        Raises:
            SourceError: it does not give now; its `reason` says why.
        """
        try:
            async with aclosing(gathered(self._items(cursor), self._clock)) as items:
                async for item in items:
                    yield item
        except RefusedError as refused:
            raise to_plain(refused) from None

    async def _items(self, cursor: str | None) -> AsyncGenerator[SourcedItem | None, None]:
        known, why = read_cursor(cursor)
        for start in (known, OLDEST, None) if self._config.version == 2 else (known,):
            reading = _Reading(self._config, self._clock, start and known, why)
            try:
                async with aclosing(self._read(start, reading)) as items:
                    async for item in items:
                        yield item
            except RefusedError as refused:
                if refused.error != "CursorTooOld" or start is None:
                    raise
                why = "cursor_too_old"

    async def _read(
        self, start: int | None, reading: "_Reading"
    ) -> AsyncGenerator[SourcedItem | None, None]:
        subprotocols = SUBPROTOCOLS[self._config.version]
        url, silent = self._url(start), self._config.silent_seconds
        async with (
            opened(url, self._clock, subprotocols, refusal=to_error) as connection,
            aclosing(messages(connection, silent)) as arriving,
        ):
            async for message in arriving:
                if message is None:
                    yield None
                    continue
                for item in reading.items(message):
                    yield item

    def _url(self, start: int | None) -> str:
        config = self._config
        bare = urlsplit(config.url).path in {"", "/"}
        url = config.url.rstrip("/") + PATHS[config.version] if bare else config.url
        asked: dict[str, Any] = {"maxMessageSizeBytes": MAX_MESSAGE_BYTES}
        if config.version == 1:
            asked["wantedCollections"] = COLLECTIONS
            start = start and max(start - round(config.rewind_seconds * 1e6), 0)
        else:
            asked |= {"collections": COLLECTIONS, "kinds": KINDS}
        if start is not None:
            asked["cursor"] = start
        return f"{url}?{urlencode(asked, doseq=True)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    """One event of either version."""

    position: int
    kind: str
    did: Any
    at: datetime | None
    body: Mapping[str, Any]


class _Reading:
    """Makes items of the messages of one connection.

    Args:
        config: of the source.
        clock: gives `observed_at`.
        known: position of what was seen last.
        why: why something is missing before the first event, if it is.
    """

    def __init__(
        self, config: JetstreamConfig, clock: Clock, known: int | None, why: str | None
    ) -> None:
        self._config = config
        self._clock = clock
        self._known = known
        self._last = known or 0
        self._why = why
        self._begun = False

    def items(self, message: Data) -> Iterator[SourcedItem]:
        """Make items of one message.

        Raises:
            ConsumerTooSlowError: it says that we are.
            RefusedError: it ends the stream, for another reason.
        """
        try:
            event = self._read(message)
        except InvalidMessageError as error:
            yield rejected(self._origin(self._last, None), error.reason)
            return
        if event is None:
            return
        origin = self._origin(event.position, event.at)
        yield from self._missed(event)
        self._last = event.position
        yield _item(event, origin)

    def _read(self, message: Data) -> _Event | None:
        """Read a message; None where it is a notice about the stream."""
        try:
            frame = json.loads(message)
        except (ValueError, RecursionError):
            raise InvalidMessageError("not JSON") from None
        if not isinstance(frame, dict):
            raise InvalidMessageError("not an object")
        if self._config.version == 1:
            return _first_version(frame)
        if frame.get("$type") == "error":
            _refuse(frame.get("error"))
        payload = _object(frame, "payload")
        if payload.get("$type") == f"{NSID}#info":
            self._why = NOTICES.get(str(payload.get("name")), self._why)
            return None
        return _second_version(payload)

    def _origin(self, position: int, at: datetime | None) -> Origin:
        return Origin(
            source=self._config.name,
            cursor=str(position),
            position=position,
            observed_at=self._clock.now(),
            at=at,
        )

    def _missed(self, event: _Event) -> Iterator[Missed]:
        """Enter, before the first event, what the server could not give."""
        why, since = self._why, None
        if self._config.version == 1 and self._known and not self._begun:
            since = _moment(self._known)
            if event.position - self._known > CLAMPED_SECONDS * 1e6:
                why = "cursor_clamped"
        self._begun, self._why = True, None
        if why is not None:
            yield Missed(cursor=str(event.position), reason=why, since=since, until=event.at)


def _first_version(frame: Mapping[str, Any]) -> _Event:
    position, kind = _position(frame.get("time_us")), frame.get("kind")
    if kind not in ("commit", "account"):
        kind, body = "other", frame
    else:
        body = _object(frame, kind)
    at = _moment(position)
    return _Event(position=position, kind=kind, did=frame.get("did"), at=at, body=body)


def _second_version(payload: Mapping[str, Any]) -> _Event:
    kind = str(payload.get("$type")).removeprefix(f"{NSID}#")
    return _Event(
        position=_position(payload.get("seq")),
        kind=kind,
        did=payload.get("did"),
        at=parse_time(payload.get("time")),
        body=_object(payload, kind) if kind == "account" else payload,
    )


def _item(event: _Event, origin: Origin) -> SourcedItem:
    body = event.body
    if event.kind == "account":
        return account_item(event.did, body, origin)
    if event.kind != "commit":
        return passed(origin)
    operation = Operation(
        action=body.get("operation"),
        did=event.did,
        collection=body.get("collection"),
        rkey=body.get("rkey"),
        cid=body.get("cid"),
        record=body.get("record"),
    )
    return to_item(operation, origin)


def _position(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_POSITION:
        return value
    raise InvalidMessageError("no position in the stream")


def _object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = holder.get(name)
    if isinstance(value, dict):
        return value
    raise InvalidMessageError("a part is missing")


def _moment(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)


def _refuse(error: Any) -> None:
    if error == TOO_SLOW:
        raise ConsumerTooSlowError("the server dropped us")
    raise RefusedError(error if isinstance(error, str) and NAME.fullmatch(error) else "unknown")
