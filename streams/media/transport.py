"""The one way out: every connection is judged by its address, after the name was resolved.

A URL's host is resolved once, all answers must be public, and the connection goes to an address
that was judged, never to the name: a name that changes its answer (DNS rebinding) gains nothing.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import httpcore
import httpx

from streams.errors import ConfigurationError, ForbiddenAddressError
from streams.media.addresses import is_public

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to IP addresses, best first; raises `OSError` where there is none."""

SocketOptions = Iterable[httpcore.SOCKET_OPTION]

SCHEMES = {"http": 80, "https": 443}
"""What may be fetched, and on which port where the URL names none."""

PORTS = frozenset(SCHEMES.values())

ORIGIN = re.compile(r"https?://[^/@?#\s]+:\d{1,5}")

MAX_ADDRESSES = 4
"""Addresses of one host that are tried, in the resolver's order."""

MAX_CONNECTIONS = 100
MAX_IDLE_CONNECTIONS = 20
IDLE_CONNECTION_SECONDS = 10.0

RESOLVER_THREADS = 32
"""Threads of our own: names that hang must not stop the process's other threaded work."""


class SystemResolver:
    """`getaddrinfo` in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="resolver")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _lookup, host, port)

    def close(self) -> None:
        """Take no more names; does not wait for those that hang."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _lookup(host: str, port: int) -> list[str]:
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in answers))


def _permit_any(_address: str) -> bool:
    return True


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolve, judge every answer, and connect to an address that was judged.

    Args:
        resolve: names to addresses.
        inner: what makes the connection; it is only ever given an IP address.
        permits: whether an address may be connected to.
    """

    def __init__(
        self,
        resolve: Resolver,
        inner: httpcore.AsyncNetworkBackend,
        permits: Callable[[str], bool] = is_public,
    ) -> None:
        self._resolve = resolve
        self._inner = inner
        self._permits = permits

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers.

        Raises:
            ForbiddenAddressError: any of the host's addresses is forbidden; nothing was sent.
            httpcore.ConnectError: no address, or none that answers; `ConnectTimeout` likewise.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._addresses(host, port)
                return await self._connect(addresses, port, timeout, local_address, socket_options)
        except TimeoutError:
            raise httpcore.ConnectTimeout("no connection in time") from None

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):  # UnicodeError: a label that IDNA cannot carry
            raise httpcore.ConnectError("the host's name does not resolve") from None
        if not addresses:
            raise httpcore.ConnectError("the host's name has no address")
        if not all(self._permits(address) for address in addresses):
            raise ForbiddenAddressError("the host has an address that is not public")
        return addresses[:MAX_ADDRESSES]

    async def _connect(
        self,
        addresses: Sequence[str],
        port: int,
        timeout: float | None,  # noqa: ASYNC109 - handed on
        local_address: str | None,
        socket_options: SocketOptions | None,
    ) -> httpcore.AsyncNetworkStream:
        share = timeout and timeout / len(addresses)
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._body:
            yield part

    async def aclose(self) -> None:
        await cast("httpcore.AsyncConnectionPool", self._body).aclose()


class GuardedTransport(httpx.AsyncBaseTransport):
    """An httpx transport that reaches public addresses, and the origins it was allowed.

    It knows no proxy, no environment, no unix socket, and follows no redirect. Its errors are
    `ForbiddenAddressError` and httpcore's own. Use it on one event loop.

    Args:
        allow_origins: private origins, each exactly `scheme://host:port`.
        resolve: names to addresses; the system's where None.
        inner: what makes connections to an address.
    """

    def __init__(
        self,
        allow_origins: frozenset[str] = frozenset(),
        *,
        resolve: Resolver | None = None,
        inner: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allowed = frozenset(_parse_origin(origin) for origin in allow_origins)
        self._system = SystemResolver()
        resolve = resolve or self._system
        inner = inner or httpcore.AnyIOBackend()
        tls = httpx.create_ssl_context(trust_env=False)
        self._public = _build_pool(tls, GuardedBackend(resolve, inner))
        self._private = _build_pool(tls, GuardedBackend(resolve, inner, _permit_any))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return its answer, the body unread.

        Raises:
            ForbiddenAddressError: scheme, port or address is not allowed.
        """
        url = request.url
        origin = origin_of(url)
        pool = self._private if origin in self._allowed else self._public
        if pool is self._public and origin[2] not in PORTS:
            raise ForbiddenAddressError("only ports 80 and 443 are fetched from")
        answer = await pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(cast("AsyncIterator[bytes]", answer.stream)),
            extensions=answer.extensions,
            request=request,
        )

    async def aclose(self) -> None:
        await self._public.aclose()
        await self._private.aclose()
        self._system.close()


def origin_of(url: httpx.URL) -> tuple[str, str, int]:
    """Tell scheme, host and port.

    Raises:
        ForbiddenAddressError: no host or one with a zone, not http or https, or credentials.
    """
    if url.scheme not in SCHEMES:
        raise ForbiddenAddressError("only http and https are fetched")
    if not url.host or b"%" in url.raw_host or url.userinfo:
        raise ForbiddenAddressError("the address has no plain host, or carries credentials")
    port = url.port if url.port is not None else SCHEMES[url.scheme]  # port 0 is no default port
    return url.scheme, url.host, port


def _parse_origin(text: str) -> tuple[str, str, int]:
    if ORIGIN.fullmatch(text) is None:
        raise ConfigurationError("an allowed origin is exactly scheme://host:port")
    try:
        return origin_of(httpx.URL(text))
    except (httpx.InvalidURL, ForbiddenAddressError) as error:
        raise ConfigurationError("an allowed origin is exactly scheme://host:port") from error


def _build_pool(
    tls: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend
) -> httpcore.AsyncConnectionPool:
    return httpcore.AsyncConnectionPool(
        ssl_context=tls,
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_IDLE_CONNECTIONS,
        keepalive_expiry=IDLE_CONNECTION_SECONDS,
        network_backend=backend,
    )
