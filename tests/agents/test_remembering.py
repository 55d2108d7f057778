"""`agents.remembering`, on both databases."""

import pytest

from agents.remembering import Remembering, Shown, remember_nothing
from agents.steps.remembering import View
from monitors import seen, seen_views
from monitors.database import Database
from monitors.source_tables import seen_posts
from streams.types import MediaItem, MediaKind, MediumResult, Outcome, Post
from tests.agents.pipeline import a_post
from tests.fakes import FakeClock, unit_rows

SPACE = "fake/1/numpy/f32"


def count(database: Database) -> tuple[int, int]:
    """Count posts and fingerprints."""
    with database.read() as connection:
        posts = len(connection.execute(seen_posts.select()).all())
        return posts, seen_views.count(connection)


@pytest.fixture
def remembering(database: Database) -> Remembering:
    return Remembering(database)


def shown(index: int, *numbers: int, space: str = SPACE) -> Shown:
    result = MediumResult(index=index, outcome=Outcome.CLEAR)
    views = [View(at_seconds=0.0, vector=unit_rows(n, 1, 64)[0], pdq=None) for n in numbers]
    return Shown(result=result, space=space, views=views)


def post_of(clock: FakeClock, number: int, kind: MediaKind = MediaKind.IMAGE) -> Post:
    return a_post(clock, number, media=(MediaItem(url="https://host.example/1", kind=kind),))


async def test_posts_are_kept_with_their_fingerprints(
    remembering: Remembering, database: Database, clock: FakeClock
) -> None:
    one, two = post_of(clock, 1), post_of(clock, 2)
    other = shown(3, 4, space="other")
    await remembering.remember([(one, [shown(0, 1, 2), shown(1, 3)]), (two, [other])])
    with database.read() as connection:
        waiting = seen_views.take(connection, 10)
        assert seen.read(connection, [one.key, two.key]) == {one.key: one, two.key: two}
    assert [(each.space, each.seen.post, each.seen.medium) for each in waiting] == [
        (SPACE, one.key, 0),
        (SPACE, one.key, 0),
        (SPACE, one.key, 1),
        ("other", two.key, 3),
    ]


async def test_what_is_told_again_is_kept_once(
    remembering: Remembering, database: Database, clock: FakeClock
) -> None:
    for _ in range(2):
        await remembering.remember([(post_of(clock, 1), [shown(0, 1)])])
    assert count(database) == (1, 1)


async def test_a_post_that_could_not_be_seen_is_kept_for_its_text_and_one_of_links_is_not(
    remembering: Remembering, database: Database, clock: FakeClock
) -> None:
    await remembering.remember([(post_of(clock, 1, MediaKind.LINK), [shown(0, 1)])])
    assert count(database) == (0, 0)
    await remembering.remember([(post_of(clock, 2), []), (post_of(clock, 3), [shown(0)])])
    assert count(database) == (2, 0)
    await remember_nothing([(post_of(clock, 4), [shown(0, 1)])])
    assert count(database) == (2, 0)
