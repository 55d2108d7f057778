"""`agents.forgetting`, on both databases."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from agents.forgetting import FORGET_SECONDS, Forgetting
from monitors import metrics, seen
from monitors.database import Database
from monitors.lookback import (
    MemoryLookBackStore,
    SeenFingerprint,
    load_lookback,
    may_hold,
    place_of,
)
from monitors.source_tables import seen_posts
from streams.errors import DatabaseUnavailableError
from streams.settings import Settings
from streams.types import MediaItem, Post
from tests.agents.pipeline import a_post
from tests.fakes import FakeClock

SPACES = ("one/1/numpy/f32", "two/1/numpy/f32")


class Store(MemoryLookBackStore):
    """A store that can be away."""

    away = False

    def spaces(self) -> list[str]:
        if self.away:
            raise DatabaseUnavailableError
        return super().spaces()


def fingerprint(post: Post) -> SeenFingerprint:
    return SeenFingerprint(
        post=post.key,
        medium=0,
        at_seconds=0.0,
        vector=np.ones(8, np.float32) / np.float32(8**0.5),
        pdq=None,
        observed_at=post.observed_at,
    )


def fill(database: Database, clock: FakeClock, store: MemoryLookBackStore) -> None:
    """See a post a day, of today and three days before."""
    for number in range(4):
        post = a_post(
            FakeClock(clock.now() - timedelta(days=number)),
            number,
            media=(MediaItem(url="https://host.example/1"),),
        )
        for space in SPACES:
            store.of(space).add([fingerprint(post)])
        with database.write() as connection:
            seen.remember(connection, [(post, seen.compressed(post))])


def left(database: Database, store: MemoryLookBackStore) -> tuple[int, list[int]]:
    with database.read() as connection:
        posts = len(connection.execute(seen_posts.select()).all())
    return posts, [store.of(space).count() for space in SPACES]


async def test_once_an_hour_what_is_old_is_forgotten_in_every_space(
    database: Database, clock: FakeClock
) -> None:
    store = Store()
    fill(database, clock, store)
    counters = [metrics.FORGOTTEN.labels(what)._value for what in ("fingerprints", "posts")]
    before = [one.get() for one in counters]
    forgetting = Forgetting(database, lambda: store, clock, days=2)
    for seconds, kept in ((0, 3), (FORGET_SECONDS - 1, 3), (1, 2)):
        clock.advance(seconds)
        await forgetting.look()
        assert left(database, store) == (kept, [kept, kept])
    assert [one.get() - value for one, value in zip(counters, before, strict=True)] == [4, 2]


async def test_what_could_not_be_forgotten_is_at_the_next_look(
    database: Database, clock: FakeClock
) -> None:
    store = Store()
    fill(database, clock, store)
    forgetting = Forgetting(database, lambda: store, clock, days=2)
    store.away = True
    with pytest.raises(DatabaseUnavailableError):
        await forgetting.look()
    store.away = False
    await forgetting.look()
    assert left(database, store) == (3, [3, 3])


async def test_with_no_days_nothing_is_left(database: Database, clock: FakeClock) -> None:
    store = Store()
    fill(database, clock, store)
    clock.advance(1)
    await Forgetting(database, lambda: store, clock, days=0).look()
    assert left(database, store) == (0, [0, 0])


async def test_where_nothing_was_ever_kept_no_store_is_made(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, lookback_days=1)
    forgetting = Forgetting.from_settings(settings, database, clock)
    await forgetting.look()
    place = place_of(tmp_path, None)
    assert not may_hold(place)
    lance = load_lookback("lance", place)
    lance.of(SPACES[0]).add([fingerprint(a_post(clock))])
    clock.advance(2 * 86_400)
    await forgetting.look()
    assert lance.of(SPACES[0]).count() == 0
