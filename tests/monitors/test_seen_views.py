"""`monitors.seen_views`."""

from datetime import timedelta

import numpy as np

from monitors import seen_views
from monitors.database import Database
from monitors.lookback import SeenFingerprint
from streams.types import PostKey
from tests.fakes import FakeClock, unit_rows


def fingerprint(clock: FakeClock, number: int) -> SeenFingerprint:
    return SeenFingerprint(
        post=PostKey(f"{number:032x}"),
        medium=number,
        at_seconds=number / 2,
        vector=unit_rows(number, 1, 64)[0],
        pdq=bytes([number]) * 32 if number % 2 else None,
        observed_at=clock.now(),
    )


def test_what_waits_is_given_in_half_precision_until_it_is_dropped(
    database: Database, clock: FakeClock
) -> None:
    put = [fingerprint(clock, number) for number in range(3)]
    with database.write() as connection:
        seen_views.put(connection, "one", put[:2])
        seen_views.put(connection, "two", put[2:])
        seen_views.put(connection, "two", [])
        assert seen_views.count(connection) == 3
        taken = seen_views.take(connection, 2)
        assert [one.space for one in taken] == ["one", "one"]
        for one, given in zip(taken, put, strict=False):
            assert np.abs(one.seen.vector - given.vector).max() < 1e-3
            assert (one.seen.post, one.seen.pdq) == (given.post, given.pdq)
            assert (one.seen.medium, one.seen.at_seconds) == (given.medium, given.at_seconds)
            assert one.seen.observed_at == given.observed_at
        assert seen_views.drop(connection, taken[1:]) == 1
        assert [one.seen.medium for one in seen_views.take(connection, 9)] == [0, 2]


def test_what_is_old_is_forgotten(database: Database, clock: FakeClock) -> None:
    with database.write() as connection:
        seen_views.put(connection, "one", [fingerprint(clock, 1)])
        assert seen_views.forget(connection, clock.now()) == 0
        assert seen_views.forget(connection, clock.now() + timedelta(seconds=1)) == 1
