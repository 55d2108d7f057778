"""The firehose of a PDS or a relay of the AT Protocol: `com.atproto.sync.subscribeRepos`.

Facts: that lexicon and https://atproto.com/specs/event-stream. Signatures and trees are not
verified: a post that a relay made up is still a post that somebody is shown.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import urlsplit

import libipld
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
    TOO_SLOW,
    SocketUrl,
    messages,
    opened,
    read_cursor,
)
from streams.sources.source import Missed, SourcedItem

PATH = "/xrpc/com.atproto.sync.subscribeRepos"

MAX_OPERATIONS = 1_000
"""Of one commit; the lexicon allows 200."""

MAX_SEQ = 2**53


class FirehoseConfig(AtStreamConfig):
    """A PDS or a relay."""

    kind: Literal["firehose"] = "firehose"
    url: SocketUrl = Field(description="wss://HOST of a relay or a PDS; the path is appended.")


class FirehoseSource:
    """Reads one firehose. The cursor is the `seq` of the last event that was dealt with.

    Args:
        config: which.
        clock: gives `observed_at`.
    """

    def __init__(self, config: FirehoseConfig, *, clock: Clock) -> None:
        self.name = config.name
        self._config = config
        self._clock = clock

    async def posts(self, cursor: str | None) -> AsyncIterator[SourcedItem]:
        """Give posts, profiles, deletions and accounts after `cursor`; see `Source.posts`.

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
        """Read from the cursor; from all that there is where the server never came so far."""
        known, why = read_cursor(cursor)
        for start in (known, 0):
            reading = _Reading(self.name, self._clock, start, why)
            try:
                async with aclosing(self._read(start, reading)) as items:
                    async for item in items:
                        yield item
            except RefusedError as refused:
                if refused.error != "FutureCursor" or not start:
                    raise
                why = "cursor_in_future"

    async def _read(
        self, start: int | None, reading: "_Reading"
    ) -> AsyncGenerator[SourcedItem | None, None]:
        async with (
            opened(self._url(start), self._clock, refusal=to_error) as connection,
            aclosing(messages(connection, self._config.silent_seconds)) as arriving,
        ):
            async for message in arriving:
                if message is None:
                    yield None
                    continue
                for item in reading.items(message):
                    yield item

    def _url(self, start: int | None) -> str:
        url = self._config.url
        if urlsplit(url).path in {"", "/"}:
            url = url.rstrip("/") + PATH
        return url if start is None else f"{url}?cursor={start}"


class _Reading:
    """Makes items of the messages of one connection.

    Args:
        source: its name.
        clock: gives `observed_at`.
        start: seq of what was dealt with last.
        why: why something is missing before the first event, if it is.
    """

    def __init__(self, source: str, clock: Clock, start: int | None, why: str | None) -> None:
        self._source = source
        self._clock = clock
        self._last = start
        self._why = why
        self._begun = False

    def items(self, message: Data) -> Iterator[SourcedItem]:
        """Make items of one frame.

        Raises:
            ConsumerTooSlowError: it says that we are.
            RefusedError: it ends the stream, for another reason.
        """
        try:
            name, body = _frame(message)
            if name == "#info":
                self._note(body)
                return
            seq = _seq(body)
        except InvalidMessageError as error:
            yield rejected(self._origin(self._last or 0, {}), error.reason)
            return
        origin = self._origin(seq, body)
        yield from self._missed(origin)
        self._last = seq
        yield from _items(name, body, origin)

    def _note(self, body: Mapping[str, Any]) -> None:
        if body.get("name") == "OutdatedCursor":
            self._why = self._why or "cursor_too_old"

    def _origin(self, seq: int, body: Mapping[str, Any]) -> Origin:
        return Origin(
            source=self._source,
            cursor=str(seq),
            position=seq,
            observed_at=self._clock.now(),
            at=parse_time(body.get("time")),
        )

    def _missed(self, origin: Origin) -> Iterator[Missed]:
        """Enter what is not given before this event.

        Numbers that are left out are no sign: servers may do so. The same once more is merely
        read once more; a lower one means that the server began to count anew.
        """
        why = self._why
        if self._begun and self._last is not None and origin.position < self._last:
            why = "sequence_jump"
        self._begun, self._why = True, None
        if why is not None:
            yield Missed(cursor=_before(origin), reason=why, until=origin.at)


def _frame(message: Data) -> tuple[str, Mapping[str, Any]]:
    """Take a frame apart into its type and its body.

    Raises:
        InvalidMessageError: it is none.
        ConsumerTooSlowError: it is the error that says so.
        RefusedError: it is another error.
    """
    if isinstance(message, str):
        raise InvalidMessageError("text where bytes are due")
    try:
        parts = libipld.decode_dag_cbor_multi(message)
    except (ValueError, RecursionError):
        raise InvalidMessageError("not DAG-CBOR") from None
    if len(parts) != 2 or not all(isinstance(part, dict) for part in parts):
        raise InvalidMessageError("not a header and a body")
    header, body = parts
    if header.get("op") == -1:
        _refuse(body.get("error"))
    if header.get("op") != 1 or not isinstance(name := header.get("t"), str):
        raise InvalidMessageError("an unknown operation")
    return name, body


def _refuse(error: Any) -> None:
    if error == TOO_SLOW:
        raise ConsumerTooSlowError("the server dropped us")
    raise RefusedError(error if isinstance(error, str) and NAME.fullmatch(error) else "unknown")


def _seq(body: Mapping[str, Any]) -> int:
    seq = body.get("seq")
    if isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq < MAX_SEQ:
        return seq
    raise InvalidMessageError("no position in the stream")


def _before(origin: Origin) -> str:
    """Give the cursor from which this event comes again."""
    return str(max(origin.position - 1, 0))


def _items(name: str, body: Mapping[str, Any], origin: Origin) -> Iterator[SourcedItem]:
    if name == "#commit":
        yield from _commit_items(body, origin)
    elif name == "#account":
        yield account_item(body.get("did"), body, origin)
    elif name == "#tombstone":  # before there was #account
        yield account_item(body.get("did"), {"active": False, "status": "deleted"}, origin)
    else:
        yield passed(origin)


def _commit_items(body: Mapping[str, Any], origin: Origin) -> Iterator[SourcedItem]:
    """Give a commit's operations. Only the last may have its cursor: the rest would be lost."""
    if body.get("tooBig") is True:
        yield Missed(
            cursor=_before(origin), reason="commit_too_big", since=origin.at, until=origin.at
        )
    operations = body.get("ops")
    if not isinstance(operations, list) or len(operations) > MAX_OPERATIONS:
        yield rejected(origin, InvalidMessageError.reason)
        return
    items = [*_operation_items(operations, body, origin)] or [passed(origin)]
    for item in items[:-1]:
        yield replace(item, cursor=_before(origin))
    yield items[-1]


def _operation_items(
    operations: list[Any], body: Mapping[str, Any], origin: Origin
) -> Iterator[SourcedItem]:
    blocks: Mapping[bytes, Any] | None = None
    for one in operations:
        operation = _operation(one, body.get("repo"))
        if operation is None:
            yield rejected(origin, InvalidMessageError.reason)
            continue
        if operation.collection in COLLECTIONS and operation.action != "delete":
            blocks = _blocks(body.get("blocks")) if blocks is None else blocks
            if operation.cid not in blocks:
                yield rejected(origin, "missing_block")
                continue
            operation = replace(operation, record=blocks[operation.cid])
        yield to_item(operation, origin)


def _operation(one: Any, repo: Any) -> Operation | None:
    path = one.get("path") if isinstance(one, dict) else None
    if not isinstance(path, str):
        return None
    collection, _, rkey = path.partition("/")
    cid = one.get("cid")
    return Operation(
        action=one.get("action"),
        did=repo,
        collection=collection,
        rkey=rkey,
        cid=cid if isinstance(cid, bytes) else None,
    )


def _blocks(car: Any) -> Mapping[bytes, Any]:
    """Read a commit's blocks by their identifiers; none where they cannot be read."""
    if not isinstance(car, bytes):
        return {}
    try:
        _, blocks = libipld.decode_car(car)
    except (ValueError, RecursionError):
        return {}
    return blocks
