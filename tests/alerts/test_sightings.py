"""What becomes of a sighting while a reference floods; the rest is in test_tasks.py."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from alerts.held import release_due
from alerts.sightings import Recorded, record_sighting
from alerts.tasks import Desk
from monitors.database import Database
from monitors.quarantine import (
    Quarantine,
    QuarantineLimits,
    Reason,
    begin,
    count_held,
    discard,
    quarantines,
)
from monitors.tables import cases, held_sightings, locations, outbox, tasks
from streams.refs import author_ref, post_ref
from streams.types import Decision, Match, ReferenceId, Sighting
from tests.alerts.rows import (
    add_case,
    add_reference,
    identifier,
    match_of,
    sighting_of,
)
from tests.fakes import FakeClock

LIMITS = QuarantineLimits(after_sightings=3, window_seconds=100, seconds=1000)


def desk_of(database: Database) -> Desk:
    return Desk(database=database, endpoints=1, console_link="https://c.example", limits=LIMITS)


@pytest.fixture
def desk(database: Database) -> Desk:
    return desk_of(database)


@pytest.fixture
def match(database: Database, clock: FakeClock) -> Match:
    """An alert that is no exact copy, by a reference of a case."""
    with database.write() as connection:
        case, content = add_case(connection, clock.now())
        add_reference(connection, clock.now(), case, content)
    return match_of(case, content)


def record(desk: Desk, clock: FakeClock, sighting: Sighting) -> Recorded:
    with desk.database.write() as connection:
        return record_sighting(connection, sighting, desk, clock.now())


def post(match: Match, clock: FakeClock, number: int, **values: Any) -> Sighting:
    return sighting_of((match,), now=clock.now(), post=str(number), **values)


def rows(desk: Desk, table: sa.Table) -> list[Any]:
    with desk.database.read() as connection:
        return list(connection.execute(sa.select(table)))


def quarantine(desk: Desk, clock: FakeClock, reference: ReferenceId, reason: Reason) -> None:
    until = clock.now() + timedelta(seconds=1000)
    with desk.database.write() as connection:
        begin(connection, reference, Quarantine(reason=reason, until=until), clock.now())


def test_a_flood_waits_and_nothing_of_it_is_lost(
    desk: Desk, clock: FakeClock, match: Match
) -> None:
    found = [record(desk, clock, post(match, clock, n)) for n in range(6)]
    assert [len(one.opened) for one in found] == [1, 1, 1, 0, 0, 0]
    assert [one.held for one in found] == [0, 0, 0, 1, 1, 1]
    assert [one.flooding for one in found] == [(), (), (), (match.reference,), (), ()]
    held = rows(desk, held_sightings)
    assert len(rows(desk, locations)) == len(held) == 3
    seen = post(match, clock, 4)
    (own,) = [row for row in held if row.post_key == seen.post.key]
    assert (own.case_id, own.content_id) == (match.case, match.content)
    assert (own.post_url, own.media_url) == (seen.post.url, seen.post.media[0].url)
    assert (own.host, own.confidence, own.decision) == ("example.com", 0.93, "alert")
    assert [one["modality"] for one in own.evidence] == ["frame", "hash"]
    assert own.held_until == clock.now() + timedelta(seconds=1000)


@pytest.mark.parametrize(
    ("nudity", "severity"), [(0.85, "critical"), (0.5, "high"), (None, "high")]
)
def test_an_estimate_of_nudity_is_kept_with_the_place_and_orders_the_queue(
    desk: Desk, clock: FakeClock, match: Match, nudity: float | None, severity: str
) -> None:
    record(desk, clock, post(match, clock, 1, nudity=nudity))
    (place,), (task,) = rows(desk, locations), rows(desk, tasks)
    told = [one for one in place.evidence if "signal" in one]
    assert [one["estimate"] for one in told] == ([] if nudity is None else [nudity])
    assert (task.severity, task.decision, task.confidence) == (severity, "alert", 0.93)


def test_what_a_quarantine_holds_keeps_its_estimate(
    desk: Desk, clock: FakeClock, match: Match
) -> None:
    quarantine(desk, clock, match.reference, Reason.BY_HAND)
    record(desk, clock, post(match, clock, 1, nudity=0.9))
    clock.advance(1001)
    assert len(release_due(desk, clock.now()).opened) == 1
    (task,) = rows(desk, tasks)
    assert task.severity == "critical"


def test_the_same_sighting_again_is_held_and_counted_once(
    desk: Desk, clock: FakeClock, match: Match
) -> None:
    sightings = [post(match, clock, n) for n in range(5)]
    for _ in range(3):
        for one in sightings:
            record(desk, clock, one)
    assert (len(rows(desk, locations)), len(rows(desk, held_sightings))) == (3, 2)
    again = record(desk, clock, sightings[4])
    assert (again.held, again.newly_held) == (1, 0)
    first = record(desk, clock, sightings[0])
    assert (len(first.opened), first.held) == (1, 0), "what has its task is not taken from it"
    assert len(rows(desk, outbox)) == 1


def test_what_is_sure_passes_a_floods_quarantine_but_not_one_by_hand(
    desk: Desk, clock: FakeClock, match: Match
) -> None:
    exact = match_of(match.case, match.content, hash_similarity=1.0)
    sure = match_of(match.case, match.content, confidence=0.9999)
    quarantine(desk, clock, match.reference, Reason.FLOOD)
    for number, one in enumerate((exact, sure)):
        assert len(record(desk, clock, post(one, clock, number)).opened) == 1
    assert record(desk, clock, post(match, clock, 2)).held == 1
    quarantine(desk, clock, match.reference, Reason.BY_HAND)
    for number, one in enumerate((exact, sure, match)):
        assert record(desk, clock, post(one, clock, 10 + number)).held == 1


def test_a_true_spread_is_not_silenced(desk: Desk, clock: FakeClock, match: Match) -> None:
    for number in range(40):
        one = match_of(match.case, match.content, hash_similarity=0.99 if number % 3 else 0.92)
        found = record(desk, clock, post(one, clock, number, host=f"h{number}.example"))
        assert len(found.opened) == 1
    assert not rows(desk, held_sightings)


def test_review_hits_flood_however_confident_they_are(
    desk: Desk, clock: FakeClock, match: Match
) -> None:
    review = match_of(match.case, match.content, decision=Decision.REVIEW, confidence=0.9995)
    found = [record(desk, clock, post(review, clock, n)) for n in range(4)]
    assert found[-1].flooding == (match.reference,)


def test_another_reference_of_the_content_still_opens_the_task(
    desk: Desk, clock: FakeClock, match: Match
) -> None:
    other = ReferenceId(identifier("another reference"))
    with desk.database.write() as connection:
        add_reference(
            connection, clock.now(), match.case, match.content, id=other, bytes_hmac="another"
        )
    quarantine(desk, clock, match.reference, Reason.BY_HAND)
    sighting = sighting_of(
        (match, replace(match, reference=other, confidence=0.8)), now=clock.now()
    )
    for _ in range(2):
        found = record(desk, clock, sighting)
        assert (len(found.opened), found.held) == (1, 0)
        (location,) = rows(desk, locations)
        (task,) = rows(desk, tasks)
        assert (location.reference_id, task.confidence) == (other, 0.8)


def test_one_medium_may_open_a_task_while_another_waits(
    desk: Desk, clock: FakeClock, match: Match
) -> None:
    with desk.database.write() as connection:
        case, content = add_case(connection, clock.now(), number=1)
        add_reference(connection, clock.now(), case, content)
    quarantine(desk, clock, match.reference, Reason.FLOOD)
    both = sighting_of((match,), (match_of(case, content),), now=clock.now())
    found = record(desk, clock, both)
    assert (len(found.opened), found.held) == (1, 1)


def test_a_match_by_words_alone_is_never_held(desk: Desk, clock: FakeClock, match: Match) -> None:
    words = replace(match, reference=ReferenceId("0" * 32), decision=Decision.REVIEW)
    for number in range(9):
        assert len(record(desk, clock, post(words, clock, number)).opened) == 1


def test_a_case_without_a_legal_basis_holds_nothing(
    desk: Desk, clock: FakeClock, match: Match
) -> None:
    quarantine(desk, clock, match.reference, Reason.FLOOD)
    with desk.database.write() as connection:
        connection.execute(sa.update(cases).values(status="closed"))
    assert record(desk, clock, post(match, clock, 1)) == Recorded()
    assert not rows(desk, held_sightings)


def test_what_was_discarded_stays_so_when_it_is_delivered_again(
    desk: Desk, clock: FakeClock, match: Match
) -> None:
    quarantine(desk, clock, match.reference, Reason.FLOOD)
    sighting = post(match, clock, 1)
    record(desk, clock, sighting)
    with desk.database.write() as connection:
        assert discard(connection, match.reference, clock.now()) == 1
        assert discard(connection, match.reference, clock.now()) == 0
    clock.advance(2000)
    again = record(desk, clock, sighting)
    assert (again.opened, again.held, again.newly_held) == ((), 1, 0)
    (row,) = rows(desk, held_sightings)
    assert (row.post_url, row.media_url, row.author, row.evidence) == ("", "", None, [])
    with desk.database.read() as connection:
        assert count_held(connection) == 0


def test_workers_at_once_agree_on_the_flood(desk: Desk, clock: FakeClock, match: Match) -> None:
    sightings = [post(match, clock, number) for number in range(12)]
    begun: list[ReferenceId] = []
    failures: list[BaseException] = []
    start = threading.Barrier(3)

    def work(order: int) -> None:
        own = Database(desk.database.url)
        try:
            start.wait(20)
            for sighting in sightings[order:] + sightings[:order]:
                begun.extend(record(desk_of(own), clock, sighting).flooding)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=work, args=(4 * n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert begun == [match.reference]
    assert (len(rows(desk, locations)), len(rows(desk, held_sightings))) == (3, 9)
    with desk.database.read() as connection:
        assert quarantines(connection, [match.reference], clock.now())[match.reference]


@pytest.mark.parametrize("network", ["atproto", ""])
def test_a_place_is_named_as_a_removal_of_its_network_will(
    desk: Desk, match: Match, clock: FakeClock, network: str
) -> None:
    sighting = sighting_of((match,), now=clock.now())
    post = replace(sighting.post, network=network)
    record(desk, clock, replace(sighting, post=post))
    with desk.database.read() as connection:
        [place] = connection.execute(sa.select(locations)).all()
    named = network or "board"
    assert (place.post_ref, place.author_ref) == (
        post_ref(named, "1"),
        author_ref(named, "@uploader"),
    )
    assert (place.gone_at, place.gone_reason) == (None, None)
