"""`monitors.seen`, on both databases."""

import zlib
from datetime import timedelta

import pytest
import sqlalchemy as sa

from monitors import seen
from monitors.database import Database
from monitors.source_tables import seen_posts
from streams.schemas import post_key
from streams.types import MediaItem, MediaKind, Post
from tests.fakes import FakeClock

HOUR = timedelta(hours=1)


def a_post(clock: FakeClock, number: int = 1, *, hours: int = 0, text: str = "") -> Post:
    return Post(
        key=post_key("atproto", str(number)),
        source="replay",
        id=str(number),
        url=f"https://host.example/{number}",
        text=text,
        media=(
            MediaItem(url="https://host.example/1.jpg", kind=MediaKind.IMAGE, alt_text="alt"),
            MediaItem(url=f"https://host.example/{number}.mp4"),
        ),
        observed_at=clock.now() - hours * HOUR,
        author="somebody",
        network="atproto",
    )


def keep(database: Database, *posts: Post) -> int:
    with database.write() as connection:
        return seen.remember(connection, [(post, seen.compressed(post)) for post in posts])


def test_a_post_comes_back_as_it_was_observed(database: Database, clock: FakeClock) -> None:
    posts = [a_post(clock, number, text="한국어 " * number) for number in range(3)]
    assert keep(database, *posts[:2], posts[0]) == 2
    assert keep(database, *posts) == 1
    with database.read() as connection:
        keys = [*(post.key for post in posts), post_key("atproto", "9")]
        assert seen.read(connection, keys) == {post.key: post for post in posts}
        assert seen.known(connection, keys) == {post.key for post in posts}
        assert seen.read(connection, []) == {}


def test_texts_come_newest_first_as_triage_reads_them(database: Database, clock: FakeClock) -> None:
    keep(database, *(a_post(clock, number, hours=number, text=f"{number}") for number in range(6)))
    with database.read() as connection:
        found = list(seen.texts(connection, clock.now() - 3 * HOUR, 10))
        assert [texts for _, texts in found] == [(str(number), "alt") for number in range(4)]
        assert found[0][0] == post_key("atproto", "0")
        assert len(list(seen.texts(connection, clock.now() - 3 * HOUR, 2))) == 2


def test_more_posts_than_one_query_takes_are_read(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen, "_AT_ONCE", 4)
    posts = [a_post(clock, number, hours=number) for number in range(11)]
    assert keep(database, *posts) == 11
    with database.read() as connection:
        assert len(seen.read(connection, [post.key for post in posts])) == 11
        assert len(list(seen.texts(connection, clock.now() - 99 * HOUR, 100))) == 11


def test_what_is_old_is_forgotten(database: Database, clock: FakeClock) -> None:
    keep(database, *(a_post(clock, number, hours=number) for number in range(4)))
    with database.write() as connection:
        assert seen.forget(connection, clock.now() - 2 * HOUR) == 1
        assert seen.forget(connection, clock.now() - 2 * HOUR) == 0
        assert len(list(seen.texts(connection, clock.now() - 99 * HOUR, 10))) == 3


@pytest.mark.parametrize("payload", [b"", b"not compressed", zlib.compress(b"{}")])
def test_a_post_that_cannot_be_read_is_as_forgotten(
    database: Database, clock: FakeClock, payload: bytes
) -> None:
    post = a_post(clock, text="words")
    keep(database, post)
    with database.write() as connection:
        connection.execute(sa.update(seen_posts).values(payload=payload))
    with database.read() as connection:
        assert seen.read(connection, [post.key]) == {}
        assert list(seen.texts(connection, clock.now() - HOUR, 10)) == []


def test_a_post_is_kept_small(clock: FakeClock) -> None:
    text = "the same words again and again " * 100
    assert len(seen.compressed(a_post(clock, text=text))) < len(text) / 4
