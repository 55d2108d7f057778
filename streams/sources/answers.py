"""Questions to a server that the operator configured, and what its answers mean."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import httpx
from pydantic import StringConstraints

from streams.errors import OversizedAnswerError, RateLimitedError, SourceError, UnauthorizedError
from streams.sources.fields import parse_time

ServiceUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s?#]+$", max_length=512)]

MAX_RETRY_AFTER_SECONDS = 86_400.0

MAX_ANSWER_BYTES = 8 * 2**20
"""A page of 100 posts of the AT Protocol, with all that may hang on them, is about 1 MB."""

TIMEOUTS = httpx.Timeout(20.0, connect=10.0)
USER_AGENT = "Haechi/1 (finds re-uploads of registered footage)"

RESETS = ("ratelimit-reset", "x-ratelimit-reset")
"""When a limit starts anew: a Unix time as the AT Protocol has it, a date as Mastodon has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said.

    Args:
        status: of HTTP.
        headers: with names in lower case, or that do not mind it.
        body: as far as it was read.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@asynccontextmanager
async def asking(**headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """Hold a client for one question, or for those that belong together."""
    sent = {"User-Agent": USER_AGENT, "Accept": "application/json"} | headers
    async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUTS, headers=sent) as client:
        yield client


async def ask(client: httpx.AsyncClient, method: str, url: str, **request: Any) -> Answer:
    """Ask one question; redirections are answers.

    Args:
        client: of `asking`.
        method: of HTTP.
        url: where.
        request: as httpx has it: `params`, `json`, `headers`.

    Raises:
        SourceError: there is no answer, or one without end.
    """
    try:
        async with client.stream(method, url, **request) as response:
            body = await read(response)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceError(f"no answer: {type(error).__name__}") from None
    return Answer(status=response.status_code, headers=response.headers, body=body)


async def read(response: httpx.Response) -> bytes:
    """Read what is answered.

    Raises:
        SourceError: it is without end.
    """
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise OversizedAnswerError("an answer without end")
    return bytes(body)


def decode(body: bytes) -> Any:
    """Read JSON.

    Raises:
        SourceError: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise SourceError("an answer that is not JSON") from None


def to_error(answer: Answer, now: datetime) -> SourceError:
    """Make the error of an answer that is none.

    Args:
        answer: with a status other than was hoped for.
        now: for headers that give a date.
    """
    wait = retry_after_seconds(answer.headers, now)
    if answer.status == 429:
        return RateLimitedError("asked to slow down", retry_after_seconds=wait)
    if answer.status in {401, 403}:
        return UnauthorizedError(f"status {answer.status}")
    return SourceError(f"status {answer.status}", retry_after_seconds=wait)


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read `Retry-After`, in seconds or a date, or else the time at which a limit starts anew."""
    after = headers.get("retry-after", "")
    wait: float | None = None
    if _is_number(after):
        wait = float(after[:9])
    elif after:
        wait = _until(after, now)
    else:
        wait = _until_reset(headers, now)
    return None if wait is None else min(max(wait, 0.0), MAX_RETRY_AFTER_SECONDS)


def _until_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    reset = next((headers[name] for name in RESETS if name in headers), "")
    if _is_number(reset):
        return float(reset[:12]) - now.timestamp()
    at = parse_time(reset)
    return None if at is None else (at - now).total_seconds()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _until(date: str, now: datetime) -> float | None:
    try:
        parsed = parsedate_to_datetime(date)
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return (aware - now).total_seconds()
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return None
