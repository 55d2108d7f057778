"""`monitors.removals`, on both databases."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors import inbox
from monitors.database import Database
from monitors.inbox import Arrival
from monitors.removals import end_waiting, forget_ended, reason_of, ref_of
from monitors.tables import outcomes
from streams.refs import author_ref, post_ref
from streams.schemas import post_key
from streams.sources.source import Removed
from streams.types import Outcome, Post, PostOutcome
from tests.fakes import FakeClock


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.write() as opened:
        yield opened


def a_post(
    clock: FakeClock, number: int = 1, *, revision: str = "", author: str | None = "did:plc:a",
    network: str = "atproto",
) -> Post:  # fmt: skip
    return Post(
        key=post_key(network, str(number), revision),
        source="jetstream",
        id=str(number),
        url=f"https://host.example/{number}",
        revision=revision,
        observed_at=clock.now(),
        author=author,
        network=network,
    )


def keep(connection: Connection, *posts: Post) -> None:
    inbox.add(connection, [Arrival(post=one, payload=inbox.payload_of(one)) for one in posts])


def removed(
    post_id: str | None = None,
    *,
    network: str = "atproto",
    reason: str = "deleted",
    author: str | None = None,
) -> Removed:
    return Removed(cursor="1", network=network, reason=reason, post_id=post_id, author=author)


def test_a_post_ends_in_all_its_revisions_with_what_its_source_said(
    connection: Connection, clock: FakeClock
) -> None:
    first, edited, other = a_post(clock), a_post(clock, revision="2"), a_post(clock, 2)
    keep(connection, first, edited, other)
    clock.advance(5)
    ends = end_waiting(connection, [removed("1")], clock.now())
    assert {end.key for end in ends} == {first.key, edited.key}
    rows = connection.execute(sa.select(outcomes)).all()
    assert {(row.outcome, row.reason, row.source) for row in rows} == {
        ("vanished", "deleted_at_source", "jetstream")
    }
    assert ends[0].ended_at == clock.now()
    assert inbox.still_open(connection, [first.key, other.key]) == {other.key}


def test_posts_of_an_account_that_is_gone_wait_on(connection: Connection, clock: FakeClock) -> None:
    mine = [a_post(clock, number) for number in (1, 2)]
    others = [a_post(clock, 3, author="did:plc:b"), a_post(clock, 4, author=None)]
    keep(connection, *mine, *others)
    gone = removed(author="did:plc:a", reason="account_deactivated")
    ends = end_waiting(connection, [gone], clock.now())
    assert ends == []
    assert inbox.waiting(connection).posts == 4


@pytest.mark.parametrize(
    "gone",
    [
        removed("1", network="mastodon.example"),
        removed("9"),
        removed(author="did:plc:a", network="mastodon.example"),
        removed(author=""),
        removed(),
    ],
)
def test_what_is_of_another_network_or_author_ends_nothing(
    connection: Connection, clock: FakeClock, gone: Removed
) -> None:
    keep(connection, a_post(clock), a_post(clock, 2, author=None), a_post(clock, 3, author=""))
    assert end_waiting(connection, [gone], clock.now()) == []
    assert inbox.waiting(connection).posts == 3


def test_a_removal_that_is_told_twice_ends_a_post_once(
    connection: Connection, clock: FakeClock
) -> None:
    keep(connection, a_post(clock))
    twice = [removed("1"), removed(author="did:plc:a")]
    assert len({end.key for end in end_waiting(connection, twice, clock.now())}) == 1
    assert end_waiting(connection, twice, clock.now()) == []
    [row] = connection.execute(sa.select(outcomes)).all()
    assert row.reason == "deleted_at_source"


def test_a_reason_fits_its_column_with_what_it_ends_by() -> None:
    reason = reason_of(removed("1", reason="x" * 100))
    assert len(reason) == 64
    assert reason.endswith("_at_source")


def test_a_removal_names_posts_and_authors_as_arrivals_do() -> None:
    assert ref_of(removed("1")) == (False, post_ref("atproto", "1"))
    assert ref_of(removed(author="a")) == (True, author_ref("atproto", "a"))


def test_a_post_that_its_source_gives_again_is_looked_at_anew(
    connection: Connection, clock: FakeClock
) -> None:
    post, other = a_post(clock), a_post(clock, 2)
    keep(connection, post, other)
    end_waiting(connection, [removed("1"), removed("2")], clock.now())
    forget_ended(connection, [post.key])
    keep(connection, post, other)
    assert inbox.still_open(connection, [post.key, other.key]) == {post.key}


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.VANISHED, "media_vanished"),
        (Outcome.VANISHED, None),
        (Outcome.VANISHED, "xatxsource"),
        (Outcome.CLEAR, None),
        (Outcome.SIGHTED, None),
    ],
)
def test_how_a_post_ended_otherwise_is_not_forgotten(
    connection: Connection, clock: FakeClock, outcome: Outcome, reason: str | None
) -> None:
    post = a_post(clock)
    end = PostOutcome(
        key=post.key,
        source=post.source,
        outcome=outcome,
        reason=reason,
        observed_at=post.observed_at,
        ended_at=clock.now(),
    )
    inbox.finish(connection, [end])
    forget_ended(connection, [post.key])
    keep(connection, replace(post))
    assert inbox.waiting(connection).posts == 0
