"""The negative bank keeps what copies are told by, of others' pictures, and no more."""

from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from monitors.database import Database
from monitors.negatives import (
    Features,
    add_negative,
    from_bytes,
    is_biometric,
    list_negatives,
    load_negatives,
    remove_negative,
    to_bytes,
)
from monitors.register import CaseRegister
from monitors.tables import audit, gallery_version, negatives
from streams.errors import (
    CaseError,
    LowDetailError,
    SealError,
    UnknownCaseError,
    UnknownNegativeError,
    UnknownReferenceError,
)
from streams.types import CaseId
from tests.alerts.rows import add_content, add_reference, content_of
from tests.fakes import FakeClock, an_adults_case

SPACE = "sscd/1/openvino/f32"


def fingerprint(number: int) -> dict[str, Any]:
    random = np.random.default_rng(number)
    return {
        "embeddings": random.standard_normal((2, 8)).astype(np.float32),
        "pdq": random.integers(0, 256, (2, 32), np.uint8),
    }


def features(*numbers: int) -> Features:
    return {SPACE: [fingerprint(number) for number in numbers]}


def version(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(gallery_version.c.version)).scalar_one())


def actions(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.scalars(sa.select(audit.c.action).order_by(audit.c.seq)))


@pytest.fixture
def case(register: CaseRegister) -> CaseId:
    return register.open(an_adults_case()).id


def test_a_negative_comes_back_as_it_was(
    register: CaseRegister, database: Database, case: CaseId
) -> None:
    before = version(database)
    negative = add_negative(register, "A", features(1, 2), reason="poster")
    assert version(database) == before + 1
    with database.read() as connection:
        (row,) = list_negatives(connection, case)
        (loaded,) = load_negatives(connection, SPACE)
        assert load_negatives(connection, "sscd/1/onnxruntime/f32") == []
    assert (row.negative, row.case, row.reference) == (negative, case, None)
    assert (row.spaces, row.reason, row.added_by) == ((SPACE,), "poster", "clerk")
    assert (loaded.id, loaded.case, loaded.reference) == (negative, case, None)
    assert len(loaded.fingerprints) == 2
    for stored, number in zip(loaded.fingerprints, (1, 2), strict=True):
        for name, wanted in fingerprint(number).items():
            assert np.array_equal(stored[name], wanted)
    assert actions(database)[-1] == "negative.add"


def test_no_face_and_no_voice_is_ever_kept(
    register: CaseRegister, database: Database, case: CaseId
) -> None:
    found = {"face/1": [fingerprint(1)], "voice/1": [fingerprint(2)], "sound/1": [fingerprint(3)]}
    add_negative(register, case, found)
    with database.read() as connection:
        assert list(connection.scalars(sa.select(negatives.c.space))) == ["sound/1"]
    assert is_biometric("face/1")
    with pytest.raises(LowDetailError):
        add_negative(register, case, {"face/1": [fingerprint(1)], SPACE: []})


def test_one_may_count_for_a_reference_a_case_or_all(
    register: CaseRegister, database: Database, clock: FakeClock, case: CaseId
) -> None:
    with database.write() as connection:
        content = add_content(connection, clock.now(), case, content_of(1))
        reference = add_reference(connection, clock.now(), case, content)
    register.open(an_adults_case("B"))
    add_negative(register, "A", features(1), reference=reference)
    clock.advance(1)
    add_negative(register, "A", features(2))
    clock.advance(1)
    add_negative(register, None, features(3))
    with database.read() as connection:
        loaded = load_negatives(connection, SPACE)
        assert [(one.case, one.reference) for one in loaded] == [
            (case, reference), (case, None), (None, None),
        ]  # fmt: skip
        assert len(list_negatives(connection, case)) == 2
        assert len(list_negatives(connection, None)) == 1
    with pytest.raises(UnknownReferenceError):
        add_negative(register, "B", features(1), reference=reference)
    with pytest.raises(CaseError, match="name it"):
        add_negative(register, None, features(1), reference=reference)
    with pytest.raises(UnknownCaseError):
        add_negative(register, "nobody", features(1))


def test_a_removed_negative_is_gone_and_the_galleries_hear_of_it(
    register: CaseRegister, database: Database, case: CaseId
) -> None:
    negative = add_negative(register, "A", {SPACE: [fingerprint(1)], "sound/1": [fingerprint(2)]})
    other = add_negative(register, None, features(3))
    register.open(an_adults_case("B"))
    for stranger in ("B", None):
        with pytest.raises(UnknownNegativeError):
            remove_negative(register, stranger, negative)
    before = version(database)
    remove_negative(register, "A", negative)
    remove_negative(register, None, other)
    assert version(database) == before + 2
    with database.read() as connection:
        assert not connection.execute(sa.select(negatives)).all()
    assert actions(database)[-2:] == ["negative.remove"] * 2
    with pytest.raises(UnknownNegativeError):
        remove_negative(register, "A", negative)


def test_a_cases_negatives_die_with_its_withdrawal(
    register: CaseRegister, database: Database, case: CaseId
) -> None:
    add_negative(register, "A", features(1))
    kept = add_negative(register, None, features(2))
    register.withdraw("A")
    with database.read() as connection:
        assert [one.id for one in load_negatives(connection, SPACE)] == [kept]
    with pytest.raises(CaseError, match="withdrawn"):
        add_negative(register, "A", features(1))


@pytest.mark.parametrize("reason", ["", "x" * 65, "a\nb"])
def test_an_unusable_reason_is_refused(register: CaseRegister, case: CaseId, reason: str) -> None:
    with pytest.raises(CaseError, match="reason"):
        add_negative(register, "A", features(1), reason=reason)


def test_one_that_cannot_be_read_is_left_out(
    register: CaseRegister, database: Database, case: CaseId
) -> None:
    add_negative(register, "A", features(1))
    kept = add_negative(register, "A", features(2))
    with database.write() as connection:
        broken = sa.update(negatives).where(negatives.c.id != kept).values(features=b"\1\0\0\0x")
        connection.execute(broken)
    with database.read() as connection:
        assert [one.id for one in load_negatives(connection, SPACE)] == [kept]


@pytest.mark.parametrize("content", [b"x", b"\xff\xff\xff\x7fab", b"\2\0\0\0ab"])
def test_bytes_that_are_no_features_are_said(content: bytes) -> None:
    with pytest.raises(SealError):
        from_bytes(content)


def test_nothing_is_no_fingerprint() -> None:
    assert from_bytes(to_bytes([])) == []
