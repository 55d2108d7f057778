"""`agents.source_gauges`."""

from datetime import timedelta

from agents.source_gauges import SourceGauges
from monitors import freshness, gaps, metrics
from monitors.database import Database
from monitors.freshness import Expectation, Heard
from monitors.gaps import GapState
from streams.sources.source import EventKind
from tests.fakes import FakeClock


async def test_freshness_troubles_and_gaps_become_gauges_and_pass(
    database: Database, clock: FakeClock
) -> None:
    expected = {"sky": Expectation(silent_seconds=1e6, kinds={EventKind.POST: 60})}
    gauges = SourceGauges(database, clock, expected)
    with database.write() as connection:
        heard = Heard(counts={EventKind.ACCOUNT: 1}, event_at=clock.now() - timedelta(seconds=5))
        freshness.note_heard(connection, database, "sky", heard, clock.now())
        number = gaps.open_gap(connection, "sky", "stalled", clock.now())
    clock.advance(61)
    await gauges.look()
    assert metrics.SOURCE_HEARD.labels("sky")._value.get() == 61
    assert metrics.SOURCE_LAG.labels("sky")._value.get() == 5
    assert metrics.SOURCE_KIND_MISSING.labels("sky", "post")._value.get() == 1
    assert metrics.SOURCE_TROUBLE.labels("sky", "kind_missing")._value.get() == 1
    assert metrics.SOURCE_GAPS.labels("sky", "open")._value.get() == 1
    with database.write() as connection:
        gaps.settle_gap(connection, number, GapState.REFILLED)
        freshness.note_heard(
            connection, database, "sky", Heard(counts={EventKind.POST: 1}), clock.now()
        )
    await gauges.look()
    assert metrics.SOURCE_KIND_MISSING.labels("sky", "post")._value.get() == 0
    assert metrics.SOURCE_TROUBLE.labels("sky", "kind_missing")._value.get() == 0
    assert metrics.SOURCE_GAPS.labels("sky", "open")._value.get() == 0
    assert metrics.SOURCE_GAPS.labels("sky", "refilled")._value.get() == 1
