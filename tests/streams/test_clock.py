"""`streams.clock`."""

from datetime import UTC, datetime, timedelta

from streams.clock import SystemClock


def test_the_date_is_aware_and_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


def test_monotonic_seconds_never_go_back() -> None:
    clock = SystemClock()
    read = [clock.monotonic() for _ in range(1000)]
    assert read == sorted(read)
