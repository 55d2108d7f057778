"""`streams.sources.mastodon_wire`; what it carries is tested with the source that reads it."""

from contextlib import aclosing

import pytest

from streams.errors import SourceError
from streams.sources import mastodon_wire
from streams.sources.mastodon_wire import OPENED, Channel, by_events
from tests.fakes import FakeClock
from tests.streams.sources.mastodon_servers import HANG, mastodon


async def test_while_nothing_comes_its_reader_may_do_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mastodon_wire, "TICK_SECONDS", 0.01)
    async with mastodon(told=[[HANG]]) as server:
        channel = Channel(url=server.url.replace("http", "ws"), headers={})
        async with aclosing(by_events(channel, FakeClock())) as arriving:
            assert await anext(arriving) == OPENED
            assert await anext(arriving) is None


async def test_a_page_in_place_of_a_stream_is_none() -> None:
    async with mastodon() as server:
        url = server.url.replace("http", "ws") + "/api/v2/instance?"
        with pytest.raises(SourceError, match="no stream"):
            await anext(by_events(Channel(url=url, headers={}), FakeClock()))
