"""`streams.sources.at_answers`."""

from datetime import UTC, datetime

import pytest

from streams.errors import RateLimitedError, SourceError, UnauthorizedError
from streams.sources.answers import Answer
from streams.sources.at_answers import RefusedError, error_name, to_error, to_plain

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


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
    error = to_error(Answer(status=status, headers={}, body=body), NOW)
    assert type(error) is kind
    assert type(to_plain(error)) is plain


def test_a_stream_that_was_refused_in_the_open_is_one_that_broke_off() -> None:
    assert "broke off" in str(to_plain(RefusedError("Other")))
