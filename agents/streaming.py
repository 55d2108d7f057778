"""The streams of one collector: its readers, and what looks after them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import structlog

from agents.canary import CanaryWatch
from agents.comparing import Comparison, Lacked
from agents.filing import Filing
from agents.intake import Intake
from agents.reading import Reader, ReadingDesk
from agents.search_desk import build_search_desk
from agents.searching import Searching
from agents.source_gauges import SourceGauges
from agents.storing import Storing
from alerts.channels.webhook import load_endpoints
from alerts.tasks import Desk
from monitors import gaps, metrics
from monitors.database import Database
from monitors.freshness import Expectation
from monitors.gaps import GapState
from streams.clock import Clock
from streams.errors import ConfigurationError
from streams.settings import Settings
from streams.sources.catalogue import Catalogue, read_catalogue
from streams.sources.config import SourceConfig
from streams.sources.replay import ReplaySource
from streams.sources.source import Source, SourcedItem
from streams.sources.websub import Hubs

log = structlog.get_logger()

GAUGE_SECONDS = 1.0
COMPARE_SECONDS = 30.0

TWIN_HAD_MORE = "twin_had_more"
"""Reason of a gap that another stream of the network showed, and filled."""


@dataclass(frozen=True, slots=True)
class Timer:
    """What is called again and again."""

    call: Callable[[], Awaitable[object]]
    seconds: float
    what: str


def expectations(configs: Sequence[SourceConfig]) -> dict[str, Expectation]:
    """Say what each enabled stream must give."""
    return {
        one.name: Expectation(silent_seconds=one.silent_seconds, kinds=one.expect_seconds)
        for one in configs
        if one.enabled
    }


def twins_of(configs: Sequence[SourceConfig]) -> list[tuple[str, str]]:
    """Pair the streams that are compared.

    Raises:
        ConfigurationError: with one that is not there.
    """
    names = {one.name for one in configs if one.enabled}
    pairs = []
    for one in configs:
        if one.enabled and one.compare_with is not None:
            if one.compare_with not in names - {one.name}:
                raise ConfigurationError(
                    f"sources: {one.name} is compared with {one.compare_with}, "
                    "which is no other enabled stream"
                )
            pairs.append((min(one.name, one.compare_with), max(one.name, one.compare_with)))
    return sorted(set(pairs))  # each once, though both may name the other


class Streams:
    """What one collector reads.

    Args:
        settings: of the instance.
        clock: for times.
        catalogue: the entries of the sources' file.
        replay: a file that is played; None: none is.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        catalogue: Catalogue,
        replay: Source | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.hubs = None if settings.push_url is None else Hubs(settings.push_url, clock)
        self._streams = streams = catalogue.build_streams(clock, settings.fetch_allow, self.hubs)
        self._catalogue = catalogue
        self._replay = replay
        configs = [config for config, _ in streams]
        self.expected: Mapping[str, Expectation] = expectations(configs)
        self._comparison = Comparison(twins_of(configs), clock)
        self._canaries: dict[str, CanaryWatch] = {}

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> Self:
        """Build what the settings and the sources' file name.

        Raises:
            ConfigurationError: an entry is wrong.
        """
        replay = None
        if settings.replay_file is not None:
            replay = ReplaySource(settings.replay_file, rate=settings.replay_rate, clock=clock)
        return cls(settings, clock, read_catalogue(settings.sources), replay)

    def build_searching(self, intake: Intake, filing: Filing) -> Searching:
        """Build what carries searches out."""
        desk = build_search_desk(self._settings, self._catalogue, intake, filing, self._clock)
        return Searching(desk)

    def build_readers(self, database: Database, intake: Intake) -> list[Reader]:
        """Build a reader for each stream."""
        desk = Desk(
            database=database,
            endpoints=len(load_endpoints(self._settings)),
            console_link=self._settings.console_link,
        )
        reading = ReadingDesk(
            storing=Storing(desk, self._clock, intake.owner),
            intake=intake,
            clock=self._clock,
            seen=self._saw,
            away=self._comparison.away,
        )
        readers = [Reader(source, reading) for _, source in self._streams]
        if self._replay is not None:
            readers.append(Reader(self._replay, reading, ledger=False))
        return readers

    def build_canaries(self, database: Database) -> list[CanaryWatch]:
        """Build what sends canaries through the streams that have an account for it."""
        self._canaries = {}
        for config, source in self._streams:
            canary = config.build_canary(self._clock)
            if canary is not None:
                watch = CanaryWatch(source.name, canary, database, self._clock)
                self._canaries[source.name] = watch
        return list(self._canaries.values())

    def timers(self, database: Database) -> list[Timer]:
        """Name what looks after the streams."""

        async def compare() -> None:
            lacked = self._comparison.settle()  # here: the readers tell it what they saw
            if lacked:
                for one in lacked:
                    _tell(one)
                await asyncio.to_thread(_enter, database, lacked)

        gauges = SourceGauges(database, self._clock, self.expected)
        return [
            Timer(gauges.look, GAUGE_SECONDS, "sources"),
            Timer(compare, COMPARE_SECONDS, "comparison"),
        ]

    def _saw(self, source: str, items: Sequence[SourcedItem]) -> None:
        self._comparison.saw(source, items)
        if source in self._canaries:
            self._canaries[source].saw(items)


def _enter(database: Database, lacked: Sequence[Lacked]) -> None:
    with database.write() as connection:
        for one in lacked:
            gaps.enter_gap(
                connection, one.source, TWIN_HAD_MORE, one.from_at, one.to_at, GapState.REFILLED
            )


def _tell(lacked: Lacked) -> None:
    metrics.SOURCE_LACKED.labels(lacked.source).inc(lacked.posts)
    log.warning("stream lacks posts of its twin", source=lacked.source, posts=lacked.posts)
