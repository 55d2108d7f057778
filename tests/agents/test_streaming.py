"""`agents.streaming`."""

from pathlib import Path

import pytest

from agents.comparing import SETTLE_SECONDS
from agents.filing import Filing
from agents.intake import Intake
from agents.streaming import TWIN_HAD_MORE, Streams, expectations, twins_of
from monitors import metrics
from monitors.database import Database
from monitors.gaps import GapState, list_gaps
from monitors.lookback import MemoryLookBackStore
from streams.errors import ConfigurationError
from streams.settings import Settings
from streams.sources.catalogue import Adapter, Catalogue, Named
from streams.sources.config import SourceConfig
from streams.sources.jetstream import JetstreamConfig
from streams.sources.source import EventKind, Passed, SourcedPost
from tests.agents.pipeline import a_post
from tests.fakes import FakeClock

FAKE = Adapter("tests.agents.test_source_cli", "SourceConfig", "FakeSource")


def config(name: str, **values: object) -> SourceConfig:
    return SourceConfig.model_validate({"kind": "fake", "name": name} | values)


def streams_of(clock: FakeClock, home: Path, *configs: SourceConfig) -> Streams:
    catalogue = Catalogue(streams=[Named(config=one, adapter=FAKE) for one in configs])
    return Streams(Settings(home=home), clock, catalogue)


def test_only_enabled_sources_are_expected_to_give() -> None:
    some = [
        config("a", silent_seconds=5, expect_seconds={"post": 30}),
        config("b", enabled=False),
    ]
    expected = expectations(some)
    assert expected.keys() == {"a"}
    assert (expected["a"].silent_seconds, expected["a"].kinds) == (5, {EventKind.POST: 30})


def test_twins_are_paired_once_and_must_both_be_there() -> None:
    both = [config("a", compare_with="b"), config("b", compare_with="a"), config("c")]
    assert twins_of(both) == [("a", "b")]
    for wrong in ("x", "a"):
        with pytest.raises(ConfigurationError, match="a is compared with"):
            twins_of([config("a", compare_with=wrong)])


async def test_what_a_twin_had_more_is_entered_and_counted(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    streams = streams_of(clock, tmp_path, config("a", compare_with="b"), config("b"))
    timers = {one.what: one for one in streams.timers(database)}
    before = metrics.SOURCE_LACKED.labels("b")._value.get()
    for name in ("a", "b"):
        streams._saw(name, [Passed(cursor="0")])
    clock.advance(SETTLE_SECONDS + 1)
    streams._saw("a", [SourcedPost(post=a_post(clock, 1), cursor="1")])
    clock.advance(SETTLE_SECONDS + 1)
    streams._saw("b", [Passed(cursor="1")])
    await timers["comparison"].call()
    with database.read() as connection:
        [gap] = list_gaps(connection)
    assert (gap.source, gap.reason, gap.state) == ("b", TWIN_HAD_MORE, GapState.REFILLED)
    assert metrics.SOURCE_LACKED.labels("b")._value.get() - before == 1


def test_each_enabled_stream_has_a_reader_and_a_file_one_without_a_ledger(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    intake = Intake(database, clock, "here")
    assert len(streams_of(clock, tmp_path, config("a")).build_readers(database, intake)) == 1
    file = tmp_path / "posts.jsonl"
    settings = Settings(home=tmp_path, replay_file=file)
    [reader] = Streams.from_settings(settings, clock).build_readers(database, intake)
    assert not reader._ledger
    filing = Filing(database, MemoryLookBackStore)
    Streams.from_settings(settings, clock).build_searching(intake, filing)


def test_a_stream_with_an_account_sends_canaries(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    account = {"pds": "https://pds.example", "identifier": "me", "password": {"value": "x"}}
    with_account = JetstreamConfig.model_validate(
        {"name": "sky", "url": "wss://jetstream.example", "canary": account}
    )
    named = Named(
        config=with_account,
        adapter=Adapter("streams.sources.jetstream", "JetstreamConfig", "JetstreamSource"),
    )
    streams = Streams(Settings(home=tmp_path), clock, Catalogue(streams=[named]))
    [watch] = streams.build_canaries(database)
    assert streams._canaries == {"sky": watch}
    assert streams_of(clock, tmp_path, config("a")).build_canaries(database) == []
