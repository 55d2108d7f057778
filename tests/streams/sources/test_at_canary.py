"""`streams.sources.at_canary`, against an XRPC server; a real PDS: `test_at_network.py`."""

from typing import Any

import pytest
from pydantic import SecretStr

from streams.errors import SourceError
from streams.sources.at_canary import AtCanary, AtCanaryConfig
from streams.sources.config import Token
from tests.fakes import FakeClock
from tests.streams.sources.at_servers import Answer, Service, serving

POSTS = "app.bsky.feed.post"


class Pds:
    """Takes posts, and remembers what it was given."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer or {"uri": f"at://did:plc:a/{POSTS}/3m"}
        self.given: list[Any] = []

    def handle(self, nsid: str, asked: Any, headers: Any, content: Any) -> Answer:
        if nsid.endswith("createSession"):
            return 200, {}, {"did": "did:plc:a", "accessJwt": "a", "refreshJwt": "r"}
        self.given.append(content)
        return 200, {}, self.answer


def canary(service: Service) -> AtCanary:
    password = Token(value=SecretStr("word"))
    config = AtCanaryConfig(pds=service.url, identifier="a.test", password=password)
    return AtCanary(config, clock=FakeClock())


async def test_each_canary_is_another_post_and_is_deleted_by_its_name() -> None:
    pds = Pds()
    async with serving(pds.handle) as service:
        bird = canary(service)
        assert await bird.publish() == f"at://did:plc:a/{POSTS}/3m"
        await bird.publish()
        await bird.withdraw(f"at://did:plc:a/{POSTS}/3m")
    first, second, removal = pds.given
    assert first["record"]["createdAt"] == "2026-11-23T12:00:00.000+00:00"
    assert first["record"]["text"] != second["record"]["text"]
    assert removal == {"repo": "did:plc:a", "collection": POSTS, "rkey": "3m"}


async def test_a_post_without_a_name_was_not_published() -> None:
    async with serving(Pds(uri=7).handle) as service:
        with pytest.raises(SourceError):
            await canary(service).publish()
