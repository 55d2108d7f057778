"""`streams.sources.read_ahead`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from streams.errors import SourceError, StalledError
from streams.sources.read_ahead import EVENT_BYTES, Events, read_ahead
from streams.sources.sse import COMMENT, ServerEvent


class Script:
    """Events, and then an error or, without one, the end; knows how far it was read."""

    def __init__(self, *events: ServerEvent | None, error: Exception | None = None) -> None:
        self._events = events
        self._error = error
        self.read = 0
        self.closed = False

    async def give(self) -> Events:
        try:
            for event in self._events:
                self.read += 1
                yield event
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True


def numbered(count: int, data: str = "") -> list[ServerEvent]:
    return [ServerEvent(str(n), data) for n in range(count)]


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def everything(
    events: AsyncIterator[ServerEvent | None],
) -> tuple[list[ServerEvent | None], SourceError | None]:
    """What is given, and how it ended."""
    found: list[ServerEvent | None] = []
    try:
        async for event in events:
            found.append(event)  # noqa: PERF401 - what came before the error counts
    except SourceError as error:
        return found, error
    return found, None


async def test_what_came_before_the_end_is_given_in_order() -> None:
    script = Script(*numbered(5), COMMENT)
    found, error = await everything(read_ahead(script.give()))
    assert found == [*numbered(5), COMMENT]
    assert type(error) is SourceError
    assert script.closed


async def test_the_streams_own_error_is_raised_after_its_events() -> None:
    script = Script(*numbered(2), error=StalledError())
    found, error = await everything(read_ahead(script.give()))
    assert found == numbered(2)
    assert type(error) is StalledError


async def test_a_bug_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        await everything(read_ahead(Script(error=ZeroDivisionError()).give()))


async def test_it_reads_on_while_its_reader_is_busy() -> None:
    script = Script(*numbered(9))
    async with aclosing(read_ahead(script.give())) as events:
        await anext(events)
        await turns()
        assert script.read == 9


async def test_it_stops_reading_where_too_much_waits() -> None:
    script = Script(*numbered(9, "x" * 100))
    most = 3 * (EVENT_BYTES + 200)
    events = read_ahead(script.give(), most)
    first = await anext(events)
    await turns()
    assert script.read == 5  # three wait, one was taken, and one has no room
    rest, _ = await everything(events)
    assert [first, *rest] == numbered(9, "x" * 100)


async def test_moments_do_not_pile_up() -> None:
    script = Script(*numbered(1), None, None, *numbered(1), None)
    found, _ = await everything(read_ahead(script.give()))
    assert found == [*numbered(1), *numbered(1)]
    found, _ = await everything(read_ahead(Script(None).give()))
    assert found == [None]


async def test_what_is_left_off_is_closed() -> None:
    script = Script(*numbered(9, "x" * 100))
    async with aclosing(read_ahead(script.give(), 1)) as events:
        await anext(events)
    assert script.closed
