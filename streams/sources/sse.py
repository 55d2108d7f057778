"""Server-sent events, read with bounds. Pure.

https://html.spec.whatwg.org/multipage/server-sent-events.html with two differences: a comment is
told, since servers send them as heartbeats, and so is an event without data, since it is
somebody's mistake. The library httpx-sse hides both, and bounds nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from streams.errors import SourceError

MAX_EVENT_BYTES = 8 * 2**20

_NEWLINE = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An event, or a comment.

    Args:
        name: empty of a comment.
        data: its lines.
    """

    name: str
    data: str = ""


COMMENT = ServerEvent("")


class EventReader:
    """Makes events of what arrives of one stream."""

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        self._return = b""
        self._name = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """Take what arrived; give what is complete.

        Raises:
            SourceError: an event is without end.
        """
        self._size += len(chunk)
        chunk = self._return + chunk
        # a carriage return may be half of a line's end
        self._return = b"\r" if chunk.endswith(b"\r") else b""
        *lines, rest = _NEWLINE.split(chunk.removesuffix(b"\r"))
        for line in lines:
            yield from self._line(b"".join([*self._tail, line]).decode("utf-8", "replace"))
            self._tail = []
            if not self._data and not self._name:
                self._size = 0
        self._tail.append(rest)
        if self._size > MAX_EVENT_BYTES:
            raise SourceError("an event without end")

    def _line(self, line: str) -> Iterator[ServerEvent]:
        if not line:
            if self._name or self._data:
                yield ServerEvent(self._name or "message", "\n".join(self._data))
            self._name, self._data = "", []
            return
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not field:
            yield COMMENT
        elif field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
