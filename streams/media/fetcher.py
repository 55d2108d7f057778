"""Fetch one medium from an address that an uploader chose. `docs/media.md` has the table."""

import asyncio
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import httpcore
import httpx

from streams.clock import Clock, SystemClock
from streams.errors import (
    ForbiddenAddressError,
    MediaError,
    MediaRefusedError,
    MediaTooLargeError,
    MediaUnavailableError,
    MediaVanishedError,
    TooManyRedirectsError,
)
from streams.media.breaker import HostBreaker
from streams.media.politeness import Politeness
from streams.media.transport import GuardedTransport, origin_of

USER_AGENT = "Haechi/1 (finds re-uploads of registered footage)"

MAX_URL_CHARACTERS = 8192
MAX_CONTENT_TYPE_CHARACTERS = 200
MAX_RETRY_AFTER_SECONDS = 86_400.0

DROPPED_CHARACTERS = re.compile(r"[\t\r\n]")
"""Browsers drop them, so a URL with them shows its picture all the same (WHATWG URL, 4.4)."""

ANSWERS = frozenset({200, 203})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
VANISHED = frozenset({404, 410, 451})
LATER = frozenset({401, 403, 408, 421, 425, 429})
"""Besides every 5xx. 401 and 403 are what hosts say to a client they take for a robot, and what
a store says before a fresh upload is everywhere: worth the caller's bounded retries."""

NOT_CONNECTED = (httpcore.ConnectError, httpcore.ConnectTimeout)
OURS = (httpcore.PoolTimeout, httpcore.LocalProtocolError, httpcore.UnsupportedProtocol)
"""Failures that say nothing about the host."""
CONNECTION_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    OSError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What one fetch may cost.

    Args:
        max_bytes: of a body.
        total_seconds: of one fetch: waiting for its host's slot, redirects and body included.
        connect_seconds: of a name's resolution and connection.
        idle_seconds: without a byte from the host.
        max_redirects: followed.
        max_failures: to connect to a host, in a row, after which it is left alone.
        cool_down_seconds: for how long.
    """

    max_bytes: int = 64 * 2**20
    total_seconds: float = 15.0
    connect_seconds: float = 5.0
    idle_seconds: float = 5.0
    max_redirects: int = 3
    max_failures: int = 2
    cool_down_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedMedia:
    """A medium's bytes, as its host delivered them.

    Args:
        body: at most `FetchLimits.max_bytes`.
        sha256: of the body, hex.
        content_type: the host's claim; proves nothing.
        final_url: after redirects.
        status: 200 or 203.
    """

    body: bytes = field(repr=False)
    sha256: str
    content_type: str | None
    final_url: str = field(repr=False)
    status: int


@dataclass(slots=True)
class _Trip:
    """One fetch.

    Args:
        max_bytes: of its body.
        gone: answers that mean that there is no such thing.
        asked: which host it is waiting for; None while it waits for nobody but us.
    """

    max_bytes: int
    gone: frozenset[int]
    asked: str | None = None


class GuardedFetcher:
    """Fetches from public addresses only, within limits; one event loop, any number of tasks.

    Args:
        user_agent: sent with every request; there are no cookies and no other identity.
        politeness: who may ask a host, and when.
        allow_origins: private origins that may be reached, each exactly `scheme://host:port`.
        limits: what one fetch may cost.
        transport: the way out; by default a `GuardedTransport` for these origins.
        clock: whose monotonic time the breaker follows.
    """

    def __init__(
        self,
        user_agent: str,
        politeness: Politeness,
        *,
        allow_origins: frozenset[str] = frozenset(),
        limits: FetchLimits | None = None,
        transport: GuardedTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._limits = limits or FetchLimits()
        self._politeness = politeness
        self._transport = transport or GuardedTransport(allow_origins)
        self._breaker = HostBreaker(
            max_failures=self._limits.max_failures,
            cool_down_seconds=self._limits.cool_down_seconds,
            clock=clock or SystemClock(),
        )
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "image/*,video/*,audio/*;q=0.9,*/*;q=0.5",
            "Accept-Encoding": "identity",
        }
        limit = self._limits
        self._timeouts = {
            "connect": limit.connect_seconds,
            "read": limit.idle_seconds,
            "write": limit.idle_seconds,
            "pool": limit.total_seconds,
        }

    async def fetch(
        self, url: str, *, max_bytes: int | None = None, gone: frozenset[int] = VANISHED
    ) -> FetchedMedia:
        """Fetch the bytes behind a URL. No error's message names the URL or its host.

        Args:
            url: what to fetch.
            max_bytes: where less is enough than the limits allow.
            gone: answers by which the host says that it has no such thing.

        Raises:
            ForbiddenAddressError: malformed, or not a public http(s) address on port 80 or 443.
            TooManyRedirectsError: more redirects than allowed.
            MediaTooLargeError: more bytes than allowed.
            MediaVanishedError: 404, 410 or 451, or what `gone` says.
            MediaUnavailableError: did not deliver this time; may carry `retry_after_seconds`.
            MediaRefusedError: any other answer, or a body in a content coding.
        """
        most = self._limits.max_bytes if max_bytes is None else max_bytes
        trip = _Trip(max_bytes=min(most, self._limits.max_bytes), gone=gone)
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                return await self._follow(trip, parse_url(url))
        except TimeoutError:
            if trip.asked is not None:
                self._breaker.fell_silent(trip.asked)
            raise MediaUnavailableError("not delivered in time") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _follow(self, trip: _Trip, url: httpx.URL) -> FetchedMedia:
        for _ in range(self._limits.max_redirects + 1):
            host, key = url.host, "{}:{}".format(*origin_of(url)[1:])
            self._breaker.check(key)
            async with self._politeness.slot(host):
                trip.asked = key
                with self._counted(key):
                    arrived = await self._visit(trip, url)
                trip.asked = None
            if isinstance(arrived, FetchedMedia):
                return arrived
            url = arrived
        raise TooManyRedirectsError(f"more than {self._limits.max_redirects} redirects")

    @contextmanager
    def _counted(self, key: str) -> Iterator[None]:
        try:
            yield
        except CONNECTION_ERRORS as error:
            if isinstance(error, NOT_CONNECTED):
                self._breaker.failed(key)
            elif not isinstance(error, OURS):
                self._breaker.fell_silent(key)
            # from None: the cause's text may name the host
            raise MediaUnavailableError(f"no delivery: {type(error).__name__}") from None
        except MediaError:
            self._breaker.answered(key)
            raise
        self._breaker.answered(key)

    async def _visit(self, trip: _Trip, url: httpx.URL) -> FetchedMedia | httpx.URL:
        request = httpx.Request(
            "GET", url, headers=self._headers, extensions={"timeout": self._timeouts}
        )
        response = await self._transport.handle_async_request(request)
        try:
            if response.status_code in REDIRECTS:
                return redirected(url, response.headers)
            _check_status(response, trip.gone)
            _check_headers(response.headers, trip.max_bytes)
            return await _read(url, response, trip.max_bytes)
        finally:
            await response.aclose()


def parse_url(url: str) -> httpx.URL:
    """Parse an attacker's URL as a browser would, then hold it to what may be fetched.

    Raises:
        ForbiddenAddressError: malformed, not http or https, no host, or with credentials.
    """
    try:
        parsed = httpx.URL(_as_browsers_read(url))
        origin_of(parsed)
    except (httpx.InvalidURL, ValueError):  # an IDNA error is a ValueError
        raise ForbiddenAddressError("the address is malformed") from None
    return parsed


def _as_browsers_read(url: str) -> str:
    if len(url) > MAX_URL_CHARACTERS:
        raise ForbiddenAddressError("the address is too long")
    head, mark, tail = re.split(r"([?#]|$)", DROPPED_CHARACTERS.sub("", url.strip()), maxsplit=1)
    return head.replace("\\", "/") + mark + tail


def redirected(url: httpx.URL, headers: httpx.Headers) -> httpx.URL:
    """Tell where a redirect leads.

    Raises:
        MediaRefusedError: nowhere, or to what may not be fetched.
    """
    location = headers.get("location")
    if not location:
        raise MediaRefusedError("a redirect to nowhere")
    try:
        return parse_url(str(url.join(_as_browsers_read(location))))
    except (httpx.InvalidURL, ValueError):
        raise ForbiddenAddressError("a malformed redirect") from None


async def _read(url: httpx.URL, response: httpx.Response, max_bytes: int) -> FetchedMedia:
    parts: list[bytes] = []
    size, digest = 0, hashlib.sha256()
    async for part in response.aiter_raw():
        size += len(part)
        if size > max_bytes:
            raise MediaTooLargeError(f"more than {max_bytes} bytes")
        digest.update(part)
        parts.append(part)
    content_type = response.headers.get("content-type")
    return FetchedMedia(
        body=b"".join(parts),
        sha256=digest.hexdigest(),
        content_type=content_type and content_type[:MAX_CONTENT_TYPE_CHARACTERS],
        final_url=str(url),
        status=response.status_code,
    )


def _check_status(response: httpx.Response, gone: frozenset[int]) -> None:
    status = response.status_code
    if status in ANSWERS:
        return
    if status in gone:
        raise MediaVanishedError(f"status {status}")
    if status in LATER or status >= 500 or 200 <= status < 300:
        raise MediaUnavailableError(
            f"status {status}", retry_after_seconds=retry_after_of(response.headers)
        )
    raise MediaRefusedError(f"status {status}")


def _check_headers(headers: httpx.Headers, max_bytes: int) -> None:
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise MediaRefusedError("a body in a content coding that was not asked for")
    length = headers.get("content-length", "0").strip()
    if length.isascii() and length.isdigit() and int(length[:20]) > max_bytes:
        raise MediaTooLargeError(f"more than {max_bytes} bytes")


def retry_after_of(headers: httpx.Headers) -> float | None:
    """Read `Retry-After`: seconds, or a date.

    A date counts from the host's own `Date`: whose clock is wrong is then moot.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError, ArithmeticError, LookupError):  # a date without end overflows
        return None
    return min(max(wait.total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)
