"""`monitors.inbox`, on both databases."""

import dataclasses
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors import inbox
from monitors.database import Database
from monitors.inbox import Arrival
from monitors.tables import outcomes
from streams.errors import InvalidMessageError, OversizedMessageError
from streams.schemas import MAX_MEDIA, MAX_POST_BYTES, PostRecord, post_key
from streams.types import MediaItem, Outcome, Post, PostKey, PostOutcome
from tests.fakes import FakeClock


@pytest.fixture
def connection(database: Database):  # type: ignore[no-untyped-def]
    with database.write() as opened:
        yield opened


def a_post(clock: FakeClock, number: int = 1, source: str = "replay") -> Post:
    return Post(
        key=post_key(source, str(number)),
        source=source,
        id=str(number),
        url=f"https://host.example/{number}",
        observed_at=clock.now(),
    )


def an_arrival(clock: FakeClock, number: int = 1, cursor: str | None = None) -> Arrival:
    post = a_post(clock, number)
    return Arrival(post=post, payload=inbox.payload_of(post), cursor=cursor)


def an_end(arrival: Arrival, clock: FakeClock, outcome: Outcome = Outcome.CLEAR) -> PostOutcome:
    return PostOutcome(
        key=arrival.post.key,
        source=arrival.post.source,
        outcome=outcome,
        media=2,
        observed_at=arrival.post.observed_at,
        ended_at=clock.now(),
    )


def produce(connection: Connection, clock: FakeClock, limit: int = 100) -> list[PostKey]:
    keys = [due.key for due in inbox.take_due(connection, clock.now(), limit=limit)]
    inbox.mark_produced(connection, keys, clock.now())
    return keys


def test_a_post_is_taken_in_once(connection: Connection, clock: FakeClock) -> None:
    one, two = an_arrival(clock, 1), an_arrival(clock, 2)
    first = inbox.add(connection, [one, one])
    assert (first.accepted, first.duplicates) == (1, 1)
    again = inbox.add(connection, [one, two])
    assert (again.accepted, again.duplicates) == (1, 1)


def test_a_post_that_has_ended_is_not_taken_in_again(
    connection: Connection, clock: FakeClock
) -> None:
    arrival = an_arrival(clock)
    inbox.add(connection, [arrival])
    inbox.finish(connection, [an_end(arrival, clock)])
    again = inbox.add(connection, [arrival])
    assert (again.accepted, again.duplicates) == (0, 1)
    assert inbox.waiting(connection).posts == 0


def test_nothing_is_taken_in_from_an_empty_batch(connection: Connection) -> None:
    assert inbox.add(connection, []).accepted == 0


def test_new_rows_are_due_at_once_oldest_first_and_carry_the_post(
    connection: Connection, clock: FakeClock
) -> None:
    arrivals = []
    for number in (3, 1, 2):
        arrivals.append(an_arrival(clock, number))
        clock.advance(1)
    inbox.add(connection, list(reversed(arrivals)))
    due = inbox.take_due(connection, clock.now(), limit=2)
    assert [one.key for one in due] == [arrival.post.key for arrival in arrivals[:2]]
    assert PostRecord.from_bytes(due[0].payload).to_post() == arrivals[0].post


def test_a_produced_row_is_due_again_only_when_it_grew_old(
    connection: Connection, clock: FakeClock
) -> None:
    inbox.add(connection, [an_arrival(clock)])
    produced_at = clock.now()
    [key] = produce(connection, clock)
    clock.advance(60)
    assert produce(connection, clock) == []
    before = produced_at - timedelta(microseconds=1)
    assert inbox.take_due(connection, clock.now(), limit=9, older_than=before) == []
    [due] = inbox.take_due(connection, clock.now(), limit=9, older_than=produced_at)
    assert due.key == key


def test_a_post_that_was_handed_over_and_does_not_end_is_overdue(
    connection: Connection, clock: FakeClock
) -> None:
    inbox.add(connection, [an_arrival(clock)])
    clock.advance(120)
    assert inbox.overdue(connection, clock.now(), 120) == []
    [key] = produce(connection, clock)
    assert inbox.overdue(connection, clock.now(), 120) == [key]
    assert inbox.overdue(connection, clock.now(), 121) == []
    inbox.postpone(connection, key, clock.now())
    produce(connection, clock)
    assert inbox.overdue(connection, clock.now(), 120) == []


def test_a_post_put_off_waits_for_its_time_and_counts_its_tries(
    connection: Connection, clock: FakeClock
) -> None:
    inbox.add(connection, [an_arrival(clock)])
    [key] = produce(connection, clock)
    assert inbox.attempts(connection, [key]) == {key: 0}
    inbox.postpone(connection, key, clock.now() + timedelta(seconds=20))
    assert inbox.attempts(connection, [key]) == {key: 1}
    clock.advance(19)
    assert inbox.take_due(connection, clock.now(), limit=9, older_than=clock.now()) == []
    assert inbox.reset_produced(connection) == 0
    assert produce(connection, clock) == []
    clock.advance(1)
    assert produce(connection, clock) == [key]
    assert produce(connection, clock) == []


def test_what_a_search_asks_for_is_produced_before_what_came_earlier(
    connection: Connection, clock: FakeClock
) -> None:
    arrivals = []
    for number in (1, 2, 3):
        arrivals.append(an_arrival(clock, number))
        clock.advance(1)
    urgent = dataclasses.replace(a_post(clock, 4), urgent=True)
    inbox.add(connection, [*arrivals, Arrival(post=urgent, payload=inbox.payload_of(urgent))])
    inbox.add(connection, [arrivals[2]], again=True)
    due = inbox.take_due(connection, clock.now(), limit=9)
    assert [one.key for one in due] == [
        arrivals[2].post.key, urgent.key, arrivals[0].post.key, arrivals[1].post.key,
    ]  # fmt: skip
    assert PostRecord.from_bytes(due[1].payload).to_post().urgent


def test_a_post_that_waits_for_its_host_is_not_hastened(
    connection: Connection, clock: FakeClock
) -> None:
    one = an_arrival(clock, 1)
    clock.advance(1)
    two = an_arrival(clock, 2)
    inbox.add(connection, [one, two])
    inbox.postpone(connection, two.post.key, clock.now())
    inbox.add(connection, [two], again=True)
    assert [due.key for due in inbox.take_due(connection, clock.now(), limit=1)] == [one.post.key]


def test_a_second_look_forgets_how_a_post_ended_and_it_ends_anew(
    connection: Connection, clock: FakeClock
) -> None:
    one, two = an_arrival(clock, 1), an_arrival(clock, 2)
    inbox.add(connection, [one, two])
    inbox.finish(connection, [an_end(one, clock), an_end(two, clock)])
    again = inbox.add(connection, [one], again=True)
    assert (again.accepted, again.duplicates) == (1, 0)
    assert inbox.still_open(connection, [one.post.key, two.post.key]) == {one.post.key}
    assert inbox.finish(connection, [an_end(one, clock, Outcome.SIGHTED)]) == {one.post.key}
    rows = connection.execute(sa.select(outcomes.c.post_key, outcomes.c.outcome)).all()
    assert dict(map(tuple, rows)) == {one.post.key: "sighted", two.post.key: "clear"}


def test_a_second_look_at_what_waits_stores_it_once(
    connection: Connection, clock: FakeClock
) -> None:
    one = an_arrival(clock, 1)
    inbox.add(connection, [one])
    again = inbox.add(connection, [one, one], again=True)
    assert (again.accepted, again.duplicates) == (0, 2)
    assert inbox.add(connection, [], again=True).accepted == 0
    assert inbox.waiting(connection).posts == 1


def test_a_broker_that_forgot_makes_every_row_due(connection: Connection, clock: FakeClock) -> None:
    inbox.add(connection, [an_arrival(clock, 1), an_arrival(clock, 2)])
    keys = produce(connection, clock)
    assert inbox.reset_produced(connection) == 2
    assert set(produce(connection, clock)) == set(keys)


def test_a_post_ends_once_and_its_row_goes(connection: Connection, clock: FakeClock) -> None:
    one, two = an_arrival(clock, 1), an_arrival(clock, 2)
    inbox.add(connection, [one, two])
    assert inbox.still_open(connection, [one.post.key, two.post.key]) == {
        one.post.key,
        two.post.key,
    }
    ends = [an_end(one, clock), an_end(one, clock, Outcome.SIGHTED)]
    assert inbox.finish(connection, ends) == {one.post.key}
    assert inbox.finish(connection, [an_end(one, clock, Outcome.SIGHTED)]) == set()
    assert inbox.still_open(connection, [one.post.key, two.post.key]) == {two.post.key}
    [row] = connection.execute(sa.select(outcomes)).all()
    assert (row.outcome, row.media, row.source) == ("clear", 2, "replay")


def test_a_dead_post_ends_with_its_reason(connection: Connection, clock: FakeClock) -> None:
    arrival = an_arrival(clock)
    inbox.add(connection, [arrival])
    end = inbox.end_dead(connection, arrival.post.key, "bug", clock.now())
    assert end is not None
    assert (end.outcome, end.reason, end.source) == (Outcome.DEAD, "bug", "replay")
    assert inbox.end_dead(connection, arrival.post.key, "bug", clock.now()) is None
    assert inbox.waiting(connection).posts == 0


def test_what_waits_is_counted(connection: Connection, clock: FakeClock) -> None:
    assert inbox.waiting(connection).oldest_at is None
    first = clock.now()
    inbox.add(connection, [an_arrival(clock, 1)])
    clock.advance(5)
    inbox.add(connection, [an_arrival(clock, 2)])
    assert inbox.waiting(connection) == inbox.Waiting(posts=2, oldest_at=first)


def test_a_source_goes_on_before_its_oldest_waiting_post(
    connection: Connection, clock: FakeClock
) -> None:
    assert inbox.resume_cursor(connection, "replay") is None
    one = an_arrival(clock, 1, cursor=None)
    clock.advance(1)
    two = an_arrival(clock, 2, cursor="10")
    inbox.add(connection, [one, two])
    inbox.advance(connection, "replay", "20", clock.now())
    assert inbox.resume_cursor(connection, "replay") is None
    inbox.finish(connection, [an_end(one, clock)])
    assert inbox.resume_cursor(connection, "replay") == "10"
    inbox.finish(connection, [an_end(two, clock)])
    assert inbox.resume_cursor(connection, "replay") == "20"
    assert inbox.resume_cursor(connection, "push") is None


def test_a_source_has_one_owner_until_its_lease_ends(
    connection: Connection, clock: FakeClock
) -> None:
    assert inbox.lease(connection, "replay", "a", clock.now(), 15)
    assert not inbox.lease(connection, "replay", "b", clock.now(), 15)
    clock.advance(10)
    assert inbox.lease(connection, "replay", "a", clock.now(), 15)
    clock.advance(14)
    assert not inbox.lease(connection, "replay", "b", clock.now(), 15)
    clock.advance(2)
    assert inbox.lease(connection, "replay", "b", clock.now(), 15)
    assert not inbox.lease(connection, "replay", "a", clock.now(), 15)
    inbox.release(connection, "b")
    assert inbox.lease(connection, "replay", "a", clock.now(), 15)


def test_a_lease_keeps_the_cursor(connection: Connection, clock: FakeClock) -> None:
    inbox.advance(connection, "replay", "20", clock.now())
    inbox.lease(connection, "replay", "a", clock.now(), 15)
    inbox.release(connection, "a")
    assert inbox.resume_cursor(connection, "replay") == "20"


def test_a_post_too_large_for_the_broker_is_refused(clock: FakeClock) -> None:
    media = tuple(
        MediaItem(url="https://h.example/m", alt_text="한" * 9000) for _ in range(MAX_MEDIA)
    )
    huge = dataclasses.replace(a_post(clock), media=media)
    with pytest.raises(OversizedMessageError):
        inbox.payload_of(huge)
    assert MAX_POST_BYTES < 9000 * 3 * MAX_MEDIA


def test_a_post_that_breaks_the_schema_is_refused_without_its_values(clock: FakeClock) -> None:
    broken = dataclasses.replace(a_post(clock), url="ftp://secret.example/")
    with pytest.raises(InvalidMessageError, match="url") as caught:
        inbox.payload_of(broken)
    assert "secret" not in str(caught.value)
