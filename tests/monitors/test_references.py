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

from gpu_kernels.fingerprint import ImageFingerprint, from_bytes
from gpu_kernels.keypoints import SPACE as KEYPOINT_SPACE
from gpu_kernels.sound import SOUND_SPACE
from monitors import references as module
from monitors.audit import verify
from monitors.cases import Consent
from monitors.database import Database
from monitors.deriving import FACE_SPACE, VOICE_SPACE
from monitors.keystore import KeyStore
from monitors.references import Enroller, EnrolOutcome, open_features, seal_features
from monitors.register import CaseRegister
from monitors.tables import audit, contents, features, gallery_version, references
from streams.errors import (
    CaseNotActiveError,
    LowDetailError,
    NoConsentError,
    SealError,
    UnknownCaseError,
)
from streams.types import CaseId, DecodedMedia, Look, ReferenceId
from tests.fakes import (
    FakeClock,
    FakeFilm,
    FakeRecogniser,
    a_melody,
    an_adults_case,
    as_sound,
    faces_of,
    fingerprint_of,
    picture_bytes,
    voices_of,
)

SPACE = FakeRecogniser().space
MELODY = as_sound(a_melody(1))


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


def _row(database: Database, space: str) -> sa.Row[tuple[object, ...]]:
    """The one row of features in a space."""
    (row,) = [row for row in _rows(database, features) if row.space == space]
    return row


def _frames(
    keystore: KeyStore, case: CaseId, row: sa.Row[tuple[object, ...]]
) -> list[ImageFingerprint]:
    parts = open_features(keystore, case, row.reference_id, row.space, row.sealed)
    return [from_bytes(part) for part in parts]


async def test_a_file_becomes_features_that_open_again(
    enroller: Enroller, database: Database, keystore: KeyStore, case: CaseId, picture: Path
) -> None:
    result = await enroller.enrol(case, picture)
    assert (result.outcome, result.reason, result.path) == ("enrolled", None, str(picture))
    row = _row(database, SPACE)
    assert result.reference == row.reference_id
    assert {one.space for one in _rows(database, features)} == {SPACE, KEYPOINT_SPACE}
    (stored,) = _frames(keystore, case, row)
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
    assert fingerprint_of(1).pdq.tobytes() not in _row(database, SPACE).sealed


async def test_every_frame_of_an_animation_is_kept(
    register: CaseRegister, database: Database, keystore: KeyStore, case: CaseId, picture: Path
) -> None:
    await Enroller(register, FakeRecogniser(frames=3)).enrol(case, picture)
    stored = _frames(keystore, case, _row(database, SPACE))
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
    assert len(_rows(database, contents)) - 1 == len(_rows(database, references)) == 1  # - mentions
    assert sorted(row.space for row in _rows(database, features)) == [SPACE, KEYPOINT_SPACE]


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
    assert spaces == {"fake/1/numpy/f32", "fake/2/numpy/f32", KEYPOINT_SPACE}


@pytest.mark.parametrize(
    "sample",
    [
        (b"", "unreadable", "undecodable_media"),
        (b"no picture at all", "unreadable", "undecodable_media"),
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
        async def decode(self, body: bytes, look: Look = Look()) -> DecodedMedia:
            found = await super().decode(body, look)
            await asyncio.to_thread(register.withdraw, case)
            return found

    with pytest.raises(CaseNotActiveError):
        await Enroller(register, Slow()).enrol(case, picture)
    assert _rows(database, features) == []


async def test_features_open_for_their_own_reference_and_space_alone(
    enroller: Enroller, database: Database, keystore: KeyStore, case: CaseId, picture: Path
) -> None:
    await enroller.enrol(case, picture)
    row = _row(database, SPACE)
    with pytest.raises(SealError):
        open_features(keystore, case, ReferenceId("0" * 32), row.space, row.sealed)
    with pytest.raises(SealError):
        open_features(keystore, case, row.reference_id, "other/1", row.sealed)


def test_a_length_that_is_cut_off_is_said(keystore: KeyStore, case: CaseId) -> None:
    sealed = keystore.seal(case, b"x", context="features/r/s")
    with pytest.raises(SealError):
        open_features(keystore, case, ReferenceId("r"), "s", sealed)


def test_parts_come_back_as_they_were_sealed(keystore: KeyStore, case: CaseId) -> None:
    prints = [fingerprint_of(number).to_arrays() for number in range(3)]
    sealed = seal_features(keystore, case, ReferenceId("r"), "s", prints)
    parts = open_features(keystore, case, ReferenceId("r"), "s", sealed)
    stored = [from_bytes(part).embeddings for part in parts]
    wanted = [fingerprint_of(number).embeddings for number in range(3)]
    assert all(np.array_equal(one, other) for one, other in zip(stored, wanted, strict=True))


async def test_enrolment_is_audited_without_the_file(
    enroller: Enroller, database: Database, keystore: KeyStore, case: CaseId, picture: Path
) -> None:
    result = await enroller.enrol(case, picture)
    row = _rows(database, audit)[-1]
    assert (row.action, row.subject) == ("reference.add", case)
    assert row.detail == {
        "reference": result.reference,
        "kind": "image",
        "spaces": [f"{SPACE}: 1", f"{KEYPOINT_SPACE}: 1"],
    }
    with database.read() as connection:
        assert verify(connection, keystore.audit_key()).broken_at is None


async def test_a_film_and_a_sound_are_references_of_their_kind_and_once_each(
    register: CaseRegister, database: Database, case: CaseId, recogniser: FakeRecogniser
) -> None:
    recogniser.films = {
        b"film": FakeFilm(seconds=12, first=100, sound=MELODY),
        b"sound": FakeFilm(seconds=12, sound=as_sound(a_melody(2))),
    }
    enroller = Enroller(register, recogniser)
    film, _ = await enroller.enrol_bytes(case, b"film")
    sound, _ = await enroller.enrol_bytes(case, b"sound")
    asked = recogniser.asked
    for body, earlier in ((b"film", film), (b"sound", sound)):
        assert await enroller.enrol_bytes(case, body) == (earlier, EnrolOutcome.DUPLICATE)
    assert recogniser.asked == asked
    kinds = {row.id: row.kind for row in _rows(database, references)}
    assert kinds == {film: "video", sound: "audio"}
    spaces = {
        one: {row.space for row in _rows(database, features) if row.reference_id == one}
        for one in (film, sound)
    }
    assert spaces == {film: {SPACE, KEYPOINT_SPACE, SOUND_SPACE}, sound: {SOUND_SPACE}}


async def test_a_film_that_shows_nothing_is_refused_unless_its_sound_tells(
    register: CaseRegister, database: Database, case: CaseId, recogniser: FakeRecogniser
) -> None:
    recogniser.detail = 0.5
    hum = as_sound(np.full(16_000 * 12, 0.1, np.float32))
    recogniser.films = {
        b"mute": FakeFilm(seconds=12, first=100, still=True),
        b"hums": FakeFilm(seconds=12, first=100, still=True, sound=hum),
        b"sings": FakeFilm(seconds=12, first=100, still=True, sound=MELODY),
    }
    enroller = Enroller(register, recogniser)
    for body in (b"mute", b"hums"):
        with pytest.raises(LowDetailError):
            await enroller.enrol_bytes(case, body)
    assert _rows(database, references) == []
    reference, _ = await enroller.enrol_bytes(case, b"sings")
    (row,) = _rows(database, references)
    assert (row.id, row.kind) == (reference, "audio")
    assert [row.space for row in _rows(database, features)] == [SOUND_SPACE]
    assert await enroller.enrol_bytes(case, b"sings") == (reference, EnrolOutcome.DUPLICATE)


@pytest.mark.parametrize("subject", list(Consent))
async def test_a_subject_without_consent_is_not_looked_at(
    enroller: Enroller, recogniser: FakeRecogniser, case: CaseId, picture: Path, subject: Consent
) -> None:
    with pytest.raises(NoConsentError):
        await enroller.enrol(case, picture, subject=subject)
    assert recogniser.asked == 0


async def test_a_consent_that_goes_while_the_file_is_looked_at_keeps_nothing(
    register: CaseRegister, database: Database, case: CaseId, picture: Path
) -> None:
    class Slow(FakeRecogniser):
        async def decode(self, body: bytes, look: Look = Look()) -> DecodedMedia:
            found = await super().decode(body, look)
            await asyncio.to_thread(register.set_consents, case, frozenset())
            return found

    register.set_consents(case, frozenset({Consent.FACE}))
    enroller = Enroller(register, Slow(faces_in={1: faces_of(1)}))
    with pytest.raises(NoConsentError):
        await enroller.enrol(case, picture, subject=Consent.FACE)
    assert _rows(database, references) == []


@pytest.mark.parametrize("people", [(), (1, 2)])
async def test_a_picture_of_nobody_or_of_several_is_refused_as_the_subjects(
    register: CaseRegister,
    recogniser: FakeRecogniser,
    database: Database,
    case: CaseId,
    picture: Path,
    people: tuple[int, ...],
) -> None:
    register.set_consents(case, frozenset({Consent.FACE}))
    recogniser.faces_in = {1: faces_of(*people)} if people else {}
    result = await Enroller(register, recogniser).enrol(case, picture, subject=Consent.FACE)
    assert (result.outcome, result.reason) == (EnrolOutcome.REFUSED, "subject_unclear")
    assert _rows(database, references) == []


async def test_a_subjects_features_go_with_the_consent_and_no_others(
    register: CaseRegister, recogniser: FakeRecogniser, database: Database, case: CaseId
) -> None:
    register.set_consents(case, frozenset({Consent.FACE, Consent.VOICE}))
    recogniser.faces_in = {1: faces_of(1)}
    recogniser.heard = voices_of(1)
    recogniser.films = {b"speech": FakeFilm(seconds=12, sound=MELODY)}
    enroller = Enroller(register, recogniser)
    await enroller.enrol_bytes(case, picture_bytes(1))
    face, _ = await enroller.enrol_bytes(case, picture_bytes(1), subject=Consent.FACE)
    voice, _ = await enroller.enrol_bytes(case, b"speech", subject=Consent.VOICE)
    again = await enroller.enrol_bytes(case, picture_bytes(1), subject=Consent.FACE)
    assert again == (face, EnrolOutcome.DUPLICATE)
    subjects = {row.id: row.subject for row in _rows(database, references)}
    assert (subjects[face], subjects[voice]) == ("face", "voice")
    assert [row.detail.get("subject") for row in _rows(database, audit)][-2:] == ["face", "voice"]
    spaces = {row.space for row in _rows(database, features)}
    assert spaces == {SPACE, KEYPOINT_SPACE, FACE_SPACE, VOICE_SPACE}
    register.set_consents(case, frozenset({Consent.VOICE}))
    assert {row.space for row in _rows(database, features)} == spaces - {FACE_SPACE}
    register.set_consents(case, frozenset())
    assert {row.space for row in _rows(database, features)} == {SPACE, KEYPOINT_SPACE}
    assert b"speech" not in repr(_rows(database, references)).encode()


async def test_a_withdrawal_leaves_no_feature_of_any_kind(
    register: CaseRegister, recogniser: FakeRecogniser, database: Database, case: CaseId
) -> None:
    register.set_consents(case, frozenset({Consent.FACE}))
    recogniser.faces_in = {1: faces_of(1)}
    recogniser.films = {b"film": FakeFilm(seconds=12, first=100, sound=MELODY)}
    enroller = Enroller(register, recogniser)
    await enroller.enrol_bytes(case, picture_bytes(1), subject=Consent.FACE)
    await enroller.enrol_bytes(case, b"film")
    register.withdraw(case)
    assert _rows(database, features) == []
    with pytest.raises(CaseNotActiveError):
        await enroller.enrol_bytes(case, b"film")
