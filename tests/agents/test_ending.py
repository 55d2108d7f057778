"""`agents.ending`, on both databases."""

from agents.ending import end_posts
from monitors import inbox, metrics
from monitors.database import Database
from streams.types import Outcome, PostOutcome
from tests.agents.pipeline import a_post, store
from tests.fakes import FakeClock


def test_a_post_ends_and_counts_once(database: Database, clock: FakeClock) -> None:
    post = a_post(clock)
    store(database, post)
    clock.advance(5)
    end = PostOutcome(
        key=post.key,
        source="replay",
        outcome=Outcome.CLEAR,
        observed_at=post.observed_at,
        ended_at=clock.now(),
    )
    counter = metrics.ENDED.labels("replay", "clear")
    before, waited = counter._value.get(), metrics.OBSERVED_TO_OUTCOME._sum.get()
    end_posts(database, [end, end])
    end_posts(database, [end])
    end_posts(database, [])
    assert counter._value.get() - before == 1
    assert metrics.OBSERVED_TO_OUTCOME._sum.get() - waited == 5
    with database.read() as connection:
        assert inbox.waiting(connection).posts == 0
