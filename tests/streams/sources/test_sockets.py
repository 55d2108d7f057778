"""`streams.sources.sockets`; its ends are tested with the sources that use it."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from streams.errors import SourceError
from streams.sources import sockets
from streams.sources.sockets import MAX_WAITING, messages, opened, read_cursor
from tests.fakes import FakeClock
from tests.streams.sources.at_servers import streaming


@pytest.mark.parametrize(
    ("cursor", "read"),
    [
        (None, (None, None)),
        ("", (None, None)),
        ("0", (0, None)),
        ("1779719009157119", (1_779_719_009_157_119, None)),
        ("x", (None, "cursor_unusable")),
        ("-1", (None, "cursor_unusable")),
        ("٣", (None, "cursor_unusable")),
        ("1" * 17, (None, "cursor_unusable")),
    ],
)
def test_a_cursor_is_a_number_or_is_of_another_source(
    cursor: str | None, read: tuple[int | None, str | None]
) -> None:
    assert read_cursor(cursor) == read


async def test_what_is_not_taken_is_not_read_so_that_the_server_notices() -> None:
    sent: list[int] = []

    def script() -> Iterator[bytes]:
        for number in range(2_000):
            sent.append(number)
            yield os.urandom(100_000)  # which no compression makes small

    async with (
        streaming(scripts=[script()], close=None) as stream,
        opened(stream.url, FakeClock()) as connection,
        aclosing(messages(connection, 5)) as arriving,
    ):
        assert await anext(arriving) is not None
        await asyncio.sleep(0.2)
        assert MAX_WAITING <= len(sent) < 500  # the rest of it is in the kernel's buffers
        for _ in range(200):
            assert await anext(arriving) is not None


async def test_a_message_without_end_is_not_read_into_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "MAX_MESSAGE_BYTES", 1000)
    async with (
        streaming(scripts=[["x" * 2000]]) as stream,
        opened(stream.url, FakeClock()) as connection,
    ):
        with pytest.raises(SourceError):
            await anext(messages(connection, 5))


async def test_while_nothing_comes_its_reader_may_do_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "TICK_SECONDS", 0.01)
    async with (
        streaming(close=None) as stream,
        opened(stream.url, FakeClock()) as connection,
        aclosing(messages(connection, 5)) as arriving,
    ):
        assert await anext(arriving) is None
