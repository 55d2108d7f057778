"""How the sources are, as metrics: looked at again and again by the collector."""

import asyncio
from collections.abc import Mapping, Sequence

from monitors import metrics
from monitors.database import Database
from monitors.freshness import Expectation, Freshness, read_freshness
from monitors.gaps import GapState, count_gaps
from streams.clock import Clock


class SourceGauges:
    """Keeps the gauges of the sources.

    Args:
        database: with their states.
        clock: for ages.
        expected: what each enabled source must give.
    """

    def __init__(
        self, database: Database, clock: Clock, expected: Mapping[str, Expectation]
    ) -> None:
        self._database = database
        self._clock = clock
        self._expected = expected

    async def look(self) -> None:
        """Look once.

        Raises:
            DatabaseUnavailableError: nothing is known now.
        """
        found, gaps = await asyncio.to_thread(self._read)
        metrics.SOURCE_TROUBLE.clear()
        for one in found:
            if one.source in self._expected:
                _show(one, self._expected[one.source])
                for state in GapState:  # also those of which there is none: the last was settled
                    count = gaps.get((one.source, state), 0)
                    metrics.SOURCE_GAPS.labels(one.source, state.value).set(count)

    def _read(self) -> tuple[Sequence[Freshness], Mapping[tuple[str, GapState], int]]:
        with self._database.read() as connection:
            found = read_freshness(connection, self._expected, self._clock.now())
            return found, count_gaps(connection)


def _show(one: Freshness, expected: Expectation) -> None:
    name = one.source
    for value, gauge in (
        (one.heard_seconds, metrics.SOURCE_HEARD),
        (one.lag_seconds, metrics.SOURCE_LAG),
    ):
        if value is not None:
            gauge.labels(name).set(value)
    for trouble in one.troubles:
        metrics.SOURCE_TROUBLE.labels(name, trouble).set(1)
    for kind in expected.kinds:
        metrics.SOURCE_KIND_MISSING.labels(name, kind.value).set(kind in one.missing)
