"""`streams.sources.fields`."""

from datetime import UTC, datetime
from typing import Any

import pytest

from streams.sources.fields import LANGUAGE, clean, fits, parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-25T14:23:28.757123456Z", datetime(2026, 5, 25, 14, 23, 28, 757123, tzinfo=UTC)),
        ("2026-05-25T23:23:28+09:00", datetime(2026, 5, 25, 14, 23, 28, tzinfo=UTC)),
        ("2026-05-25T14:23:28", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("2" * 100, None),
        (None, None),
    ],
)
def test_a_claimed_date_is_read_or_left_out(text: Any, expected: datetime | None) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    ("value", "ok"), [("ko-KR", True), ("k o", False), ("", False), (7, False)]
)
def test_a_field_fits_as_a_whole_or_not_at_all(value: Any, ok: bool) -> None:
    assert fits(LANGUAGE, value) is ok


def test_text_is_cut_and_can_be_stored() -> None:
    assert clean("a\ud800b" * 9, 4) == "a\ufffdba"
    assert clean(7, 4) == ""
