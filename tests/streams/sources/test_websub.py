"""`streams.sources.websub`, with a hub of the tests' own."""

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from aiohttp import web
from fastapi import FastAPI

from streams.sources.feeds import FeedConfig, FeedSource
from streams.sources.polite import PoliteClient
from streams.sources.source import EventKind, Passed, SourcedPost
from streams.sources.websub import (
    MAX_PING_BYTES,
    RETRY_SECONDS,
    Hubs,
    build_router,
    linked,
)
from tests.fakes import FakeClock
from tests.streams.sources.hosting import Host, Sleeper, hosted
from tests.streams.sources.test_feed_entries import RSS
from tests.streams.sources.test_feeds import KIND, item, readings

BASE = "https://push.example"
BEAT = {EventKind.HEARTBEAT: 1}


class World:
    """A feed with its hub, our endpoint, and a reader of the feed."""

    def __init__(self, host: Host, clock: FakeClock) -> None:
        self.host = host
        self.clock = clock
        self.hubs = Hubs(BASE + "/", clock)
        app = FastAPI()
        app.include_router(build_router(self.hubs))
        self.outside = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)
        self.sleeper = Sleeper(clock)
        self.client = PoliteClient(
            clock=clock, sleep=self.sleeper, allow_origins=frozenset({host.origin})
        )
        host.give("/hub", status=202)

    def show(self, *numbers: int) -> None:
        """Let the feed list these entries."""
        text = RSS.format(items="".join(map(item, numbers)), head="", encoding="utf-8")
        text = text.replace("https://hub.example/", f"{self.host.origin}/hub")
        self.host.give("/feed", text.encode(), kind=KIND)

    def asked(self) -> dict[str, str]:
        """Give the last form that the hub got."""
        body = next(body for body in reversed(self.host.bodies) if body)
        return {name: values[0] for name, values in parse_qs(body.decode()).items()}

    async def confirm(self, **changes: str) -> httpx.Response:
        """Ask, as the hub, whether we subscribed."""
        form = self.asked()
        query = {
            "hub.mode": "subscribe",
            "hub.topic": form["hub.topic"],
            "hub.challenge": "c1",
            "hub.lease_seconds": "1000",
        } | {name.replace("_", "."): value for name, value in changes.items()}
        return await self.outside.get(urlsplit(form["hub.callback"]).path, params=query)

    async def ping(self, body: bytes, *, secret: str | None = None) -> httpx.Response:
        """Tell, as the hub, that something is new."""
        form = self.asked()
        key = (form["hub.secret"] if secret is None else secret).encode()
        signed = hmac.new(key, body, hashlib.sha256).hexdigest()
        return await self.outside.post(
            urlsplit(form["hub.callback"]).path,
            content=body,
            headers={"X-Hub-Signature": f"sha256={signed}"},
        )


@pytest.fixture
async def world(clock: FakeClock) -> AsyncIterator[World]:
    async with hosted() as host:
        made = World(host, clock)
        made.show(1)
        yield made
        await made.client.close()
        await made.outside.aclose()


async def test_a_ping_wakes_the_reading_of_its_feed(world: World) -> None:
    hanging = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if seconds > 60:
            await hanging.wait()  # the pause between two readings

    config = FeedConfig(name="news", url=f"{world.host.origin}/feed")
    reader = FeedSource(
        config, clock=world.clock, client=world.client, sleep=sleep, hubs=world.hubs
    )
    found: list[str] = []
    async with asyncio.timeout(10), contextlib.aclosing(reader.posts(None)) as items:  # type: ignore[type-var]
        reading = items.__aiter__()

        async def read() -> None:
            while not isinstance(one := await anext(reading), Passed):
                if isinstance(one, SourcedPost):
                    found.append(one.post.id)

        await read()
        second = asyncio.ensure_future(read())
        while "/hub" not in world.host.paths():  # noqa: ASYNC110 - the server has no event
            await asyncio.sleep(0.01)
        answer = await world.confirm()
        assert (answer.status_code, answer.text) == (200, "c1")
        world.show(1, 2)
        assert (await world.ping(b"<feed/>", secret="wrong")).status_code == 202
        await asyncio.sleep(0.05)
        assert not second.done(), "signed by somebody else"
        assert (await world.ping(b"<feed/>")).status_code == 202
        await second
    assert found == ["g1", "g2"]


async def test_a_lease_is_renewed_before_it_ends_and_a_silent_hub_asked_again(
    world: World, clock: FakeClock
) -> None:
    one = world.hubs.subscription("news")

    async def subscribe() -> int:
        await world.hubs.subscribe(one, world.client, f"{world.host.origin}/hub", "https://t/")
        return world.host.paths().count("/hub")

    assert (await subscribe(), await subscribe()) == (1, 1)
    clock.advance(RETRY_SECONDS + 1)
    assert await subscribe() == 2, "it never confirmed"
    assert (await world.confirm()).status_code == 200
    clock.advance(799)
    assert await subscribe() == 2
    clock.advance(2)
    assert await subscribe() == 3
    form = world.asked()
    assert form["hub.callback"].startswith(f"{BASE}/v1/websub/")
    assert "news" not in form["hub.callback"]


async def test_what_we_did_not_ask_for_is_not_confirmed(world: World) -> None:
    one = world.hubs.subscription("news")
    await world.hubs.subscribe(one, world.client, f"{world.host.origin}/hub", "https://t/")
    for changes in ({"hub_topic": "https://other/"}, {"hub_mode": "unsubscribe"}):
        assert (await world.confirm(**changes)).status_code == 404
    assert (await world.outside.get("/v1/websub/x", params={})).status_code == 404
    assert (await world.outside.post("/v1/websub/x", content=b"")).status_code == 404


async def test_pings_that_are_too_large_or_oddly_signed_wake_nothing(world: World) -> None:
    one = world.hubs.subscription("news")
    await world.hubs.subscribe(one, world.client, f"{world.host.origin}/hub", "https://t/")
    assert (await world.ping(b"x" * (MAX_PING_BYTES + 1))).status_code == 413
    path = urlsplit(world.asked()["hub.callback"]).path
    for signature in ("", "md5=00", "sha256=", "sha256"):
        answer = await world.outside.post(path, headers={"X-Hub-Signature": signature})
        assert answer.status_code == 202
    assert not one.wake.is_set()


async def test_a_hub_that_does_not_answer_stops_nothing(world: World) -> None:
    one = world.hubs.subscription("news")
    world.host.give("/hub", status=500)
    for hub in (
        "http://xn--/",
        "http://127.0.0.1:1/hub",
        f"{world.host.origin}/hub",
        "gopher://x/",
    ):
        one.due_at = float("-inf")
        await world.hubs.subscribe(one, world.client, hub, "https://t/")
    assert one.topic == "https://t/"


def read_once(world: World) -> FeedSource:
    config = FeedConfig(name="news", url=f"{world.host.origin}/feed")
    return FeedSource(
        config, clock=world.clock, client=world.client, sleep=world.sleeper, hubs=world.hubs
    )


async def test_a_hub_is_asked_after_a_restart_though_the_feed_is_the_same(world: World) -> None:
    def answer() -> web.Response:
        asked = world.host.asked[-1][2]
        return web.Response(status=304) if "If-None-Match" in asked else whole()

    world.show(1)
    whole = world.host.at["/feed"]
    world.host.at["/feed"] = answer
    reader = read_once(world)
    await readings(reader, '{"etag":"a"}', 1)
    [_, again] = await readings(reader, '{"etag":"a"}', 2)
    assert again == [Passed(cursor='{"etag":"a","last_modified":"","newest":""}', counts=BEAT)]
    assert world.asked()["hub.topic"] == "https://feeds.example/s"


async def test_a_hub_that_the_headers_name_comes_before_the_feeds_own(world: World) -> None:
    link = '</hub2>; rel="hub", <https://t.example/>; rel=self'
    world.host.give("/feed", RSS.format(items="", head="", encoding="utf-8"), Link=link)
    world.host.give("/hub2", status=202)
    await readings(read_once(world), None, 2)
    assert world.host.paths()[:2] == ["/feed", "/hub2"]
    assert world.asked()["hub.topic"] == "https://t.example/"


@pytest.mark.parametrize(
    ("header", "hub"),
    [
        ("", None),
        ("<https://h.example/>", None),
        ("<https://h.example/>; rel=hub", "https://h.example/"),
        (
            '<https://a.example/>; rel="self",< https://h.example/ >; REL = "x HUB"',
            "https://h.example/",
        ),
        ('<https://h.example/>; title="hub"', None),
        ("<" * 4000, None),
        ("; rel=hub" * 400, None),
    ],
)
def test_a_link_header_is_read(header: str, hub: str | None) -> None:
    assert linked(header, "hub") == hub


async def test_what_anybody_sends_is_not_read_and_what_comes_slowly_is_let_go(
    world: World,
) -> None:
    read = asyncio.Event()

    async def called(path: str) -> int:
        """Call as a server does: its `receive` waits until the body goes on."""
        app = FastAPI()
        app.include_router(build_router(world.hubs, ping_seconds=0.05))
        answers: list[int] = []

        async def receive() -> dict[str, object]:
            read.set()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answers.append(message["status"])

        scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
        await app(scope, receive, send)
        return answers[0]

    assert await called("/v1/websub/x") == 404
    assert not read.is_set()
    one = world.hubs.subscription("news")
    assert await called(f"/v1/websub/{one.token}") == 413
    assert read.is_set()
    assert not one.wake.is_set()
