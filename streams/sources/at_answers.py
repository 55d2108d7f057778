"""What an AT Protocol server's refusals mean."""

import json
import re
from datetime import datetime

from streams.errors import SourceError, UnauthorizedError
from streams.sources import answers
from streams.sources.answers import Answer

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


def to_error(answer: Answer, now: datetime) -> SourceError:
    """Make the error of an answer that is none, with the name that XRPC gives it, if it does.

    Args:
        answer: its body is JSON with an `error`, if it is XRPC's.
        now: for a `Retry-After` or a `RateLimit-Reset` that is a date.
    """
    if 400 <= answer.status < 500 and answer.status != 429:
        name = error_name(answer.body)
        if name is not None:
            return RefusedError(name, answer.status)
    return answers.to_error(answer, now)


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
