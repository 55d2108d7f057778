"""`streams.sources.mastodon_api`; tokens and limits are tested with the sources that ask."""

import pytest

from streams.errors import SourceError
from streams.sources.mastodon_api import MastodonApi
from tests.fakes import FakeClock
from tests.streams.sources.mastodon_servers import mastodon


async def test_a_page_that_is_no_list_is_no_timeline() -> None:
    async with mastodon() as server:
        with pytest.raises(SourceError):
            await MastodonApi(server.url, None, clock=FakeClock()).page("/api/v2/instance", {})


async def test_it_streams_where_it_says_or_else_itself() -> None:
    async with mastodon() as server:
        api = MastodonApi(server.url + "/", None, clock=FakeClock())
        assert await api.streaming_url() == server.url.replace("http", "ws")
        urls = {"streaming": "wss://streaming.example/"}
        server.instance = {"configuration": {"urls": urls}}
        assert await api.streaming_url() == "wss://streaming.example"
