"""`streams.sources.answers`; what it asks is tested with the sources that use it."""

from datetime import UTC, datetime

import pytest

from streams.errors import RateLimitedError, SourceError, UnauthorizedError
from streams.sources.answers import (
    MAX_RETRY_AFTER_SECONDS,
    Answer,
    decode,
    retry_after_seconds,
    to_error,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2020 12:00:30 GMT"}, 0.0),
        ({"retry-after": "9" * 100}, MAX_RETRY_AFTER_SECONDS),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "٣"}, None),
        ({"ratelimit-reset": str(int(NOW.timestamp()) + 40)}, 40.0),
        ({"ratelimit-reset": "later"}, None),
        ({"x-ratelimit-reset": "2026-11-23T12:05:00.000000Z"}, 300.0),
        ({"x-ratelimit-reset": "2026-11-23T12:05:00Z", "retry-after": "7"}, 7.0),
        ({"x-ratelimit-reset": "2026-13-45"}, None),
    ],
)
def test_how_long_to_wait_is_read_in_every_form(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_seconds(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, RateLimitedError),
        (401, UnauthorizedError),
        (403, UnauthorizedError),
        (404, SourceError),
        (503, SourceError),
    ],
)
def test_an_answer_that_is_none_is_an_error_of_its_kind(
    status: int, kind: type[SourceError]
) -> None:
    error = to_error(Answer(status=status, headers={"retry-after": "3"}), NOW)
    assert type(error) is kind
    assert error.retry_after_seconds == (None if kind is UnauthorizedError else 3)


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[" * 100_000])
def test_what_is_not_json_is_no_answer(body: bytes) -> None:
    with pytest.raises(SourceError):
        decode(body)
