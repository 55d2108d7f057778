"""Fields that a stranger wrote, read with bounds. Pure."""

import re
from datetime import UTC, datetime
from typing import Any, TypeGuard

LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,64}")
LINK = re.compile(r"https?://[^\s\x00-\x1f\x7f\ud800-\udfff]{1,2000}", re.IGNORECASE)
SURROGATE = re.compile(r"[\ud800-\udfff]")
"""JSON can carry half of a character; nothing that stores text can."""

MAX_DATE_CHARACTERS = 64


def parse_time(value: Any) -> datetime | None:
    """Read a date of RFC 3339; None where it is none, has no zone, or leaves the calendar."""
    if not isinstance(value, str) or len(value) > MAX_DATE_CHARACTERS:
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None


def fits(pattern: re.Pattern[str], value: Any) -> TypeGuard[str]:
    """Say whether a value is text of this form."""
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def clean(text: Any, most: int) -> str:
    """Cut text to so many characters that can be stored; empty where it is none."""
    return SURROGATE.sub("\ufffd", text[:most]) if isinstance(text, str) else ""


def is_older(published_at: datetime | None, since: datetime | None) -> bool:
    """Say whether something claims to be older than was asked for; what claims nothing is not."""
    return since is not None and published_at is not None and published_at < since
