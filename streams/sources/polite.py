"""One guarded, polite way to the pages that an operator's file, or a host's own pages, name.

Guarded as media are (`streams.media.transport`), since a page's links are anybody's. Polite: one
request to a host at a time, with a pause after it, and none while it asks to be left alone.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace

import httpx

from streams.clock import Clock
from streams.errors import (
    ConfigurationError,
    MediaRefusedError,
    MediaTooLargeError,
    RateLimitedError,
    SourceError,
    TooManyRedirectsError,
    UnauthorizedError,
)
from streams.media.fetcher import (
    CONNECTION_ERRORS,
    REDIRECTS,
    USER_AGENT,
    parse_url,
    redirected,
    retry_after_of,
)
from streams.media.transport import GuardedTransport

MAX_PAGE_BYTES = 8 * 2**20
"""Of one answer, as sent and as unpacked."""

TOTAL_SECONDS = 30.0
CONNECT_SECONDS = 5.0
IDLE_SECONDS = 10.0
MAX_REDIRECTS = 5

UNTOLD_SECONDS = 60.0
"""How long a host is left alone that says 429 or 503 without saying for how long."""

MAX_HOSTS = 1_000
"""Whose pauses are remembered; the longest unused is forgotten first."""

PERMANENT = frozenset({301, 308})
ANSWERS = frozenset({200, 203, 304})
GONE = frozenset({404, 410, 451})
"""Given to the caller like an answer: they say something about what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What makes a request conditional.

    Args:
        etag: of the last answer.
        last_modified: likewise.
    """

    etag: str = ""
    last_modified: str = ""

    def headers(self) -> dict[str, str]:
        """Give them as a request carries them."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A host's answer.

    Args:
        status: 200, 203, 304, 404, 410 or 451.
        body: unpacked, at most `MAX_PAGE_BYTES`; empty unless 200 or 203.
        content_type: the host's claim.
        url: after redirects.
        moved_to: where it is from now on, where the host says so: 301 or 308.
        validators: for the next request.
        link: the `Link` header.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    url: str = field(default="", repr=False)
    moved_to: str | None = field(default=None, repr=False)
    validators: Validators = field(default_factory=Validators, repr=False)
    link: str = field(default="", repr=False)


@dataclass(slots=True)
class _Lane:
    """One host's turn."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    next_at: float = float("-inf")
    closed_until: float = float("-inf")


class PoliteClient:
    """Fetches pages; one event loop, any number of tasks.

    Args:
        clock: whose monotonic time the pauses follow.
        sleep: waits, in seconds.
        allow_origins: private origins that may be reached, each exactly `scheme://host:port`.
        delay_seconds: between an answer of a host and the next request to it.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        allow_origins: frozenset[str] = frozenset(),
        delay_seconds: float = 1.0,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._delay = delay_seconds
        self._transport = GuardedTransport(allow_origins)
        self._lanes: dict[str, _Lane] = {}

    async def get(
        self, url: str, *, validators: Validators | None = None, delay_seconds: float | None = None
    ) -> Page:
        """Fetch a page. No error's message names the URL.

        Args:
            url: http or https.
            validators: where an earlier answer is kept: a page that is the same is a 304.
            delay_seconds: for this host, where it wants more than the client's own.

        Raises:
            MediaRefusedError: its address is forbidden, or its answer too large.
            RateLimitedError: 429 or 503; it is not asked again before it said.
            UnauthorizedError: 401 or 403.
            SourceError: anything else that is no answer.
        """
        headers = (validators or Validators()).headers()
        delay = max(self._delay, delay_seconds or 0.0)
        moved: str | None = None
        target, permanent = parse_url(url), True
        for _ in range(MAX_REDIRECTS + 1):
            async with self._turn(target.host, delay) as lane, _told():
                request = _request("GET", target, headers)
                arrived = await self._visit(request, lane)
            if isinstance(arrived, Page):
                return replace(arrived, moved_to=moved)
            permanent = permanent and arrived[0] in PERMANENT
            target = arrived[1]
            moved = str(target) if permanent else moved
        raise TooManyRedirectsError(f"more than {MAX_REDIRECTS} redirects")

    async def post(self, url: str, form: Mapping[str, str]) -> int:
        """Send a form; give the answer's status. Redirects are not followed.

        Raises:
            MediaRefusedError: its address is forbidden.
            SourceError: no answer.
        """
        target = parse_url(url)
        body = str(httpx.QueryParams(dict(form))).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with self._turn(target.host, self._delay), _told():
            request = _request("POST", target, headers, body)
            response = await self._transport.handle_async_request(request)
            await response.aclose()
        return response.status_code

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    @asynccontextmanager
    async def _turn(self, host: str, delay: float) -> AsyncIterator[_Lane]:
        lane = self._lanes.pop(host, None) or _Lane()
        self._lanes[host] = lane
        if len(self._lanes) > MAX_HOSTS:
            del self._lanes[next(iter(self._lanes))]
        async with lane.lock:
            now = self._clock.monotonic()
            if now < lane.closed_until:
                raise RateLimitedError(
                    "it asked to be left alone", retry_after_seconds=lane.closed_until - now
                )
            if now < lane.next_at:
                await self._sleep(lane.next_at - now)
            try:
                yield lane
            finally:
                lane.next_at = self._clock.monotonic() + delay

    async def _visit(self, request: httpx.Request, lane: _Lane) -> Page | tuple[int, httpx.URL]:
        response = await self._transport.handle_async_request(request)
        try:
            status = response.status_code
            if status in REDIRECTS:
                return status, redirected(request.url, response.headers)
            if status in {429, 503}:
                wait = retry_after_of(response.headers)
                wait = UNTOLD_SECONDS if wait is None else wait
                lane.closed_until = self._clock.monotonic() + wait
                raise RateLimitedError(f"status {status}", retry_after_seconds=wait)
            _check(status)
            body = await _read(response) if status in {200, 203} else b""
            return _page(request.url, response, body)
        finally:
            await response.aclose()


@contextmanager
def named_by_operator() -> Iterator[None]:
    """Make what may not be fetched a mistake of the sources' file.

    Raises:
        ConfigurationError: the address is forbidden, or leads to what is too large.
    """
    try:
        yield
    except MediaRefusedError as error:
        raise ConfigurationError(f"an address of the sources' file: {error}") from None


def _request(
    method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None = None
) -> httpx.Request:
    own = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "gzip"}
    timeouts = {
        "connect": CONNECT_SECONDS,
        "read": IDLE_SECONDS,
        "write": IDLE_SECONDS,
        "pool": TOTAL_SECONDS,
    }
    return httpx.Request(
        method, url, headers=own | dict(headers), content=content, extensions={"timeout": timeouts}
    )


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Bound one request, and say without its address why there was no answer."""
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            yield
    except (TimeoutError, *CONNECTION_ERRORS) as error:
        raise SourceError(f"no answer: {type(error).__name__}") from None


def _check(status: int) -> None:
    if status in {401, 403}:
        raise UnauthorizedError(f"status {status}")
    if status not in ANSWERS | GONE:
        raise SourceError(f"status {status}")


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAX_PAGE_BYTES:
            raise MediaTooLargeError(f"more than {MAX_PAGE_BYTES} bytes")
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding in {"", "identity"}:
        return bytes(body)
    if coding not in {"gzip", "x-gzip"}:
        raise SourceError("a content coding that was not asked for")
    return _unpacked(bytes(body))


def _unpacked(packed: bytes) -> bytes:
    """Unpack gzip, but no more than a page may have: a thousandth of it may be sent."""
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        body = reader.decompress(packed, MAX_PAGE_BYTES + 1)
    except zlib.error:
        raise SourceError("a body that is no gzip") from None
    if len(body) > MAX_PAGE_BYTES:
        raise MediaTooLargeError(f"more than {MAX_PAGE_BYTES} bytes")
    return body


def _page(url: httpx.URL, response: httpx.Response, body: bytes) -> Page:
    headers = response.headers
    return Page(
        status=response.status_code,
        body=body,
        content_type=headers.get("content-type", "")[:200],
        url=str(url),
        validators=Validators(
            etag=headers.get("etag", "")[:1000],
            last_modified=headers.get("last-modified", "")[:100],
        ),
        link=headers.get("link", "")[:4000],
    )
