"""`streams.sources.at_answers`."""

from datetime import UTC, datetime

import pytest

from streams.errors import RateLimitedError, SourceError, UnauthorizedError
from streams.sources.at_answers import (
    MAX_RETRY_AFTER_SECONDS,
    RefusedError,
    error_name,
    retry_after_seconds,
    to_error,
    to_plain,
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
    ],
)
def test_how_long_to_wait_is_read_in_every_form(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_seconds(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"error":"ExpiredToken","message":"x"}', "ExpiredToken"),
        (b'{"error":"not a name"}', None),
        (b'{"error":7}', None),
        (b"[]", None),
        (b"\xff", None),
        (b"[" * 60_000, None),
        (None, None),
    ],
)
def test_an_errors_name_is_read_if_it_is_one(body: bytes | None, name: str | None) -> None:
    assert error_name(body) == name


@pytest.mark.parametrize(
    ("status", "body", "kind", "plain"),
    [
        (429, b'{"error":"RateLimitExceeded"}', RateLimitedError, RateLimitedError),
        (401, b'{"error":"AuthMissing"}', RefusedError, UnauthorizedError),
        (403, b"", UnauthorizedError, UnauthorizedError),
        (400, b'{"error":"CursorTooOld"}', RefusedError, SourceError),
        (400, b"", SourceError, SourceError),
        (502, b'{"error":"Upstream"}', SourceError, SourceError),
    ],
)
def test_a_refusal_is_of_the_kind_that_its_reader_acts_on(
    status: int, body: bytes, kind: type[SourceError], plain: type[SourceError]
) -> None:
    error = to_error(status, {}, body, NOW)
    assert type(error) is kind
    assert type(to_plain(error)) is plain


def test_a_stream_that_was_refused_in_the_open_is_one_that_broke_off() -> None:
    assert "broke off" in str(to_plain(RefusedError("Other")))
