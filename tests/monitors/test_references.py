"""Files become sealed features, once each, and never stay as files."""

import asyncio
import hashlib
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from monitors import references as module
from monitors.audit import verify
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.references import Enroller, EnrolOutcome, open_frames
from monitors.register import CaseRegister
from monitors.tables import audit, contents, features, gallery_version, references
from streams.errors import CaseNotActiveError, SealError, UnknownCaseError
from streams.types import CaseId, ReferenceId
from tests.fakes import FakeClock, FakeRecogniser, an_adults_case, fingerprint_of, picture_bytes


@pytest.fixture
def case(register: CaseRegister) -> CaseId:
    return register.open(an_adults_case()).id


@pytest.fixture
def recogniser() -> FakeRecogniser:
    return FakeRecogniser()


@pytest.fixture
def enroller(register: CaseRegister, recogniser: FakeRecogniser) -> Enroller:
    return Enroller(register, recogniser)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "나무의 사진.png"
    file.write_bytes(picture_bytes(1))
    return file


def _rows(database: Database, table: sa.Table) -> list[sa.Row[tuple[object, ...]]]:
    with database.read() as connection:
        return list(connection.execute(sa.select(table)).all())


async def test_a_file_becomes_features_that_open_again(
    enroller: Enroller, database: Database, keystore: KeyStore, case: CaseId, picture: Path
) -> None:
    result = await enroller.enrol(case, picture)
    assert (result.outcome, result.reason, result.path) == ("enrolled", None, str(picture))
    (row,) = _rows(database, features)
    assert result.reference == row.reference_id
    (stored,) = open_frames(keystore, case, row.reference_id, row.space, row.sealed)
    wanted = fingerprint_of(1)
    assert np.array_equal(stored.embeddings, wanted.embeddings)
    assert np.array_equal(stored.pdq, wanted.pdq)
    assert (stored.space, stored.detail) == (wanted.space, wanted.detail)


async def test_a_gallery_hears_of_each_new_reference_once(
    enroller: Enroller, database: Database, case: CaseId, picture: Path
) -> None:
    before = _rows(database, gallery_version)[0].version
    for _ in range(2):
        await enroller.enrol(case, picture)
    assert _rows(database, gallery_version)[0].version == before + 1


async def test_neither_the_bytes_nor_their_name_nor_their_hash_are_kept(
    enroller: Enroller, database: Database, case: CaseId, picture: Path
) -> None:
    await enroller.enrol(case, picture)
    kept = repr([_rows(database, table) for table in (references, features, contents, audit)])
    body = picture_bytes(1)
    for told in (body.decode(), "나무", hashlib.sha256(body).hexdigest()):
        assert told not in kept
    assert fingerprint_of(1).pdq.tobytes() not in _rows(database, features)[0].sealed


async def test_every_frame_of_an_animation_is_kept(
    register: CaseRegister, database: Database, keystore: KeyStore, case: CaseId, picture: Path
) -> None:
    await Enroller(register, FakeRecogniser(frames=3)).enrol(case, picture)
    (row,) = _rows(database, features)
    stored = open_frames(keystore, case, row.reference_id, row.space, row.sealed)
    wanted = [fingerprint_of(seed).embeddings for seed in (1, 1001, 2001)]
    assert all(np.array_equal(a.embeddings, b) for a, b in zip(stored, wanted, strict=True))


async def test_identical_bytes_return_the_earlier_reference_without_a_look(
    enroller: Enroller, recogniser: FakeRecogniser, case: CaseId, picture: Path, tmp_path: Path
) -> None:
    first = await enroller.enrol(case, picture)
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(picture_bytes(1))
    second = await enroller.enrol(case, copy)
    assert (second.outcome, second.reference) == (EnrolOutcome.DUPLICATE, first.reference)
    assert recogniser.asked == 1


async def test_the_same_file_at_the_same_time_is_one_reference(
    enroller: Enroller, database: Database, case: CaseId, picture: Path
) -> None:
    results = await asyncio.gather(*(enroller.enrol(case, picture) for _ in range(4)))
    assert sorted(result.outcome for result in results) == ["duplicate"] * 3 + ["enrolled"]
    assert len({result.reference for result in results}) == 1
    assert len(_rows(database, contents)) - 1 == len(_rows(database, features)) == 1  # - mentions


async def test_two_cases_know_the_same_file_by_different_names(
    enroller: Enroller, register: CaseRegister, database: Database, case: CaseId, picture: Path
) -> None:
    other = register.open(an_adults_case("B")).id
    results = [await enroller.enrol(one, picture) for one in (case, other)]
    assert [result.outcome for result in results] == ["enrolled", "enrolled"]
    names = {row.bytes_hmac for row in _rows(database, references)}
    assert len(names) == 2


async def test_a_reference_that_lacks_a_space_gets_it_from_the_same_file(
    enroller: Enroller, register: CaseRegister, database: Database, case: CaseId, picture: Path
) -> None:
    first = await enroller.enrol(case, picture)
    other = Enroller(register, FakeRecogniser(space="fake/2/numpy/f32"))
    second = await other.enrol(case, picture)
    assert (second.outcome, second.reference) == (EnrolOutcome.DUPLICATE, first.reference)
    spaces = {row.space for row in _rows(database, features)}
    assert spaces == {"fake/1/numpy/f32", "fake/2/numpy/f32"}


@pytest.mark.parametrize(
    "sample",
    [
        (b"", "unreadable", "undecodable_media"),
        (b"no picture at all", "unreadable", "undecodable_media"),
        (b"\0\0\0\x20ftypisom" + bytes(20), "unreadable", "unsupported_kind"),
        (b"\x1a\x45\xdf\xa3" + bytes(20), "unreadable", "unsupported_kind"),
        (b"RIFF\0\0\0\0WAVEfmt ", "unreadable", "unsupported_kind"),
        (b"ID3\x04" + bytes(20), "unreadable", "unsupported_kind"),
        (b"\0\0\0\x20ftypavif" + bytes(20), "unreadable", "undecodable_media"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "unreadable", "undecodable_media"),
    ],
)
async def test_what_cannot_be_compared_is_unreadable_and_says_why(
    enroller: Enroller,
    database: Database,
    case: CaseId,
    tmp_path: Path,
    sample: tuple[bytes, str, str],
) -> None:
    body, outcome, reason = sample
    file = tmp_path / "file"
    file.write_bytes(body)
    result = await enroller.enrol(case, file)
    assert (result.outcome, result.reason, result.reference) == (outcome, reason, None)
    assert _rows(database, references) == []


async def test_a_file_over_the_cap_is_refused_before_it_is_read_whole(
    enroller: Enroller, case: CaseId, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 5)
    result = await enroller.enrol(case, picture)
    assert (result.outcome, result.reason) == (EnrolOutcome.REFUSED, "media_too_large")


async def test_what_is_no_file_is_unreadable(
    enroller: Enroller, case: CaseId, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "pipe"):
        result = await enroller.enrol(case, path)
        assert (result.outcome, result.reason) == (EnrolOutcome.UNREADABLE, "unreadable_file")


async def test_a_flat_picture_is_refused_as_a_reference(
    enroller: Enroller, recogniser: FakeRecogniser, database: Database, case: CaseId, picture: Path
) -> None:
    recogniser.detail = 0.5
    result = await enroller.enrol(case, picture)
    assert (result.outcome, result.reason) == (EnrolOutcome.REFUSED, "low_detail")
    assert _rows(database, references) == []


async def test_nothing_is_looked_at_for_a_case_without_a_basis(
    enroller: Enroller,
    register: CaseRegister,
    recogniser: FakeRecogniser,
    clock: FakeClock,
    picture: Path,
) -> None:
    expiring = register.open(
        replace(an_adults_case("B"), expires_at=clock.now() + timedelta(seconds=1))
    ).id
    closed = register.open(an_adults_case("C")).id
    withdrawn = register.open(an_adults_case("D")).id
    register.close("C")
    register.withdraw("D")
    clock.advance(1)
    for case in (expiring, closed, withdrawn):
        with pytest.raises(CaseNotActiveError):
            await enroller.enrol(case, picture)
    with pytest.raises(UnknownCaseError):
        await enroller.enrol(CaseId("f" * 32), picture)
    assert recogniser.asked == 0


async def test_a_case_that_is_withdrawn_while_its_file_is_looked_at_keeps_nothing(
    register: CaseRegister, database: Database, case: CaseId, picture: Path
) -> None:
    class Slow(FakeRecogniser):
        async def fingerprints(self, body, *, reference=False):  # type: ignore[no-untyped-def]
            found = await super().fingerprints(body, reference=reference)
            await asyncio.to_thread(register.withdraw, case)
            return found

    with pytest.raises(CaseNotActiveError):
        await Enroller(register, Slow()).enrol(case, picture)
    assert _rows(database, features) == []


async def test_features_open_for_their_own_reference_and_space_alone(
    enroller: Enroller, database: Database, keystore: KeyStore, case: CaseId, picture: Path
) -> None:
    await enroller.enrol(case, picture)
    (row,) = _rows(database, features)
    with pytest.raises(SealError):
        open_frames(keystore, case, ReferenceId("0" * 32), row.space, row.sealed)
    with pytest.raises(SealError):
        open_frames(keystore, case, row.reference_id, "other/1", row.sealed)


async def test_what_is_sealed_but_no_fingerprint_is_said(keystore: KeyStore, case: CaseId) -> None:
    for plain in (b"x", b"\x05\0\0\0hello", b"\xff\xff\xff\xff"):
        sealed = keystore.seal(case, plain, context="features/r/s")
        with pytest.raises(SealError):
            open_frames(keystore, case, ReferenceId("r"), "s", sealed)


async def test_enrolment_is_audited_without_the_file(
    enroller: Enroller, database: Database, keystore: KeyStore, case: CaseId, picture: Path
) -> None:
    result = await enroller.enrol(case, picture)
    row = _rows(database, audit)[-1]
    assert (row.action, row.subject) == ("reference.add", case)
    assert row.detail == {
        "reference": result.reference, "space": "fake/1/numpy/f32", "frames": 1
    }  # fmt: skip
    with database.read() as connection:
        assert verify(connection, keystore.audit_key()).broken_at is None
