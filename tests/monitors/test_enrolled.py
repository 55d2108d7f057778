"""A case's references, as officers see them."""

from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from monitors.audit import verify
from monitors.database import Database
from monitors.enrolled import (
    list_references,
    quarantine_by_hand,
    remove_reference,
    require_reference,
)
from monitors.keystore import KeyStore
from monitors.negatives import add_negative
from monitors.quarantine import Reason
from monitors.register import CaseRegister
from monitors.tables import audit, features, gallery_version, negatives, references
from streams.errors import UnknownCaseError, UnknownReferenceError
from streams.types import CaseId, MediaKind, ReferenceId
from tests.alerts.rows import add_content, add_reference, content_of
from tests.fakes import FakeClock, an_adults_case


@pytest.fixture
def case(register: CaseRegister) -> CaseId:
    return register.open(an_adults_case()).id


def enrol(database: Database, clock: FakeClock, case: CaseId, number: int, **values: object) -> str:
    with database.write() as connection:
        content = add_content(connection, clock.now(), case, content_of(9, number))
        return add_reference(connection, clock.now(), case, content, **values)


def test_references_are_listed_with_where_they_can_be_compared(
    register: CaseRegister, database: Database, clock: FakeClock, case: CaseId
) -> None:
    first = enrol(database, clock, case, 1, kind="video")
    clock.advance(1)
    second = enrol(database, clock, case, 2, subject="face")
    with database.write() as connection:
        for space in ("sscd/1", "sound/1"):
            connection.execute(
                sa.insert(features).values(reference_id=first, space=space, sealed=b"s")
            )
    enrol(database, clock, register.open(an_adults_case("B")).id, 3)
    with database.read() as connection:
        one, other = list_references(connection, case, clock.now())
    assert (one.reference, one.kind, one.subject) == (first, MediaKind.VIDEO, None)
    assert (one.spaces, one.quarantine_reason, one.held) == (("sound/1", "sscd/1"), None, 0)
    assert (other.reference, other.subject, other.spaces) == (second, "face", ())


def test_a_quarantine_by_hand_is_audited_and_leaves_the_galleries_alone(
    register: CaseRegister, database: Database, keystore: KeyStore, clock: FakeClock, case: CaseId
) -> None:
    reference = enrol(database, clock, case, 1)
    with database.read() as connection:
        before = connection.execute(sa.select(gallery_version.c.version)).scalar_one()
    until = quarantine_by_hand(register, "A", reference, 60)
    assert until == clock.now() + timedelta(seconds=60)
    with database.read() as connection:
        (row,) = list_references(connection, case, clock.now())
        (later,) = list_references(connection, case, until)
        last = connection.execute(sa.select(audit).order_by(audit.c.seq.desc())).first()
        assert verify(connection, keystore.audit_key()).broken_at is None
        assert connection.execute(sa.select(gallery_version.c.version)).scalar_one() == before
    assert row.quarantine_reason is Reason.BY_HAND
    assert (row.quarantined_at, row.quarantined_until) == (clock.now(), until)
    assert later.quarantine_reason is None
    assert later.quarantined_at is None
    assert last is not None
    assert (last.action, last.subject) == ("reference.quarantine", case)
    assert last.detail == {"reference": reference, "until": until.isoformat()}


def test_a_reference_is_its_own_cases(
    register: CaseRegister, database: Database, clock: FakeClock, case: CaseId
) -> None:
    reference = enrol(database, clock, case, 1)
    other = register.open(an_adults_case("B")).id
    with database.read() as connection:
        assert require_reference(connection, case, reference) == ReferenceId(reference)
        with pytest.raises(UnknownReferenceError):
            require_reference(connection, other, reference)
        assert require_reference(connection, case, reference[:8]) == ReferenceId(reference)
        for unknown in ("", "%", "_" * 32, reference + "0"):
            with pytest.raises(UnknownReferenceError, match="no such"):
                require_reference(connection, case, unknown)
    with pytest.raises(UnknownReferenceError):
        quarantine_by_hand(register, "B", reference, 60)
    with pytest.raises(UnknownCaseError):
        quarantine_by_hand(register, "nobody", reference, 60)


def test_a_removed_reference_leaves_nothing_but_the_log(
    register: CaseRegister, database: Database, keystore: KeyStore, clock: FakeClock, case: CaseId
) -> None:
    wrong, kept = (enrol(database, clock, case, number) for number in (1, 2))
    with database.write() as connection:
        for one in (wrong, kept):
            values = {"reference_id": one, "space": "sscd/1", "sealed": b"s"}
            connection.execute(sa.insert(features).values(values))
    for reference in (wrong, None):
        add_negative(register, case, {"sscd/1": [{"pdq": np.zeros(1)}]}, reference=reference)
    with database.read() as connection:
        before = connection.execute(sa.select(gallery_version.c.version)).scalar_one()
    assert remove_reference(register, "A", wrong) == wrong
    with database.read() as connection:
        assert connection.execute(sa.select(gallery_version.c.version)).scalar_one() == before + 1
        assert list(connection.scalars(sa.select(references.c.id))) == [kept]
        assert list(connection.scalars(sa.select(features.c.reference_id))) == [kept]
        assert list(connection.scalars(sa.select(negatives.c.reference_id))) == [None]
        last = connection.execute(sa.select(audit).order_by(audit.c.seq.desc())).first()
        assert verify(connection, keystore.audit_key()).broken_at is None
    assert last is not None
    assert (last.action, last.subject) == ("reference.remove", case)
    assert (last.detail["reference"], last.detail["features"]) == (wrong, 1)


def test_a_reference_of_another_case_is_not_removed(
    register: CaseRegister, database: Database, clock: FakeClock, case: CaseId
) -> None:
    reference = enrol(database, clock, case, 1)
    register.open(an_adults_case("B"))
    with pytest.raises(UnknownReferenceError):
        remove_reference(register, "B", reference)
    with database.read() as connection:
        assert len(list_references(connection, case, clock.now())) == 1


def test_a_beginning_that_several_references_share_names_none(
    register: CaseRegister, database: Database, clock: FakeClock, case: CaseId
) -> None:
    one = enrol(database, clock, case, 1, id="ab" + "1" * 30)
    enrol(database, clock, case, 2, id="ab" + "2" * 30)
    other = register.open(an_adults_case("B")).id
    enrol(database, clock, other, 3, id="ab1" + "3" * 29)
    with pytest.raises(UnknownReferenceError, match="several"):
        remove_reference(register, "A", "ab")
    assert remove_reference(register, "A", "ab1") == one
