"""`monitors.search_progress`."""

import json

import sqlalchemy as sa

from alerts.sightings import record_sighting
from alerts.tasks import Desk
from monitors import inbox, searches
from monitors.database import Database
from monitors.search_progress import as_json_row, list_searches, read_progress
from monitors.searches import SearchState, SourceProgress, SourceState
from monitors.tables import tasks
from streams.types import Outcome, PostOutcome
from tests.agents.pipeline import a_post, store
from tests.alerts.rows import add_case, match_of, sighting_of
from tests.fakes import FakeClock


def test_progress_counts_sources_posts_and_tasks(database: Database, clock: FakeClock) -> None:
    waits = a_post(clock, 7)
    store(database, waits)
    with database.write() as connection:
        case, content = add_case(connection, clock.now())
        search = searches.ask(connection, case, actor="clerk", now=clock.now(), seconds=180)
        for source, state in (("one", SourceState.ANSWERED), ("two", SourceState.FAILED)):
            progress = SourceProgress(source=source, state=state, queries=3, answered=2, found=1)
            searches.note_source(connection, database, search.id, progress)
        sighting = sighting_of((match_of(case, content),), now=clock.now())
        record_sighting(
            connection, sighting, Desk(database=database, endpoints=0, console_link=""), clock.now()
        )
        end = PostOutcome(
            key=sighting.post.key,
            source="s",
            outcome=Outcome.SIGHTED,
            observed_at=clock.now(),
            ended_at=clock.now(),
        )
        inbox.finish(connection, [end])
        keys = [waits.key, sighting.post.key]
        searches.add_posts(connection, database, search.id, "one", keys, clock.now())
        found = read_progress(connection, search.id)
        assert found is not None
        assert (found.state, found.posts, found.inspected) == (SearchState.WAITING, 2, 1)
        assert found.outcomes == {"sighted": 1}
        [task] = found.tasks
        assert (task.task, task.new) == (connection.scalar(sa.select(tasks.c.id)), True)
        clock.advance(12.5)
        searches.end(connection, search.id, SearchState.DONE, clock.now())
        row = as_json_row(read_progress(connection, search.id) or found)
        assert list_searches(connection, case) == [search.id]
    assert json.loads(json.dumps(row)) == row
    assert (row["state"], row["seconds"], row["answered"]) == ("done", 12.5, 1)
    assert [one["source"] for one in row["sources"]] == ["one", "two"]
    assert "example" not in json.dumps(row).replace(task.host, ""), "no address"


def test_there_may_be_no_such_search(database: Database) -> None:
    with database.read() as connection:
        assert read_progress(connection, "0" * 32) is None
