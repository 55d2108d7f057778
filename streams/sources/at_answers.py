"""What an AT Protocol server's refusals mean."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from streams.errors import RateLimitedError, SourceError, UnauthorizedError

MAX_RETRY_AFTER_SECONDS = 86_400.0
MAX_ERROR_BYTES = 64 * 1024

NAME = re.compile(r"[A-Za-z]{1,64}")
"""An error's name, as XRPC has it."""


class RefusedError(SourceError):
    """A request, or a stream's cursor, that the server names a reason for; adapters act on it.

    Args:
        error: the name, as its lexicon has it: `CursorTooOld`, `ExpiredToken`…
        status: of HTTP; 0 where it came through an open stream.
    """

    def __init__(self, error: str, status: int = 0) -> None:
        super().__init__(f"refused: {error} ({status})")
        self.error = error
        self.status = status


def to_error(
    status: int, headers: Mapping[str, str], body: bytes | bytearray | None, now: datetime
) -> SourceError:
    """Make the error of an answer that is none.

    Args:
        status: of HTTP.
        headers: with names in lower case, or that do not mind it.
        body: JSON with an `error`, if it is XRPC's.
        now: for a `Retry-After` or a `RateLimit-Reset` that is a date.
    """
    wait = retry_after_seconds(headers, now)
    if status == 429:
        return RateLimitedError("asked to slow down", retry_after_seconds=wait)
    if 400 <= status < 500 and (name := error_name(body)) is not None:
        return RefusedError(name, status)
    if status in {401, 403}:
        return UnauthorizedError(f"status {status}")
    return SourceError(f"status {status}", retry_after_seconds=wait)


def to_plain(error: SourceError) -> SourceError:
    """Make what callers of the adapters know of a refusal that no adapter can act on."""
    if not isinstance(error, RefusedError):
        return error
    if error.status in {401, 403}:
        return UnauthorizedError(f"status {error.status}")
    return SourceError(f"status {error.status}" if error.status else "the stream broke off")


def error_name(body: bytes | bytearray | None) -> str | None:
    """Read the `error` of an XRPC answer; None where it has none."""
    try:
        answer = json.loads(bytes(body or b"")[:MAX_ERROR_BYTES])
    except (ValueError, RecursionError):
        return None
    name = answer.get("error") if isinstance(answer, dict) else None
    return name if isinstance(name, str) and NAME.fullmatch(name) else None


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read `Retry-After`, in seconds or a date, or else the time at which a limit starts anew."""
    after, reset = headers.get("retry-after", ""), headers.get("ratelimit-reset", "")
    wait: float | None = None
    if _is_number(after):
        wait = float(after[:9])
    elif after:
        wait = _until(after, now)
    elif _is_number(reset):
        wait = float(reset[:12]) - now.timestamp()
    return None if wait is None else min(max(wait, 0.0), MAX_RETRY_AFTER_SECONDS)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _until(date: str, now: datetime) -> float | None:
    try:
        parsed = parsedate_to_datetime(date)
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return (aware - now).total_seconds()
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return None
