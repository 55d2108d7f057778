"""Structured logs: JSON lines on standard error, with an allow-list of fields.

No URL, no text, no name gets through: a field that is not listed is dropped and counted.
"""

import contextlib
import json
import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, TextIO, cast

import structlog

FIELDS = frozenset(
    "action agent attempts batch cases child children code count crashed dropped_fields "
    "duration_seconds endpoint engine epoch error event exception group kind level logger model "
    "offset origins outcome partition partitions path pid port posts process rate reason "
    "references seconds source stage status task timestamp topic version worker workers".split()
)
"""What may stand in a log line. Identifiers of cases, posts and persons may not."""

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop fields off the list and cut URLs out of the rest."""
    dropped = [name for name in event if name not in FIELDS]
    for name in dropped:
        del event[name]
    if dropped:
        event["dropped_fields"] = len(dropped)
    for name, value in event.items():
        if isinstance(value, str) and name != "origins":
            event[name] = _URL.sub("<url>", value)
    return event


class Forgiving:
    """A stream whose losses do not end the work that is logged: a full disk, a closed pipe.

    Args:
        stream: where the lines go.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or lose the text."""
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or lose what is left."""
        with contextlib.suppress(OSError):
            self._stream.flush()


def frames_of(error: BaseException | None) -> str:
    """Give an error's classes and places, its causes' too, without their messages.

    A message may quote a post, a database's row or a keyword.
    """
    parts: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        parts.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__name__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nfrom\n".join(parts)


def _render(exc_info: Any) -> str:
    return frames_of(exc_info[1])


class _JsonLines(logging.Formatter):
    """The same for libraries that log by the standard module: no URL, no error's message.

    Args:
        process: named in every line.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Write one line. What follows a message's first line may be a future's repr."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_nameless, record.args))
        message = _URL.sub("<url>", record.getMessage()).strip()
        line = {
            "process": self._process,
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": message.partition("\n")[0],
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = frames_of(record.exc_info[1])
        return json.dumps(line)


def _nameless(argument: object) -> object:
    return type(argument).__name__ if isinstance(argument, BaseException) else argument


def _report_fall(
    _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    """Stand in for Python's last words, which end with the error's message."""
    sys.stderr.write(frames_of(error) + "\n")


def configure(level: str, *, process: str) -> None:
    """Send this process's logs to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(process))
    logging.basicConfig(
        level=max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]),
        handlers=[handler],
        force=True,
    )
    if process != "cli":  # its standard error is kept in a file
        sys.excepthook = _report_fall
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_render),
            redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", Forgiving(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
