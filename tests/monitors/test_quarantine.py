"""When a reference floods, and what is told of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from monitors.database import Database
from monitors.quarantine import (
    EXACT_SIMILARITY,
    SURE_CONFIDENCE,
    Quarantine,
    QuarantineLimits,
    Reason,
    Seen,
    count_quarantined,
    count_sighting,
    end,
    end_expired,
    is_unsure,
    key_of_bytes,
    quarantines,
)
from monitors.tables import sighting_counters
from streams.settings import Settings
from streams.types import CaseId, ContentId, Decision, Match, PostKey, ReferenceId
from tests.alerts.rows import add_case, add_reference, match_of
from tests.fakes import FakeClock

LIMITS = QuarantineLimits(after_sightings=3, window_seconds=100, seconds=1000)


@pytest.fixture
def reference(database: Database, clock: FakeClock) -> ReferenceId:
    with database.write() as connection:
        return add_reference(connection, clock.now(), *add_case(connection, clock.now()))


def seen(reference: ReferenceId, number: int, *, unsure: bool = True, **values: object) -> Seen:
    own = Seen(
        reference=reference,
        post=PostKey(f"{number:032x}"),
        medium=0,
        bytes_key=f"{number:064x}",
        host="example.com",
        unsure=unsure,
    )
    return replace(own, **values)  # type: ignore[arg-type]


def count(database: Database, clock: FakeClock, *sightings: Seen) -> list[Quarantine | None]:
    with database.write() as connection:
        return [count_sighting(connection, database, one, LIMITS, clock.now()) for one in sightings]


def state(database: Database, clock: FakeClock, reference: ReferenceId) -> Quarantine | None:
    with database.read() as connection:
        return quarantines(connection, [reference], clock.now())[reference]


def test_one_sighting_too_many_begins_a_quarantine(
    database: Database, clock: FakeClock, reference: ReferenceId
) -> None:
    *before, last = count(database, clock, *(seen(reference, n) for n in range(4)))
    assert before == [None] * 3
    until = clock.now() + timedelta(seconds=1000)
    assert last == state(database, clock, reference) == Quarantine(reason=Reason.FLOOD, until=until)
    clock.advance(1000)
    assert state(database, clock, reference) is None


@pytest.mark.parametrize(
    "same",
    [
        {"post": PostKey("a" * 32), "medium": 0},  # delivered again
        {"bytes_key": "b" * 64},  # one copy, posted again and again on one host
        {"post": PostKey("a" * 32)},
    ],
)
def test_what_is_the_same_is_counted_once(
    database: Database, clock: FakeClock, reference: ReferenceId, same: dict[str, Any]
) -> None:
    sightings = [seen(reference, n, **{"medium": n, **same}) for n in range(9)]
    assert count(database, clock, *sightings) == [None] * 9


def test_one_copy_on_many_hosts_is_a_flood(
    database: Database, clock: FakeClock, reference: ReferenceId
) -> None:
    spread = [seen(reference, n, bytes_key="b" * 64, host=f"{n}.example") for n in range(4)]
    assert count(database, clock, *spread)[-1] is not None


def test_only_what_the_window_holds_is_counted(
    database: Database, clock: FakeClock, reference: ReferenceId
) -> None:
    for number in range(9):
        assert count(database, clock, seen(reference, number)) == [None]
        clock.advance(34)  # three in any window of 100 s
    with database.read() as connection:
        kept = connection.scalar(sa.select(sa.func.count()).select_from(sighting_counters))
    assert kept == 3


def test_a_spread_that_is_mostly_sure_is_none(
    database: Database, clock: FakeClock, reference: ReferenceId
) -> None:
    sure = [seen(reference, n, unsure=False) for n in range(6)]
    unsure = [seen(reference, 100 + n) for n in range(7)]
    *found, last = count(database, clock, *sure, *unsure)
    assert found == [None] * 12
    assert last is not None, "the seventh: now most of them are unsure"


def test_sure_sightings_alone_never_are(
    database: Database, clock: FakeClock, reference: ReferenceId
) -> None:
    sure = [seen(reference, n, unsure=False) for n in range(50)]
    assert count(database, clock, *sure) == [None] * 50


def match(decision: Decision, confidence: float, similarity: float) -> Match:
    return match_of(
        CaseId("c" * 32),
        ContentId("d" * 32),
        decision=decision,
        confidence=confidence,
        hash_similarity=similarity,
    )


@pytest.mark.parametrize(
    ("decision", "confidence", "similarity", "unsure"),
    [
        (Decision.ALERT, 0.9, 0.92, True),
        (Decision.ALERT, SURE_CONFIDENCE, 0.92, False),
        (Decision.ALERT, 0.9, EXACT_SIMILARITY, False),
        (Decision.REVIEW, SURE_CONFIDENCE, 1.0, True),
    ],
)
def test_sure_is_an_alert_with_an_exact_hash_or_hardly_a_doubt(
    decision: Decision, confidence: float, similarity: float, unsure: bool
) -> None:
    found = match(decision, confidence, similarity)
    assert is_unsure(found) is unsure
    now = FakeClock().now()
    assert Quarantine(reason=Reason.FLOOD, until=now).holds(found) is unsure
    assert Quarantine(reason=Reason.BY_HAND, until=now).holds(found)


def test_after_its_end_counting_begins_anew(
    database: Database, clock: FakeClock, reference: ReferenceId
) -> None:
    count(database, clock, *(seen(reference, n) for n in range(4)))
    with database.write() as connection:
        end(connection, reference, clock.now())
    assert state(database, clock, reference) is None
    again = count(database, clock, *(seen(reference, 10 + n) for n in range(4)))
    assert [one is None for one in again] == [True, True, True, False]


def test_the_references_in_quarantine_are_counted_by_reason(
    database: Database, clock: FakeClock, reference: ReferenceId
) -> None:
    count(database, clock, *(seen(reference, n) for n in range(4)))
    with database.write() as connection:
        told = count_quarantined(connection, clock.now())
        assert told == {Reason.FLOOD: 1, Reason.BY_HAND: 0}
        clock.advance(1000)
        assert count_quarantined(connection, clock.now()) == dict.fromkeys(Reason, 0)
        assert end_expired(connection, clock.now()) == [reference]
        assert end_expired(connection, clock.now()) == []


def test_a_reference_that_is_not_there_is_said_by_its_absence(
    database: Database, clock: FakeClock, reference: ReferenceId
) -> None:
    with database.read() as connection:
        wanted = [reference, ReferenceId("f" * 32)]
        assert quarantines(connection, wanted, clock.now()) == {reference: None}


def test_bytes_that_are_unknown_are_named_by_their_address() -> None:
    assert key_of_bytes("ab" * 32, "https://a.example/1") == "ab" * 32
    one, other = (key_of_bytes(None, f"https://a.example/{n}") for n in range(2))
    assert len(one) == len(other) == 64
    assert one != other


def test_the_limits_are_the_settings() -> None:
    assert QuarantineLimits.from_settings(Settings()) == QuarantineLimits()
    changed = Settings(
        quarantine_after_sightings=7, quarantine_window_seconds=8, quarantine_seconds=9
    )
    assert QuarantineLimits.from_settings(changed) == QuarantineLimits(
        after_sightings=7, window_seconds=8, seconds=9
    )
