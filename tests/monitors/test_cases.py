"""What is lawful, in Python and in SQL alike."""

import itertools
import threading
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from monitors.cases import (
    AgeClass,
    Case,
    CaseStatus,
    LegalBasis,
    fits,
    is_lawful,
    lawful_case_ids,
    to_case,
)
from monitors.database import Database
from monitors.register import CaseRegister
from monitors.tables import cases
from streams.types import CaseId
from tests.fakes import FakeClock, an_adults_case

LATER, EARLIER = timedelta(seconds=1), timedelta(seconds=-1)


def test_the_database_and_the_code_agree_on_what_is_lawful(
    database: Database, clock: FakeClock
) -> None:
    now = clock.now()
    ends = (None, now + LATER, now, now + EARLIER)
    everything = itertools.product(AgeClass, LegalBasis, CaseStatus, ends)
    rows = [
        {
            "id": f"{number:032x}",
            "alias": f"case {number}",
            "age_class": age_class,
            "legal_basis": legal_basis,
            "consent_face": False,
            "consent_voice": False,
            "status": status,
            "opened_at": now,
            "expires_at": expires_at,
        }
        for number, (age_class, legal_basis, status, expires_at) in enumerate(everything)
    ]
    with database.write() as connection:
        connection.execute(sa.insert(cases), rows)
        found = lawful_case_ids(connection, now, [CaseId(str(row["id"])) for row in rows])
        stored = [to_case(row) for row in connection.execute(sa.select(cases))]
    assert len(stored) == len(rows) == 3 * 5 * 3 * 4
    assert found == {case.id for case in stored if is_lawful(case, now)}
    # open; not expired (2 of 4 ends); 14 of 15 pairs of age and basis
    assert len(found) == 14 * 1 * 2


def test_only_an_adult_cannot_be_acted_for_unasked() -> None:
    pairs = itertools.product(AgeClass, LegalBasis)
    unfit = [pair for pair in pairs if not fits(*pair)]
    assert unfit == [(AgeClass.ADULT, LegalBasis.MINOR_PROACTIVE)]


def test_the_authority_ends_at_its_very_second(clock: FakeClock) -> None:
    now = clock.now()
    case = Case(
        id=CaseId("c" * 32),
        alias="A",
        age_class=AgeClass.ADULT,
        legal_basis=LegalBasis.VICTIM_REQUEST,
        consents=frozenset(),
        status=CaseStatus.OPEN,
        opened_at=now,
        expires_at=now + LATER,
        ended_at=None,
    )
    assert is_lawful(case, now)
    assert not is_lawful(case, now + LATER)
    assert is_lawful(replace(case, expires_at=None), now + timedelta(days=36500))


def test_asking_about_no_case_costs_no_query(database: Database, clock: FakeClock) -> None:
    with database.write() as connection:
        assert lawful_case_ids(connection, clock.now(), []) == set()


def test_only_the_cases_asked_about_are_told(
    database: Database, register: CaseRegister, clock: FakeClock
) -> None:
    first = register.open(an_adults_case("A")).id
    register.open(an_adults_case("B"))
    with database.write() as connection:
        unknown = CaseId("f" * 32)
        assert lawful_case_ids(connection, clock.now(), [first, first, unknown]) == {first}


def test_a_withdrawal_waits_for_the_task_that_was_found_lawful(
    database: Database, register: CaseRegister, clock: FakeClock
) -> None:
    case = register.open(an_adults_case()).id
    withdrawal = threading.Thread(target=register.withdraw, args=(case,))
    with database.write() as connection:
        assert lawful_case_ids(connection, clock.now(), [case]) == {case}
        withdrawal.start()
        withdrawal.join(0.3)
        assert withdrawal.is_alive()
        assert lawful_case_ids(connection, clock.now(), [case]) == {case}
    withdrawal.join(10)
    with database.write() as connection:
        assert lawful_case_ids(connection, clock.now(), [case]) == set()
