"""What was held becomes tasks in the end, once, or is discarded by somebody."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

import alerts.held
from alerts.held import Released, release, release_due
from alerts.sightings import record_sighting
from alerts.tasks import Desk
from monitors.database import Database
from monitors.enrolled import remove_reference
from monitors.quarantine import KEEP_DISCARDED, QuarantineLimits, quarantines
from monitors.register import CaseRegister
from monitors.tables import audit, held_sightings, locations, outbox, sighting_counters, tasks
from streams.errors import UnknownReferenceError
from streams.types import CaseId, Match, ReferenceId, Sighting
from tests.alerts.rows import add_content, add_reference, content_of, match_of, sighting_of
from tests.fakes import FakeClock, an_adults_case

LIMITS = QuarantineLimits(after_sightings=3, window_seconds=100, seconds=1000)
TABLES = (tasks, locations, outbox)


def desk_of(database: Database) -> Desk:
    return Desk(database=database, endpoints=1, console_link="https://c.example", limits=LIMITS)


@pytest.fixture
def desk(database: Database) -> Desk:
    return desk_of(database)


@pytest.fixture
def case(register: CaseRegister) -> CaseId:
    return register.open(an_adults_case()).id


@pytest.fixture
def match(database: Database, clock: FakeClock, case: CaseId) -> Match:
    with database.write() as connection:
        content = add_content(connection, clock.now(), case, content_of(0))
        add_reference(connection, clock.now(), case, content)
    return match_of(case, content)


@pytest.fixture
def flood(match: Match, clock: FakeClock) -> list[Sighting]:
    """Twelve sightings on four hosts; three open tasks, nine wait."""
    return [
        sighting_of(
            (match,),
            now=clock.now(),
            post=str(number),
            host=f"www.{number % 4}.example",
            hits=(match.case,) if number == 7 else (),
        )
        for number in range(12)
    ]


def see(desk: Desk, clock: FakeClock, sightings: list[Sighting]) -> None:
    for one in sightings:
        with desk.database.write() as connection:
            record_sighting(connection, one, desk, clock.now())


def rows(desk: Desk, table: sa.Table) -> list[Any]:
    with desk.database.read() as connection:
        return list(connection.execute(sa.select(table)))


def places(desk: Desk) -> set[tuple[str, str, int, float, str]]:
    return {
        (row.task_id, row.post_key, row.medium, row.confidence, row.post_url)
        for row in rows(desk, locations)
    }


def state(desk: Desk) -> dict[str, tuple[str, str, float]]:
    return {row.id: (row.severity, row.decision, row.confidence) for row in rows(desk, tasks)}


@pytest.fixture
def straight(
    tmp_path_factory: pytest.TempPathFactory, flood: list[Sighting], clock: FakeClock
) -> tuple[Any, Any]:
    """What the same sightings lead to where nothing floods."""
    from monitors.migrate import upgrade
    from tests.alerts.rows import add_case

    url = f"sqlite:///{tmp_path_factory.mktemp('straight') / 'haechi.db'}"
    upgrade(url)
    database = Database(url)
    found = flood[0].results[0].matches[0]
    with database.write() as connection:
        add_case(connection, clock.now(), id=found.case)
    desk = Desk(database=database, endpoints=1, console_link="")
    see(desk, clock, flood)
    result = places(desk), state(desk)
    database.close()
    return result


@pytest.mark.parametrize("at_once", [2, 200])
def test_at_its_end_a_quarantine_leaves_what_would_have_been_without_it(
    desk: Desk,
    clock: FakeClock,
    flood: list[Sighting],
    straight: tuple[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    monkeypatch.setattr(alerts.held, "_AT_ONCE", at_once)
    see(desk, clock, flood)
    assert len(rows(desk, held_sightings)) == 9
    assert release_due(desk, clock.now()) == Released(), "nothing is due yet"
    clock.advance(1000)
    released = release_due(desk, clock.now())
    assert released.sightings == 9
    assert released.references == (flood[0].results[0].matches[0].reference,)
    assert (places(desk), state(desk)) == straight
    assert not rows(desk, held_sightings)
    assert sum(one.new for one in released.opened) == 1  # the fourth host's
    assert release_due(desk, clock.now()) == Released()


def test_a_release_opens_the_tasks_at_once_and_is_audited(
    desk: Desk,
    register: CaseRegister,
    clock: FakeClock,
    flood: list[Sighting],
    straight: tuple[Any, Any],
) -> None:
    see(desk, clock, flood)
    found = flood[0].results[0].matches[0]
    clock.advance(5)
    released = release(desk, register, "A", found.reference)
    assert released.sightings == 9
    assert (places(desk), state(desk)) == straight
    newest = max(rows(desk, tasks), key=lambda row: row.opened_at)
    assert newest.opened_at == clock.now()
    last = max(rows(desk, audit), key=lambda row: row.seq)
    assert (last.action, last.subject, last.actor) == ("reference.release", found.case, "clerk")
    assert last.detail == {"reference": found.reference, "held": 9, "discarded": False}
    with desk.database.read() as connection:
        assert quarantines(connection, [found.reference], clock.now()) == {found.reference: None}


def test_a_release_that_is_cut_off_is_completed_by_the_timer(
    desk: Desk,
    register: CaseRegister,
    clock: FakeClock,
    flood: list[Sighting],
    straight: tuple[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    see(desk, clock, flood)

    def cut(*_: object) -> Released:
        raise KeyboardInterrupt

    monkeypatch.setattr(alerts.held, "_drain", cut)
    with pytest.raises(KeyboardInterrupt):
        release(desk, register, "A", flood[0].results[0].matches[0].reference)
    monkeypatch.undo()
    assert release_due(desk, clock.now()).sightings == 9
    assert (places(desk), state(desk)) == straight


def test_what_is_discarded_opens_nothing_and_is_forgotten_in_time(
    desk: Desk, register: CaseRegister, clock: FakeClock, flood: list[Sighting]
) -> None:
    see(desk, clock, flood)
    before = [len(rows(desk, table)) for table in TABLES]
    found = flood[0].results[0].matches[0]
    assert release(desk, register, "A", found.reference, discarded=True).sightings == 9
    see(desk, clock, flood)
    assert release_due(desk, clock.now()).sightings == 0
    assert [len(rows(desk, table)) for table in TABLES] == before
    kept = rows(desk, held_sightings)
    assert {(row.post_url, row.media_url, row.author) for row in kept} == {("", "", None)}
    clock.advance(KEEP_DISCARDED.total_seconds())
    release_due(desk, clock.now())
    assert not rows(desk, held_sightings)


def test_a_reference_of_another_case_is_not_released(
    desk: Desk, register: CaseRegister, clock: FakeClock, flood: list[Sighting]
) -> None:
    see(desk, clock, flood)
    register.open(an_adults_case("B"))
    for case, reference in (("B", flood[0].results[0].matches[0].reference), ("A", "f" * 32)):
        with pytest.raises(UnknownReferenceError):
            release(desk, register, case, reference)
    assert len(rows(desk, held_sightings)) == 9


def test_a_withdrawal_takes_what_is_held_with_it(
    desk: Desk, register: CaseRegister, clock: FakeClock, flood: list[Sighting]
) -> None:
    see(desk, clock, flood)
    before = [len(rows(desk, table)) for table in TABLES]
    register.withdraw("A")
    assert not rows(desk, held_sightings)
    assert not rows(desk, sighting_counters)
    clock.advance(1000)
    assert release_due(desk, clock.now()).sightings == 0
    assert [len(rows(desk, table)) for table in TABLES] == before


def test_a_removed_reference_takes_what_it_holds_with_it_and_leaves_its_tasks(
    desk: Desk, register: CaseRegister, clock: FakeClock, flood: list[Sighting], match: Match
) -> None:
    see(desk, clock, flood)
    before = [len(rows(desk, table)) for table in TABLES]
    assert remove_reference(register, "A", match.reference) == match.reference
    assert not rows(desk, held_sightings)
    assert not rows(desk, sighting_counters)
    clock.advance(1000)
    assert release_due(desk, clock.now()).sightings == 0
    assert [len(rows(desk, table)) for table in TABLES] == before
    assert before[0] == 3


def test_a_case_that_ended_meanwhile_gets_no_tasks(
    desk: Desk, register: CaseRegister, clock: FakeClock, flood: list[Sighting]
) -> None:
    see(desk, clock, flood)
    register.close("A")
    clock.advance(1000)
    released = release_due(desk, clock.now())
    assert (released.sightings, released.opened) == (9, ())
    assert len(rows(desk, locations)) == 3
    assert not rows(desk, held_sightings)


def test_a_new_quarantine_keeps_what_is_held_for_its_own_time(
    desk: Desk, register: CaseRegister, clock: FakeClock, flood: list[Sighting], match: Match
) -> None:
    from monitors.enrolled import quarantine_by_hand

    see(desk, clock, flood)
    until = quarantine_by_hand(register, "A", match.reference, 5000)
    assert until == clock.now() + timedelta(seconds=5000)
    clock.advance(4999)
    assert release_due(desk, clock.now()).sightings == 0
    clock.advance(1)
    assert release_due(desk, clock.now()).sightings == 9


def test_timers_at_once_open_each_task_once(
    desk: Desk, clock: FakeClock, flood: list[Sighting], straight: tuple[Any, Any]
) -> None:
    see(desk, clock, flood)
    clock.advance(1000)
    counts: list[int] = []
    failures: list[BaseException] = []
    start = threading.Barrier(3)

    def work() -> None:
        own = Database(desk.database.url)
        try:
            start.wait(20)
            counts.append(release_due(desk_of(own), clock.now()).sightings)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sum(counts) == 9
    assert (places(desk), state(desk)) == straight
    opened = [row.task_id for row in rows(desk, outbox) if row.event == "task.opened"]
    assert len(opened) == len(set(opened)) == 4


def test_the_flooding_reference_is_the_one_that_is_held(
    desk: Desk, clock: FakeClock, flood: list[Sighting], match: Match
) -> None:
    see(desk, clock, flood)
    assert {ReferenceId(row.reference_id) for row in rows(desk, held_sightings)} == {
        match.reference
    }
