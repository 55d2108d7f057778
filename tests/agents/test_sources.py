"""`agents.sources`."""

from datetime import timedelta
from pathlib import Path

from agents.sources import SHOWN_GAPS, read_sources
from monitors import gaps, inbox
from monitors.database import Database
from monitors.gaps import GapState
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
        _, push, replay = read_sources(connection, settings, clock.now())
    kept = {"source": "replay", "enabled": True, "cursor": "77", "waiting": 1, "ended": 1}
    assert kept.items() <= replay.items()
    assert replay["updated_at"] == clock.now().isoformat()
    assert (replay["state"], replay["troubles"]) == ("giving", [])
    assert (push["source"], push["enabled"], push["updated_at"]) == ("push", True, None)


def test_gaps_of_the_last_days_are_counted_and_one_that_lasts_longer(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    now, day = clock.now(), timedelta(days=1)
    with database.write() as connection:
        inbox.advance(connection, "board", "1", now)
        for ago in (30, 8, 6, 5, 4, 3, 2, 1):
            gaps.enter_gap(
                connection, "board", "x", now - ago * day, now - (ago - 0.5) * day, GapState.LOST
            )
        gaps.enter_gap(connection, "board", "long", now - 9 * day, now - day, GapState.REFILLED)
        gaps.open_gap(connection, "board", "unauthorized", now - 20 * day)
    with database.read() as connection:
        [board, *_] = read_sources(connection, Settings(home=tmp_path), now)
    assert board["gaps"] == {"open": 1, "refilled": 1, "lost": 6}
    assert [one["reason"] for one in board["latest_gaps"][:2]] == ["unauthorized", "long"]
    assert len(board["latest_gaps"]) == SHOWN_GAPS
