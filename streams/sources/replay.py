"""A JSON-lines file of posts, played at a chosen rate."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from streams.clock import Clock
from streams.errors import (
    ConfigurationError,
    InvalidMessageError,
    OversizedMessageError,
    TransientError,
)
from streams.schemas import MAX_POST_BYTES, NewPost
from streams.sources.source import Rejected, SourcedItem, SourcedPost

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line and where it ends; `raw` is None where it is too long to be a post."""

    start: int
    end: int
    raw: bytes | None
    whole: bool


class ReplaySource:
    """Plays a file. The cursor is the offset in bytes of the next line.

    Args:
        path: the file; each line is one `NewPost`.
        rate: posts a second; lines that are no post take their turn like the others.
        clock: gives `observed_at`, and the pace.
        sleep: waits, in seconds.
        follow: go on when the file grows, instead of ending with it.
        follow_seconds: wait between looks at a file that may have grown.
    """

    name = "replay"

    def __init__(
        self,
        path: Path,
        *,
        rate: float,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        follow: bool = False,
        follow_seconds: float = 1.0,
    ) -> None:
        self._path = path
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._follow = follow
        self._follow_seconds = follow_seconds

    async def posts(self, cursor: str | None) -> AsyncIterator[SourcedItem]:
        """Give the file's posts from `cursor` on.

        A cursor that is not the beginning of a line of this file is one of another file: the
        whole file is played, and what was seen before is known by its key.

        Raises:
            ConfigurationError: the file cannot be opened.
            TransientError: it cannot be read now.
        """
        file = await asyncio.to_thread(self._open)
        try:
            await asyncio.to_thread(_seek, file, cursor)
            due = self._clock.monotonic()
            async for line in self._lines(file):
                await self._wait_until(due)
                due = max(due + 1 / self._rate, self._clock.monotonic() - 1)
                yield self._item(line)
        finally:
            file.close()

    def _open(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise ConfigurationError(
                f"the replay file cannot be opened: {error.strerror}"
            ) from error

    async def _lines(self, file: BinaryIO) -> AsyncIterator[_Line]:
        """Give the lines that are not blank; where the file is followed, whole ones only."""
        while True:
            line = await asyncio.to_thread(_read_line, file)
            if self._follow and (line is None or not line.whole):
                await asyncio.to_thread(_rewind, file, line)
                await self._sleep(self._follow_seconds)
            elif line is None:
                return
            elif line.raw is None or line.raw.strip():
                yield line

    async def _wait_until(self, due: float) -> None:
        left = due - self._clock.monotonic()
        if left > 0:
            await self._sleep(left)

    def _item(self, line: _Line) -> SourcedItem:
        cursor = str(line.end)
        try:
            if line.raw is None:
                raise OversizedMessageError(f"{line.end - line.start} bytes")
            new = NewPost.from_bytes(line.raw)
        except InvalidMessageError as error:
            return Rejected(cursor=cursor, reason=error.reason, position=line.start)
        post = new.to_domain(source=self.name, observed_at=self._clock.now())
        return SourcedPost(post=post, cursor=cursor)


def _seek(file: BinaryIO, cursor: str | None) -> None:
    offset = int(cursor) if cursor and cursor.isascii() and cursor.isdigit() else 0
    if offset:
        file.seek(offset - 1)
        if file.read(1) != b"\n":
            at_end = file.tell() == offset and not file.read(1)
            offset = offset if at_end else 0
    file.seek(offset)


def _read_line(file: BinaryIO) -> _Line | None:
    """Read one line, or None at the end; never more than a post may have into memory.

    Raises:
        TransientError: the file cannot be read now.
    """
    start = file.tell()
    try:
        raw = file.readline(MAX_POST_BYTES + 2)
        whole, size = raw.endswith(b"\n"), len(raw)
        while size > MAX_POST_BYTES + 1 and not whole and (rest := file.readline(MAX_POST_BYTES)):
            whole, size = rest.endswith(b"\n"), size + len(rest)
    except OSError as error:
        raise TransientError("the replay file cannot be read") from error
    if not size:
        return None
    line = raw.removesuffix(b"\n").removeprefix(b"" if start else _BOM)
    fits = len(line) <= MAX_POST_BYTES
    return _Line(start=start, end=start + size, raw=line if fits else None, whole=whole)


def _rewind(file: BinaryIO, line: _Line | None) -> None:
    """Go back to the beginning of an unfinished line, or of a file that was cut short."""
    position = line.start if line else file.tell()
    size = file.seek(0, 2)
    file.seek(position if position <= size else 0)
