"""`agents.remembering`, on both databases."""

from collections.abc import Sequence

import pytest

from agents.remembering import Remembering, Shown, remember_nothing
from agents.steps.remembering import View
from monitors import seen
from monitors.database import Database
from monitors.lookback import LookBack, LookBackStore, MemoryLookBack, SeenFingerprint
from monitors.tables import seen_posts
from streams.errors import DatabaseUnavailableError
from streams.types import MediaItem, MediaKind, MediumResult, Outcome, Post
from tests.agents.pipeline import a_post
from tests.fakes import FakeClock, unit_rows

SPACE = "fake/1/numpy/f32"


class Store:
    """A store that can be away, and tells what was known of posts when it was written."""

    def __init__(self, database: Database) -> None:
        self.opened = 0
        self.away = False
        self.kept: dict[str, MemoryLookBack] = {}
        self.posts_before: list[int] = []
        self._database = database

    def __call__(self) -> LookBackStore:
        self.opened += 1
        return self

    def of(self, space: str, /) -> LookBack:
        if self.away:
            raise DatabaseUnavailableError("a full disk")
        outer, kept = self, self.kept.setdefault(space, MemoryLookBack())

        class Noting(MemoryLookBack):
            def add(self, some: Sequence[SeenFingerprint], /) -> None:
                outer.posts_before.append(count(outer._database))
                kept.add(some)

        return Noting()

    def spaces(self) -> list[str]:
        return sorted(self.kept)

    def close(self) -> None:
        self.opened -= 1


def count(database: Database) -> int:
    with database.read() as connection:
        return len(connection.execute(seen_posts.select()).all())


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


@pytest.fixture
def remembering(database: Database, store: Store) -> Remembering:
    return Remembering(database, store)


def shown(index: int, *numbers: int, space: str = SPACE) -> Shown:
    result = MediumResult(index=index, outcome=Outcome.CLEAR)
    views = [View(at_seconds=0.0, vector=unit_rows(n, 1, 64)[0], pdq=None) for n in numbers]
    return Shown(result=result, space=space, views=views)


def post_of(clock: FakeClock, number: int, kind: MediaKind = MediaKind.IMAGE) -> Post:
    return a_post(clock, number, media=(MediaItem(url="https://host.example/1", kind=kind),))


async def test_fingerprints_are_kept_and_then_their_post(
    remembering: Remembering, store: Store, database: Database, clock: FakeClock
) -> None:
    one, two = post_of(clock, 1), post_of(clock, 2)
    other = shown(3, 4, space="other")
    await remembering.remember([(one, [shown(0, 1, 2), shown(1, 3)]), (two, [other])])
    assert {space: kept.count() for space, kept in store.kept.items()} == {SPACE: 3, "other": 1}
    assert store.posts_before == [0, 0]
    (found,) = store.kept[SPACE].search(unit_rows(3, 1, 64), 0.9, 5)
    assert (found.post, found.medium) == (one.key, 1)
    with database.read() as connection:
        assert seen.read(connection, [one.key, two.key]) == {one.key: one, two.key: two}


async def test_what_is_told_again_is_kept_once(
    remembering: Remembering, store: Store, clock: FakeClock
) -> None:
    for _ in range(2):
        await remembering.remember([(post_of(clock, 1), [shown(0, 1)])])
    assert (store.kept[SPACE].count(), store.opened) == (1, 1)
    remembering.close()
    remembering.close()
    assert store.opened == 0


async def test_where_the_store_is_away_the_post_is_not_kept_either(
    remembering: Remembering, store: Store, database: Database, clock: FakeClock
) -> None:
    store.away = True
    batch = [(post_of(clock, 1), [shown(0, 1)])]
    with pytest.raises(DatabaseUnavailableError):
        await remembering.remember(batch)
    assert count(database) == 0
    store.away = False
    await remembering.remember(batch)
    assert (count(database), store.kept[SPACE].count()) == (1, 1)


async def test_a_post_that_could_not_be_seen_is_kept_for_its_text_and_one_of_links_is_not(
    remembering: Remembering, store: Store, database: Database, clock: FakeClock
) -> None:
    await remembering.remember([(post_of(clock, 1, MediaKind.LINK), [shown(0, 1)])])
    assert (count(database), store.opened) == (0, 0)
    await remembering.remember([(post_of(clock, 2), []), (post_of(clock, 3), [shown(0)])])
    assert (count(database), store.opened) == (2, 0)
    await remember_nothing([(post_of(clock, 4), [shown(0, 1)])])
    assert count(database) == 2
