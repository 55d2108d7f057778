"""`streams.media.fetcher`, against a real server on loopback that misbehaves on purpose."""

import asyncio
import contextlib
import gzip
import hashlib
import socket
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from streams.errors import (
    ForbiddenAddressError,
    MediaError,
    MediaRefusedError,
    MediaTooLargeError,
    MediaUnavailableError,
    MediaVanishedError,
    TooManyRedirectsError,
)
from streams.media.fetcher import FetchedMedia, FetchLimits, GuardedFetcher, parse_url
from streams.media.politeness import LocalPoliteness

Write = Callable[[bytes], Awaitable[None]]
Page = Callable[[Write], Awaitable[None]]

QUICK = FetchLimits(max_bytes=4096, total_seconds=0.6, connect_seconds=0.3, idle_seconds=0.3)


def answer(status: int, body: bytes = b"", **headers: str) -> Page:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]

    async def page(write: Write) -> None:
        await write("\r\n".join([*lines, "", ""]).encode() + body)

    return page


def raw(*parts: bytes, pause_seconds: float = 0) -> Page:
    async def page(write: Write) -> None:
        for part in parts:
            await write(part)
            await asyncio.sleep(pause_seconds)

    return page


@dataclass(slots=True)
class Host:
    """A server that counts what it was asked, and with which headers."""

    pages: dict[str, Page] = field(default_factory=dict)
    hits: list[str] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    origin: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            self.hits.append(path)
            self.requests.append(head)

            async def write(part: bytes) -> None:
                writer.write(part)
                await writer.drain()

            await self.pages.get(path, answer(404))(write)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running() -> AsyncIterator[Host]:
    host = Host()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    host.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield host
    finally:
        server.close()


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with running() as host:
        yield host


class Hands:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> Any:
        raise NotImplementedError

    def monotonic(self) -> float:
        return self.at


Fetchers = Callable[..., GuardedFetcher]


@pytest.fixture
async def build(host: Host) -> AsyncIterator[Fetchers]:
    built: list[GuardedFetcher] = []

    def build(limits: FetchLimits = QUICK, *also: str, **more: Any) -> GuardedFetcher:
        fetcher = GuardedFetcher(
            "haechi-test/1",
            more.pop("politeness", None) or LocalPoliteness(),
            allow_origins=frozenset({host.origin, *also}),
            limits=limits,
            **more,
        )
        built.append(fetcher)
        return fetcher

    yield build
    for fetcher in built:
        await fetcher.close()


async def test_bytes_come_with_their_hash_type_and_final_url(host: Host, build: Fetchers) -> None:
    body = b"picture" * 100
    host.pages["/a"] = answer(302, Location="/b?c=1#d")
    host.pages["/b?c=1"] = answer(200, body, Content_Type="image/jpeg")
    fetched = await build().fetch(f"{host.origin}/a")
    assert fetched == FetchedMedia(
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
        content_type="image/jpeg",
        final_url=f"{host.origin}/b?c=1#d",
        status=200,
    )
    assert host.origin not in repr(fetched)


async def test_a_request_carries_our_name_and_neither_cookies_nor_codings(
    host: Host, build: Fetchers
) -> None:
    host.pages["/a"] = answer(200, b"x", Set_Cookie="id=1; Path=/")
    fetcher = build()
    for _ in range(2):
        await fetcher.fetch(f"{host.origin}/a")
    for request in host.requests:
        assert b"User-Agent: haechi-test/1\r\n" in request
        assert b"Accept-Encoding: identity\r\n" in request
        assert b"cookie" not in request.lower()


@pytest.mark.parametrize("hops", [0, 1, 3])
async def test_three_redirects_are_followed(host: Host, build: Fetchers, hops: int) -> None:
    for hop in range(hops):
        host.pages[f"/{hop}"] = answer(301 if hop else 307, Location=f"{host.origin}/{hop + 1}")
    host.pages[f"/{hops}"] = answer(200, b"x")
    assert (await build().fetch(f"{host.origin}/0")).body == b"x"
    assert len(host.hits) == hops + 1


async def test_a_fourth_redirect_is_too_many(host: Host, build: Fetchers) -> None:
    host.pages["/loop"] = answer(302, Location="/loop")
    with pytest.raises(TooManyRedirectsError):
        await build().fetch(f"{host.origin}/loop")
    assert len(host.hits) == 4


async def test_a_redirect_to_a_private_address_never_arrives(host: Host, build: Fetchers) -> None:
    async with running() as victim:
        victim.pages["/secret"] = answer(200, b"secret")
        port = victim.origin.rpartition(":")[2]
        fetcher = build()
        for location in (
            f"{victim.origin}/secret",
            f"//127.0.0.1:{port}/secret",
            f"http://localhost:{port}/secret",
            f"http://[::1]:{port}/secret",
            "http://127.0.0.1/",
            "http://0x7f.1/",
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[fd00:ec2::254]/",
            "https://10.0.0.1/",
            "file:///etc/passwd",
            "gopher://127.0.0.1:6379/_FLUSHALL",
            "dict://127.0.0.1:11211/",
            "data:image/png;base64,AAAA",
            "http://user:secret@8.8.8.8/",
            "http://8.8.8.8:22/",
            "http://[::1",
        ):
            host.pages["/go"] = answer(302, Location=location)
            with pytest.raises(ForbiddenAddressError):
                await fetcher.fetch(f"{host.origin}/go")
        assert victim.hits == []


async def test_the_slot_of_each_hop_is_its_own_hosts(host: Host, build: Fetchers) -> None:
    slots: list[str] = []

    class Watched(LocalPoliteness):
        @asynccontextmanager
        async def slot(self, name: str) -> AsyncIterator[None]:
            slots.append(name)
            yield

    host.pages["/a"] = answer(302, Location="http://localhost:1/b")
    with pytest.raises(MediaUnavailableError):
        await build(QUICK, "http://localhost:1", politeness=Watched()).fetch(f"{host.origin}/a")
    assert slots == ["127.0.0.1", "localhost"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, MediaVanishedError),
        (410, MediaVanishedError),
        (451, MediaVanishedError),
        (401, MediaUnavailableError),
        (403, MediaUnavailableError),
        (408, MediaUnavailableError),
        (429, MediaUnavailableError),
        (500, MediaUnavailableError),
        (503, MediaUnavailableError),
        (202, MediaUnavailableError),
        (206, MediaUnavailableError),
        (400, MediaRefusedError),
        (405, MediaRefusedError),
        (415, MediaRefusedError),
        (300, MediaRefusedError),
        (304, MediaRefusedError),
    ],
)
async def test_each_status_has_its_one_error(
    host: Host, build: Fetchers, status: int, error: type[MediaError]
) -> None:
    host.pages["/a"] = answer(status)
    with pytest.raises(MediaError, match=str(status)) as raised:
        await build().fetch(f"{host.origin}/a")
    assert type(raised.value) is error


async def test_a_redirect_without_a_location_is_refused(host: Host, build: Fetchers) -> None:
    host.pages["/a"] = answer(302)
    with pytest.raises(MediaRefusedError, match="nowhere"):
        await build().fetch(f"{host.origin}/a")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "99999999999999999999"}, 86_400.0),
        (
            {
                "Date": "Mon, 23 Nov 2026 10:00:00 GMT",
                "Retry_After": "Mon, 23 Nov 2026 10:01:30 GMT",
            },
            90.0,
        ),
        ({"Retry_After": "Mon, 23 Nov 2026 10:01:30 GMT"}, None),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "Mon, 23 Nov 2026 10:01:30 +99999999999999999"}, None),
        ({"Retry_After": "Mon, 23 Nov 99999999999999999999 10:01:30 GMT"}, None),
        ({}, None),
    ],
)
async def test_how_long_to_wait_is_handed_on(
    host: Host, build: Fetchers, headers: dict[str, str], seconds: float | None
) -> None:
    host.pages["/a"] = answer(429, b"", **headers)
    with pytest.raises(MediaUnavailableError) as raised:
        await build().fetch(f"{host.origin}/a")
    assert raised.value.retry_after_seconds == seconds


async def test_a_body_at_the_cap_passes(host: Host, build: Fetchers) -> None:
    host.pages["/a"] = answer(200, bytes(4096))
    assert len((await build().fetch(f"{host.origin}/a")).body) == 4096


async def test_an_announced_large_body_is_not_read(host: Host, build: Fetchers) -> None:
    host.pages["/a"] = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n\r\n", pause_seconds=5)
    began = time.perf_counter()
    with pytest.raises(MediaTooLargeError):
        await build().fetch(f"{host.origin}/a")
    assert time.perf_counter() - began < 0.3


@pytest.mark.parametrize("head", [b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"])
async def test_an_unannounced_large_body_is_cut_off(
    host: Host, build: Fetchers, head: bytes
) -> None:
    piece = b"400\r\n" + bytes(1024) + b"\r\n" if b"chunked" in head else bytes(1024)
    sent = 0

    async def endless(write: Write) -> None:
        nonlocal sent
        await write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        while True:
            await write(piece)
            sent += len(piece)

    host.pages["/a"] = endless
    with pytest.raises(MediaTooLargeError):
        await build().fetch(f"{host.origin}/a")
    assert sent < 64 * 2**20  # only what the sockets' buffers held


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "identity, gzip"])
async def test_a_compressed_bomb_is_refused_unopened(
    host: Host, build: Fetchers, coding: str
) -> None:
    host.pages["/a"] = answer(200, gzip.compress(bytes(10**6)), Content_Encoding=coding)
    with pytest.raises(MediaRefusedError, match="content coding"):
        await build().fetch(f"{host.origin}/a")


@pytest.mark.parametrize(
    "page",
    [
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxxxx"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nxx"),
        raw(b"SSH-2.0-OpenSSH\r\n"),
        raw(b"\x15\x03\x01"),
        raw(b""),
        raw(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000),
    ],
)
async def test_a_broken_answer_is_unavailable(host: Host, build: Fetchers, page: Page) -> None:
    host.pages["/a"] = page
    with pytest.raises(MediaUnavailableError):
        await build().fetch(f"{host.origin}/a")


@pytest.mark.parametrize(
    "page",
    [
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", *[b"x"] * 99, pause_seconds=0.05),
        raw(*[bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\nX: yyyyyyyyyyy"], pause_seconds=0.05),
        raw(b"", pause_seconds=9),
        raw(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 100, pause_seconds=0.05),
    ],
    ids=["body drips", "head drips", "silence", "continues for ever"],
)
async def test_a_slow_host_is_left_when_the_time_is_over(
    host: Host, build: Fetchers, page: Page
) -> None:
    host.pages["/a"] = page
    began = time.perf_counter()
    with pytest.raises(MediaUnavailableError):
        await build().fetch(f"{host.origin}/a")
    assert time.perf_counter() - began < 1.5


async def test_redirects_share_one_time_limit(host: Host, build: Fetchers) -> None:
    for hop in range(4):

        async def page(write: Write, hop: int = hop) -> None:
            await asyncio.sleep(0.25)
            await answer(302, Location=f"/{hop + 1}")(write)

        host.pages[f"/{hop}"] = page
    with pytest.raises(MediaUnavailableError, match="in time"):
        await build().fetch(f"{host.origin}/0")
    assert len(host.hits) == 3


async def test_a_cancelled_fetch_gives_its_slot_back(host: Host, build: Fetchers) -> None:
    host.pages["/slow"] = raw(b"", pause_seconds=9)
    host.pages["/a"] = answer(200, b"x")
    fetcher = build(QUICK, politeness=LocalPoliteness(max_per_host=1))
    slow = asyncio.ensure_future(fetcher.fetch(f"{host.origin}/slow"))
    await asyncio.sleep(0.1)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert (await fetcher.fetch(f"{host.origin}/a")).body == b"x"


async def test_after_two_refusals_a_host_is_left_alone_until_it_cooled_down(
    build: Fetchers,
) -> None:
    clock = Hands()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{closed.getsockname()[1]}"
    fetcher = build(QUICK, origin, clock=clock)
    for _ in range(2):
        with pytest.raises(MediaUnavailableError) as first:
            await fetcher.fetch(f"{origin}/a")
        assert first.value.retry_after_seconds is None
    with pytest.raises(MediaUnavailableError, match="left alone") as raised:
        await fetcher.fetch(f"{origin}/a")
    assert raised.value.retry_after_seconds == pytest.approx(60)
    clock.at += 61
    with pytest.raises(MediaUnavailableError) as probe:
        await fetcher.fetch(f"{origin}/a")
    assert probe.value.retry_after_seconds is None
    with pytest.raises(MediaUnavailableError, match="left alone"):
        await fetcher.fetch(f"{origin}/a")


@pytest.mark.parametrize("kind", ["silent", "dripping", "reset"])
async def test_addresses_that_fall_silent_stop_a_host_late_and_not_beyond_the_cool_down(
    host: Host, build: Fetchers, kind: str
) -> None:
    drops = [b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", *[b"x"] * 200]
    host.pages["/odd"] = {
        "silent": raw(b"", pause_seconds=9),
        "dripping": raw(*drops, pause_seconds=0.05),
        "reset": raw(b""),
    }[kind]
    host.pages["/a"] = answer(200, b"x")
    clock = Hands()
    fetcher = build(QUICK, clock=clock, politeness=LocalPoliteness(max_per_host=20))

    async def ask_odd(times: int) -> None:
        asked = [fetcher.fetch(f"{host.origin}/odd") for _ in range(times)]
        for one in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(one, MediaUnavailableError)

    await ask_odd(7)
    assert (await fetcher.fetch(f"{host.origin}/a")).body == b"x"
    await ask_odd(8)
    with pytest.raises(MediaUnavailableError, match="left alone"):
        await fetcher.fetch(f"{host.origin}/a")
    clock.at += 61
    await ask_odd(2)
    assert (await fetcher.fetch(f"{host.origin}/a")).body == b"x"


async def test_one_hosts_breaker_leaves_another_port_alone(host: Host, build: Fetchers) -> None:
    host.pages["/a"] = answer(200, b"x")
    fetcher = build(QUICK, "http://127.0.0.1:1")
    for _ in range(3):
        with pytest.raises(MediaUnavailableError):
            await fetcher.fetch("http://127.0.0.1:1/")
    assert (await fetcher.fetch(f"{host.origin}/a")).body == b"x"


async def test_answers_of_any_kind_keep_a_host_in_use(host: Host, build: Fetchers) -> None:
    host.pages["/bad"] = answer(500)
    host.pages["/broken"] = raw(b"nonsense\r\n\r\n")
    host.pages["/a"] = answer(200, b"x")
    fetcher = build()
    for path in ("/broken", "/bad", "/broken", "/gone", "/broken", "/a", "/broken"):
        with contextlib.suppress(MediaError):
            await fetcher.fetch(host.origin + path)
    assert len(host.hits) == 7
    assert (await fetcher.fetch(f"{host.origin}/a")).body == b"x"


async def test_waiting_for_a_slot_is_bounded_and_not_the_hosts_fault(
    host: Host, build: Fetchers
) -> None:
    host.pages["/a"] = answer(200, b"x")
    politeness = LocalPoliteness(max_per_host=1)
    fetcher = build(QUICK, politeness=politeness)
    async with politeness.slot("127.0.0.1"):
        for _ in range(3):
            with pytest.raises(MediaUnavailableError, match="in time"):
                await fetcher.fetch(f"{host.origin}/a")
    assert (await fetcher.fetch(f"{host.origin}/a")).body == b"x"


@pytest.mark.parametrize("path", ["/gone", "/loop", "/broken", "/large", "/to-secret", "/slow"])
async def test_no_trace_of_an_error_names_the_url_or_the_host(
    host: Host, build: Fetchers, path: str
) -> None:
    host.pages |= {
        "/loop": answer(302, Location="/loop"),
        "/broken": raw(b"nonsense\r\n\r\n"),
        "/large": answer(200, bytes(5000)),
        "/to-secret": answer(302, Location="http://private-name.invalid:22/victim"),
        "/slow": raw(b"", pause_seconds=9),
    }
    with pytest.raises(MediaError) as raised:
        await build().fetch(host.origin + path)
    text = "".join(traceback.format_exception(raised.value))
    for secret in (host.origin, "127.0.0.1", "private-name", "victim"):
        assert secret not in text
    assert raised.value.reason


async def test_twenty_media_of_one_host_are_fetched_side_by_side(
    host: Host, build: Fetchers
) -> None:
    async def page(write: Write) -> None:
        await asyncio.sleep(0.1)
        await answer(200, b"x")(write)

    host.pages["/a"] = page
    fetcher = build(FetchLimits(), politeness=LocalPoliteness(max_per_host=20))
    began = time.perf_counter()
    await asyncio.gather(*[fetcher.fetch(f"{host.origin}/a") for _ in range(20)])
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("  http://a.example/b c.jpg ", "http://a.example/b%20c.jpg"),
        ("http:\\\\a.example\\b.jpg", "http://a.example/b.jpg"),
        ("ht\ntp://a.example/\tb.jpg", "http://a.example/b.jpg"),
        ("http://a.example/?x=\\", "http://a.example/?x=\\"),
        ("HTTP://A.Example/ä", "http://a.example/%C3%A4"),
    ],
)
def test_a_url_is_read_as_browsers_read_it(written: str, read: str) -> None:
    assert parse_url(written) == httpx.URL(read)


async def test_a_fetch_may_ask_for_less_and_name_what_means_gone(
    host: Host, build: Fetchers
) -> None:
    host.pages["/a"] = answer(200, b"x" * 100)
    host.pages["/b"] = answer(400)
    fetcher = build()
    with pytest.raises(MediaTooLargeError):
        await fetcher.fetch(f"{host.origin}/a", max_bytes=99)
    assert (await fetcher.fetch(f"{host.origin}/a", max_bytes=100)).status == 200
    with pytest.raises(MediaVanishedError):
        await fetcher.fetch(f"{host.origin}/b", gone=frozenset({400}))
    with pytest.raises(MediaRefusedError):
        await fetcher.fetch(f"{host.origin}/b")
