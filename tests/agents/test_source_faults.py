"""What can go wrong with a source, from its socket to the metric and to `haechi source list`.

A Jetstream that misbehaves is played by a WebSocket server of the tests: its own cannot run here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from agents import reading
from agents.intake import Intake
from agents.sources import read_sources
from agents.streaming import Streams
from monitors import metrics
from monitors.database import Database
from monitors.gaps import Gap, GapState, list_gaps
from streams.settings import Settings
from streams.sources.catalogue import read_catalogue
from tests.agents.pipeline import until
from tests.fakes import FakeClock
from tests.streams.sources.at_servers import Stream, streaming
from tests.streams.sources.test_jetstream import AT, commit, v1, v2

Refusals = dict[int, tuple[int, dict[str, str], bytes]]


class Watched:
    """A collector's streams that read one misbehaving Jetstream."""

    def __init__(self, streams: Streams, settings: Settings, database: Database) -> None:
        self.streams = streams
        self.settings = settings
        self.database = database

    def listed(self, clock: FakeClock) -> dict[str, object]:
        with self.database.read() as connection:
            rows = read_sources(connection, self.settings, clock.now())
        [row] = [row for row in rows if row["source"] == "sky"]
        return row

    def gaps(self) -> list[Gap]:
        with self.database.read() as connection:
            return list_gaps(connection, source="sky")


def trouble(name: str) -> float:
    return float(metrics.SOURCE_TROUBLE.labels("sky", name)._value.get())


@asynccontextmanager
async def watching(
    stream: Stream, tmp_path: Path, database: Database, clock: FakeClock, more: str = ""
) -> AsyncIterator[Watched]:
    """Read a server with a collector's own readers and timers."""
    sources = tmp_path / "sources.toml"
    head = f'[[stream]]\nkind = "jetstream"\nname = "sky"\nurl = "{stream.url}"\n'
    sources.write_text(head + more)
    settings = Settings(home=tmp_path, sources=sources)
    streams = Streams(settings, clock, read_catalogue(sources))
    readers = streams.build_readers(database, Intake(database, clock, "here"))
    running = [asyncio.ensure_future(reader.run()) for reader in readers]
    try:
        yield Watched(streams, settings, database)
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def show(watched: Watched) -> None:
    """Take the gauges' look, as a timer of the collector does each second."""
    [gauges] = [one for one in watched.streams.timers(watched.database) if one.what == "sources"]
    await gauges.call()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(AT + timedelta(seconds=5))


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(reading, "MAX_RETRY_SECONDS", 0.02)


async def has(watched: Watched, clock: FakeClock, problem: str) -> None:
    await until(lambda: watched.listed(clock)["problem"] == problem)
    await show(watched)
    assert trouble(problem) == 1
    assert watched.listed(clock)["state"] == problem


async def test_a_socket_that_is_open_and_silent_is_stalled_and_its_gap_is_refilled(
    tmp_path: Path, database: Database, clock: FakeClock
) -> None:
    first, second = v1(0, commit=commit()), v1(6_000_000, commit=commit(rkey="3mabd"))
    async with (
        streaming(scripts=[[first], [second]], close=None) as stream,
        watching(stream, tmp_path, database, clock, "silent_seconds = 0.3") as watched,
    ):
        await until(lambda: len(stream.asked) == 2)
        await until(lambda: [one.state for one in watched.gaps()] == [GapState.REFILLED])
        assert watched.gaps()[0].reason == "stalled"
        assert int(stream.asked[1]["cursor"][0]) <= 1_779_719_009_157_119, "read on where it was"


async def test_a_kind_of_event_that_no_longer_comes_is_missing(
    tmp_path: Path, database: Database, clock: FakeClock
) -> None:
    script = [v1(0, commit=commit()), v1(1, commit=commit("delete"))]
    more = "[stream.expect_seconds]\npost = 60\ndeletion = 300\n"
    async with (
        streaming(scripts=[script], close=None) as stream,
        watching(stream, tmp_path, database, clock, more) as watched,
    ):
        await until(lambda: "deletion" in str(watched.listed(clock)["kinds"]))
        clock.advance(400)
        await show(watched)
        assert metrics.SOURCE_KIND_MISSING.labels("sky", "deletion")._value.get() == 1
        assert trouble("kind_missing") == 1
        assert "kind_missing" in str(watched.listed(clock)["troubles"])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((429, {"Retry-After": "120"}, b""), "rate_limited"),
        ((401, {}, b'{"error": "ExpiredToken"}'), "unauthorized"),
        ((503, {}, b""), "source_unavailable"),
    ],
)
async def test_a_refusal_is_named(
    tmp_path: Path,
    database: Database,
    clock: FakeClock,
    answer: tuple[int, dict[str, str], bytes],
    problem: str,
) -> None:
    answers: Refusals = dict.fromkeys(range(1, 100), answer)
    async with (
        streaming(scripts=[[v1(0, commit=commit())]], answers=answers) as stream,
        watching(stream, tmp_path, database, clock) as watched,
    ):
        await has(watched, clock, problem)
        if problem == "rate_limited":
            retry_at = str(watched.listed(clock)["retry_at"])
            assert retry_at >= (clock.now() + timedelta(seconds=119)).isoformat()
        assert [one.state for one in watched.gaps()] == [GapState.OPEN]


async def test_a_cursor_that_is_too_old_is_a_loss_in_the_ledger(
    tmp_path: Path, database: Database, clock: FakeClock
) -> None:
    too_old: tuple[int, dict[str, str], bytes] = (
        400,
        {},
        b'{"error": "CursorTooOld", "message": "x"}',
    )
    event = v2(5, "commit", **commit())
    later = [v2(number, "commit", **commit(rkey=f"3ma{number}")) for number in (900, 901)]
    async with (
        streaming(scripts=[[event], [], later], answers={1: too_old}, close=(1011, "")) as stream,
        watching(stream, tmp_path, database, clock, "version = 2") as watched,
    ):
        await until(lambda: GapState.LOST in {one.state for one in watched.gaps()})
        await show(watched)
        assert metrics.SOURCE_GAPS.labels("sky", "lost")._value.get() >= 1
        assert len(stream.asked) >= 3


def test_a_trouble_passes(database: Database) -> None:
    """Gauges of troubles are cleared at each look: see `SourceGauges.look`."""
    metrics.SOURCE_TROUBLE.labels("sky", "stalled").set(1)
    metrics.SOURCE_TROUBLE.clear()
    assert trouble("stalled") == 0
