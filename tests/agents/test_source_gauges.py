"""`agents.source_gauges`."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from agents.source_gauges import SourceGauges
from monitors import freshness, gaps, metrics
from monitors.database import Database
from monitors.freshness import Expectation, Heard
from monitors.gaps import GapState
from streams.errors import DatabaseUnavailableError
from streams.sources.source import EventKind
from tests.fakes import FakeClock

EXPECTED: Mapping[str, Expectation] = {
    "board": Expectation(silent_seconds=30, kinds={EventKind.DELETION: 60})
}


def hear(database: Database, clock: FakeClock, source: str = "board", lag: float = 2) -> None:
    happened = clock.now() - timedelta(seconds=lag)
    with database.write() as connection:
        heard = Heard(counts={EventKind.POST: 1}, event_at=happened)
        freshness.note_heard(connection, database, source, heard, clock.now())


def troubles() -> set[tuple[str, str]]:
    return {
        (one.labels["source"], one.labels["trouble"])
        for family in metrics.SOURCE_TROUBLE.collect()
        for one in family.samples
    }


def counted(state: GapState) -> float:
    return float(metrics.SOURCE_GAPS.labels("board", state.value)._value.get())


async def test_a_sources_age_lag_and_troubles_are_shown_while_they_last(
    database: Database, clock: FakeClock
) -> None:
    gauges = SourceGauges(database, clock, EXPECTED)
    hear(database, clock)
    clock.advance(31)
    await gauges.look()
    assert metrics.SOURCE_HEARD.labels("board")._value.get() == 31
    assert metrics.SOURCE_LAG.labels("board")._value.get() == 2
    assert troubles() == {("board", "silent")}
    hear(database, clock)
    await gauges.look()
    assert troubles() == set()


async def test_a_kind_that_is_missing_is_shown_by_name(
    database: Database, clock: FakeClock
) -> None:
    gauges = SourceGauges(database, clock, EXPECTED)
    gauge = metrics.SOURCE_KIND_MISSING.labels("board", "deletion")
    hear(database, clock)
    await gauges.look()
    shown = [gauge._value.get()]
    clock.advance(61)
    hear(database, clock)
    await gauges.look()
    assert [*shown, gauge._value.get()] == [0, 1]
    assert troubles() == {("board", "kind_missing")}


async def test_gaps_are_counted_by_state_and_a_settled_one_is_open_no_more(
    database: Database, clock: FakeClock
) -> None:
    gauges = SourceGauges(database, clock, EXPECTED)
    with database.write() as connection:
        gap = gaps.open_gap(connection, "board", "stalled", clock.now())
    await gauges.look()
    assert [counted(state) for state in GapState] == [1, 0, 0]
    with database.write() as connection:
        gaps.settle_gap(connection, gap, GapState.LOST)
    await gauges.look()
    assert [counted(state) for state in GapState] == [0, 0, 1]


async def test_a_source_that_is_not_enabled_has_no_trouble(
    database: Database, clock: FakeClock
) -> None:
    with database.write() as connection:
        freshness.note_problem(connection, database, "old", "unauthorized", clock.now())
    await SourceGauges(database, clock, EXPECTED).look()
    assert troubles() == set()


async def test_a_database_that_is_away_is_said(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gauges = SourceGauges(database, clock, EXPECTED)

    def away() -> None:
        raise DatabaseUnavailableError("away")

    monkeypatch.setattr(gauges, "_read", away)
    with pytest.raises(DatabaseUnavailableError):
        await gauges.look()
