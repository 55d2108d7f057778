"""`agents.sources`."""

from pathlib import Path

from agents.sources import read_sources
from monitors import inbox
from monitors.database import Database
from streams.settings import Settings
from streams.types import Outcome, PostOutcome
from tests.agents.pipeline import a_post, store
from tests.fakes import FakeClock


def test_each_source_is_listed_with_what_waits_and_where_it_goes_on(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    first, second = a_post(clock, 1), a_post(clock, 2)
    store(database, first, second)
    end = PostOutcome(
        key=first.key,
        source="replay",
        outcome=Outcome.CLEAR,
        observed_at=clock.now(),
        ended_at=clock.now(),
    )
    with database.write() as connection:
        inbox.finish(connection, [end])
        inbox.advance(connection, "replay", "77", clock.now())
        inbox.lease(connection, "@producer", "here", clock.now(), 15)
    settings = Settings(home=tmp_path, replay_file=tmp_path / "posts.jsonl")
    with database.read() as connection:
        push, replay = read_sources(connection, settings, clock.now())
    kept = {"source": "replay", "enabled": True, "cursor": "77", "waiting": 1, "ended": 1}
    assert kept.items() <= replay.items()
    assert replay["updated_at"] == clock.now().isoformat()
    assert (replay["state"], replay["troubles"]) == ("giving", [])
    assert (push["source"], push["enabled"], push["updated_at"]) == ("push", True, None)
