"""Structured logs: JSON lines on standard error, with an allow-list of fields.

No URL, no text, no name gets through: a field that is not listed is dropped and counted.
"""

import contextlib
import logging
import re
import sys
from collections.abc import MutableMapping
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


class _RedactUrls(logging.Filter):
    """The same for libraries that log by the standard module."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _URL.sub("<url>", record.getMessage()), None
        return True


def configure(level: str, *, process: str) -> None:
    """Send this process's logs to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_RedactUrls())
    logging.basicConfig(
        level=max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]),
        handlers=[handler],
        format=f'{{"process": "{process}", "level": "%(levelname)s", "logger": "%(name)s", '
        '"event": "%(message)s"}',
        force=True,
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
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
