"""A WebSocket to a server that the operator configured, read with bounds."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.http11 import Response
from websockets.typing import Data, Subprotocol

from streams.clock import Clock
from streams.errors import ConsumerTooSlowError, SourceError, StalledError
from streams.sources.answers import Answer, to_error

SOCKET_URL = re.compile(r"^wss?://[^\s?#]{1,500}$")
SocketUrl = Annotated[str, StringConstraints(pattern=SOCKET_URL)]

MAX_MESSAGE_BYTES = 8 * 2**20
"""Of one message. The protocol caps a commit's blocks at 2 MB and a frame at 5 MB, and a record at
1 MB, of which JSON may make several times as much: nothing that is valid is larger."""

MAX_WAITING = 32
"""Messages read ahead. When they are not taken, nothing more is read from the socket, so that the
server notices, and says so, instead of us dropping anything."""

OPEN_SECONDS = 15.0
CLOSE_SECONDS = 2.0
TICK_SECONDS = 1.0
"""How often a reader is told that nothing came."""

Refusal = Callable[[Answer, datetime], SourceError]

MAX_CURSOR_DIGITS = 16
TOO_SLOW = "ConsumerTooSlow"


@asynccontextmanager
async def opened(
    url: str,
    clock: Clock,
    subprotocols: Sequence[str] = (),
    *,
    headers: Mapping[str, str] | None = None,
    refusal: Refusal = to_error,
) -> AsyncIterator[ClientConnection]:
    """Hold a connection open. It sends nothing but answers to pings: Jetstream asks for that.

    Args:
        url: where.
        clock: for dates in a refusal.
        subprotocols: offered.
        headers: sent besides.
        refusal: makes the error of a refusal.

    Raises:
        RateLimitedError: 429.
        UnauthorizedError: 401 or 403.
        SourceError: it cannot be reached, or answers otherwise.
    """
    try:
        connection = await connect(
            url,
            subprotocols=[Subprotocol(one) for one in subprotocols] or None,
            additional_headers=headers,
            proxy=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            ping_interval=None,
            max_size=MAX_MESSAGE_BYTES,
            max_queue=MAX_WAITING,
        )
    except InvalidStatus as refused:
        raise refusal(_answer(refused.response), clock.now()) from None
    except (OSError, TimeoutError, WebSocketException) as error:
        raise SourceError(f"no connection: {type(error).__name__}") from None
    async with connection:
        yield connection


async def messages(
    connection: ClientConnection, silent_seconds: float
) -> AsyncGenerator[Data | None, None]:
    """Give what arrives; None whenever nothing did for a moment.

    Raises:
        StalledError: nothing came for `silent_seconds` while we waited.
        ConsumerTooSlowError: the server closed the connection and says so.
        SourceError: the connection is closed.
    """
    loop = asyncio.get_running_loop()
    since = loop.time()
    while True:
        try:
            async with asyncio.timeout(min(TICK_SECONDS, silent_seconds)):
                message = await connection.recv()
        except TimeoutError:
            if loop.time() - since >= silent_seconds:
                raise StalledError(f"silent for {silent_seconds} s") from None
            yield None
            continue
        except ConnectionClosed as closed:
            reason = closed.rcvd.reason if closed.rcvd else ""
            error = ConsumerTooSlowError if reason == TOO_SLOW else SourceError
            raise error("the connection was closed") from None
        yield message
        since = loop.time()  # what the caller did meanwhile is no silence of the server's


def read_cursor(cursor: str | None) -> tuple[int | None, str | None]:
    """Read a stream's cursor; and why what follows it cannot be given, where it is none of ours."""
    if not cursor:
        return None, None
    if cursor.isascii() and cursor.isdigit() and len(cursor) <= MAX_CURSOR_DIGITS:
        return int(cursor), None
    return None, "cursor_unusable"


def _answer(response: Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.raw_items()}
    return Answer(status=response.status_code, headers=headers, body=bytes(response.body or b""))
