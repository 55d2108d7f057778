"""What may be matched, seconds fresh: and nothing else, whatever happens."""

import io
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.keypoints import SPACE as KEYPOINT_SPACE
from gpu_kernels.sound import SOUND_SPACE, fingerprint_sound
from monitors.backup import back_up
from monitors.cases import AgeClass, Consent, LegalBasis, raise_gallery_version
from monitors.database import Database
from monitors.gallery import Gallery, GalleryKeeper, check_spaces
from monitors.keystore import KeyStore
from monitors.migrate import open_database
from monitors.negatives import Features, add_negative, remove_negative
from monitors.references import Enroller, seal_features
from monitors.register import CaseRegister
from monitors.tables import cases, contents, features, gallery_version, keywords, references
from streams.errors import ConfigurationError, DatabaseUnavailableError, GalleryStaleError
from streams.settings import Settings
from streams.types import CaseId, ReferenceId
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
Enrol = Callable[[str, int], None]


@pytest.fixture
def keeper(database: Database, keystore: KeyStore, clock: FakeClock) -> GalleryKeeper:
    return GalleryKeeper(database, keystore, clock, SPACE)


@pytest.fixture
def enrol(register: CaseRegister) -> Enrol:
    """Enrol picture number n in a case that is opened where there is none."""
    return lambda alias, number: _enrol(register, alias, number)


def _enrol(register: CaseRegister, alias: str, number: int) -> None:
    import asyncio

    if alias not in {case.alias for case in register.list_all()}:
        register.open(an_adults_case(alias))
    enroller = Enroller(register, FakeRecogniser())
    asyncio.run(enroller.enrol_bytes(register.find(alias).id, picture_bytes(number)))


def _finds(gallery: Gallery, number: int) -> bool:
    """Say whether the gallery knows this very picture, and knows whose it is."""
    found = gallery.shelf.frames.search(fingerprint_of(number), 5, below=len(gallery.owners))
    return any(one.similarity > 0.99 for one in found)


def _count_queries(database: Database, action: Callable[[], object]) -> list[str]:
    statements: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        statements.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    try:
        action()
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)
    return [one for one in statements if not one.startswith("BEGIN")]


def test_an_enrolled_picture_is_found_at_the_next_poll(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol
) -> None:
    assert not _finds(keeper.refresh(), 1)
    enrol("A", 1)
    gallery = keeper.refresh()
    assert _finds(gallery, 1)
    assert not _finds(gallery, 2)
    assert (gallery.references, gallery.cases) == (1, 1)
    assert {owner.case for owner in gallery.owners} == {register.find("A").id}
    enrol("A", 2)
    assert _finds(keeper.refresh(), 2)
    assert keeper.current() is keeper.refresh()


def test_an_earlier_snapshot_keeps_its_owners_when_a_later_one_grows(
    keeper: GalleryKeeper, enrol: Enrol
) -> None:
    enrol("A", 1)
    first = keeper.refresh()
    enrol("B", 2)
    second = keeper.refresh()
    assert second.owners[: len(first.owners)] == first.owners
    assert len(first.owners) < len(second.owners)
    assert _finds(first, 1)
    assert not _finds(first, 2)


def test_every_frame_belongs_to_its_reference(
    keeper: GalleryKeeper, register: CaseRegister
) -> None:
    import asyncio

    case = register.open(an_adults_case()).id
    enroller = Enroller(register, FakeRecogniser(frames=3))
    reference, _ = asyncio.run(enroller.enrol_bytes(case, picture_bytes(1)))
    gallery = keeper.refresh()
    assert {owner.reference for owner in gallery.owners} == {reference}
    assert all(_finds(gallery, number) for number in (1, 1001, 2001))
    assert gallery.references == 1


def test_keywords_come_with_their_case(keeper: GalleryKeeper, register: CaseRegister) -> None:
    case = register.open(an_adults_case()).id
    keyword = register.add_keyword("A", "해치 공주")
    (watched,) = keeper.refresh().keywords
    assert (watched.case, watched.keyword, watched.text) == (case, keyword, "해치 공주")


@pytest.mark.parametrize("end", ["withdraw", "close"])
def test_a_running_keeper_sees_the_end_of_a_case_within_one_poll(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol, end: str
) -> None:
    for alias, number in (("A", 1), ("B", 2), ("A", 3)):
        enrol(alias, number)
    register.add_keyword("A", "해치 공주")
    assert _finds(keeper.refresh(), 1)
    getattr(register, end)("A")
    gallery = keeper.refresh()
    assert not _finds(gallery, 1)
    assert not _finds(gallery, 3)
    assert _finds(gallery, 2)
    assert gallery.keywords == ()
    assert {owner.case for owner in gallery.owners} == {register.find("B").id}
    assert (gallery.references, gallery.cases) == (1, 1)


def test_an_authority_that_expires_takes_its_case_out_though_nothing_was_written(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol, clock: FakeClock
) -> None:
    register.open(replace(an_adults_case("A"), expires_at=clock.now() + timedelta(seconds=10)))
    enrol("A", 1)
    enrol("B", 2)
    clock.advance(9)
    assert _finds(keeper.refresh(), 1)
    clock.advance(1)
    gallery = keeper.refresh()
    assert not _finds(gallery, 1)
    assert _finds(gallery, 2)
    register.renew("A", clock.now() + timedelta(days=1))
    assert _finds(keeper.refresh(), 1)


def test_a_case_without_a_lawful_basis_is_never_in_the_gallery(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol, database: Database
) -> None:
    enrol("A", 1)
    register.add_keyword("A", "해치 공주")
    with database.write() as connection:  # as no command would leave it
        connection.execute(
            sa.update(cases).values(
                age_class=AgeClass.ADULT, legal_basis=LegalBasis.MINOR_PROACTIVE
            )
        )
        raise_gallery_version(connection)
    gallery = keeper.refresh()
    assert (gallery.owners, gallery.keywords, gallery.cases) == ((), (), 0)


def test_a_gallery_that_was_not_confirmed_lately_is_empty(
    keeper: GalleryKeeper, enrol: Enrol, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(GalleryStaleError):
        keeper.fresh()
    assert keeper.age_seconds() == float("inf")
    enrol("A", 1)
    keeper.refresh()
    clock.advance(30)
    assert _finds(keeper.current(), 1)
    clock.advance(0.001)
    assert keeper.current().owners == ()
    assert not _finds(keeper.current(), 1)
    with pytest.raises(GalleryStaleError):
        keeper.fresh()
    keeper.refresh()
    assert _finds(keeper.fresh(), 1)
    assert keeper.age_seconds() == 0


def test_a_database_that_cannot_be_reached_confirms_nothing(
    keeper: GalleryKeeper, database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper.refresh()
    clock.advance(20)
    unreachable = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    monkeypatch.setattr(keeper, "_database", unreachable)
    with pytest.raises(DatabaseUnavailableError):
        keeper.refresh()
    assert keeper.age_seconds() == 20
    unreachable.close()


def test_the_age_counts_from_when_the_database_was_asked(
    database: Database, keystore: KeyStore, clock: FakeClock
) -> None:
    keeper = GalleryKeeper(database, keystore, clock, SPACE)
    _slow_down(database, lambda: clock.advance(12))
    keeper.refresh()
    assert keeper.age_seconds() >= 12


def _slow_down(database: Database, wait: Callable[[], None]) -> None:
    def before(*_: object) -> None:
        wait()

    sa.event.listen(database.engine, "before_cursor_execute", before)


def test_what_cannot_be_opened_is_left_out_and_counted(
    keeper: GalleryKeeper,
    register: CaseRegister,
    enrol: Enrol,
    keystore: KeyStore,
    database: Database,
) -> None:
    for alias, number in (("A", 1), ("B", 2), ("C", 3)):
        enrol(alias, number)
    register.add_keyword("A", "해치 공주")
    keystore.destroy(register.find("A").id)  # behind the database's back
    with database.write() as connection:
        of_b = sa.select(references.c.id).where(references.c.case_id == register.find("B").id)
        connection.execute(
            sa.update(features)
            .where(features.c.reference_id == of_b.scalar_subquery())
            .values(sealed=b"\x01" + bytes(100))
        )
    gallery = keeper.refresh()
    assert [_finds(gallery, number) for number in (1, 2, 3)] == [False, False, True]
    assert (gallery.unreadable_references, gallery.unreadable_keywords) == (2, 1)
    assert gallery.references == 1


def test_a_rotten_row_is_asked_for_again_only_when_something_changed(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol, keystore: KeyStore
) -> None:
    enrol("A", 1)
    keystore.destroy(register.find("A").id)
    first = keeper.refresh()
    assert keeper.refresh() is first


def test_a_refresh_that_was_cut_off_leaves_no_frame_without_its_owner(
    keeper: GalleryKeeper,
    register: CaseRegister,
    enrol: Enrol,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    enrol("A", 1)
    before = keeper.refresh()
    enrol("B", 2)
    enrol("C", 3)
    real, calls = keeper._keywords, []

    def fail_once(connection: Connection, now: object) -> object:
        calls.append(now)
        if len(calls) == 1:
            raise DatabaseUnavailableError("gone")
        return real(connection, now)  # type: ignore[arg-type]

    monkeypatch.setattr(keeper, "_keywords", fail_once)
    with pytest.raises(DatabaseUnavailableError):
        keeper.refresh()
    assert keeper.current() is before
    assert [_finds(before, number) for number in (1, 2, 3)] == [True, False, False]
    gallery = keeper.refresh()
    assert len(gallery.owners) == 3
    assert all(_finds(gallery, number) for number in (1, 2, 3))
    nearest = gallery.shelf.frames.search(fingerprint_of(3), 1)[0]
    assert gallery.owners[nearest.ordinal].case == register.find("C").id


def test_a_restored_backup_of_a_withdrawn_case_matches_nothing(tmp_path: Path) -> None:
    settings, clock = Settings(home=tmp_path), FakeClock()
    database, keystore = open_database(settings), KeyStore(settings.keys_dir)
    register = CaseRegister(database, keystore, clock, actor="clerk")
    _enrol(register, "A", 1)
    register.add_keyword("A", "해치 공주")
    assert _finds(GalleryKeeper(database, keystore, clock, SPACE).refresh(), 1)
    back_up(database, tmp_path / "backup.db")
    register.withdraw("A")
    database.close()
    for path in tmp_path.glob("haechi.db*"):
        path.unlink()
    (tmp_path / "backup.db").rename(tmp_path / "haechi.db")

    restored = open_database(settings)
    with restored.read() as connection:
        assert len(connection.execute(sa.select(features)).all()) == 2
        assert len(connection.execute(sa.select(keywords)).all()) == 1
    gallery = GalleryKeeper(restored, keystore, clock, SPACE).refresh()
    assert (gallery.owners, gallery.keywords) == ((), ())
    assert (gallery.unreadable_references, gallery.unreadable_keywords) == (1, 1)
    assert not _finds(gallery, 1)
    restored.close()


def _fill(register: CaseRegister, count: int) -> None:
    """Give a new case so many references at once."""
    case, now = register.open(an_adults_case("many")).id, register.clock.now()
    ids = [f"{number:032x}" for number in range(count)]
    with register.database.write() as connection:
        connection.execute(
            sa.insert(contents), [{"id": one, "case_id": case, "created_at": now} for one in ids]
        )
        connection.execute(sa.insert(references), [_reference(case, one, now) for one in ids])
        connection.execute(
            sa.insert(features),
            [
                {"reference_id": one, "space": SPACE, "sealed": _sealed(register, case, one)}
                for one in ids
            ],
        )
        raise_gallery_version(connection)


def _reference(case: CaseId, one: str, now: object) -> dict[str, object]:
    return {
        "id": one,
        "case_id": case,
        "content_id": one,
        "kind": "image",
        "bytes_hmac": one,
        "added_at": now,
    }


def _sealed(register: CaseRegister, case: CaseId, one: str) -> bytes:
    frames = [fingerprint_of(int(one, 16)).to_arrays()]
    return seal_features(register.keystore, case, ReferenceId(one), SPACE, frames)


def test_a_poll_of_a_thousand_references_is_one_query_when_nothing_changed(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol, database: Database
) -> None:
    _fill(register, 1000)
    assert keeper.refresh().references == 1000
    statements = _count_queries(database, keeper.refresh)
    assert len(statements) == 1
    assert gallery_version.name in statements[0]
    enrol("B", 5000)
    assert keeper.refresh().references == 1001


def test_an_addition_opens_only_what_is_new(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(register, 50)
    shelf = keeper.refresh().shelf
    opened: list[object] = []
    real = KeyStore.open_sealed

    def note(self: KeyStore, *arguments: object, **options: object) -> bytes:
        opened.append(arguments)
        return real(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(KeyStore, "open_sealed", note)
    enrol("B", 5000)
    assert keeper.refresh().shelf is shelf
    assert len(opened) == 2  # its frames and its local features


def test_a_worker_refuses_to_start_while_a_lawful_reference_lacks_its_space(
    register: CaseRegister, enrol: Enrol, database: Database, clock: FakeClock
) -> None:
    enrol("A", 1)
    with database.read() as connection:
        check_spaces(connection, SPACE, clock.now())
        with pytest.raises(ConfigurationError, match=r"1 references .* other/1 .*" + SPACE):
            check_spaces(connection, "other/1", clock.now())
    register.close("A")
    with database.read() as connection:
        check_spaces(connection, "other/1", clock.now())


def test_others_may_ask_while_it_refreshes(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol
) -> None:
    enrol("A", 1)
    keeper.refresh()
    stop, wrong = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            gallery = keeper.current()
            if not _finds(gallery, 1):
                wrong.append(gallery.version)

    asking = threading.Thread(target=ask)
    asking.start()
    for number in range(2, 12):
        enrol("A", number)
        keeper.refresh()
        time.sleep(0.001)
    stop.set()
    asking.join(10)
    assert wrong == []


def _seal_whatever(database: Database, register: CaseRegister, alias: str, plain: bytes) -> None:
    """Put something else in the place of the local features of a case's one reference."""
    case = register.find(alias).id
    with database.write() as connection:
        of_case = sa.select(references.c.id).where(references.c.case_id == case)
        reference = connection.execute(of_case).scalar_one()
        context = f"features/{reference}/{KEYPOINT_SPACE}"
        sealed = register.keystore.seal(case, plain, context=context)
        connection.execute(
            sa.update(features)
            .where(features.c.reference_id == reference, features.c.space == KEYPOINT_SPACE)
            .values(sealed=sealed)
        )


@pytest.mark.parametrize("plain", [b"\x05\0\0\0hello", b"\xff\xff\xff\xff", b"x"])
def test_a_row_of_a_later_version_takes_its_reference_out_and_no_other(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol, database: Database, plain: bytes
) -> None:
    for alias, number in (("A", 1), ("B", 2), ("C", 3)):
        enrol(alias, number)
    _seal_whatever(database, register, "B", plain)
    gallery = keeper.refresh()
    assert [_finds(gallery, number) for number in (1, 2, 3)] == [True, False, True]
    assert (gallery.references, gallery.unreadable_references) == (2, 1)
    [nearest] = gallery.shelf.frames.search(fingerprint_of(3), 1)
    assert gallery.owners[nearest.ordinal].case == register.find("C").id


def _archived(fingerprint: ImageFingerprint) -> bytes:
    """Store a fingerprint as the first version did: an .npz archive."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        size=np.array([fingerprint.width, fingerprint.height], np.int32),
        space=np.frombuffer(fingerprint.space.encode(), np.uint8),
        boxes=fingerprint.boxes,
        embeddings=fingerprint.embeddings,
        pdq=fingerprint.pdq,
        pdq_quality=fingerprint.pdq_quality,
        detail=np.float64(fingerprint.detail),
    )
    return buffer.getvalue()


def test_what_the_first_version_enrolled_is_still_found(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol, database: Database
) -> None:
    enrol("A", 1)
    case = register.find("A").id
    with database.write() as connection:
        reference = connection.execute(sa.select(references.c.id)).scalar_one()
        parts = [_archived(fingerprint_of(number)) for number in (7, 8)]
        plain = b"".join(len(part).to_bytes(4, "little") + part for part in parts)
        sealed = register.keystore.seal(case, plain, context=f"features/{reference}/{SPACE}")
        connection.execute(sa.delete(features).where(features.c.space == KEYPOINT_SPACE))
        connection.execute(sa.update(features).values(sealed=sealed))
    gallery = keeper.refresh()
    assert [_finds(gallery, number) for number in (7, 8, 1)] == [True, True, False]
    assert gallery.unreadable_references == 0


MELODIES = {number: as_sound(a_melody(number)) for number in (1, 2)}


def _everything(register: CaseRegister) -> dict[str, ReferenceId]:
    """Enrol one of each kind in a case that consents to all."""
    import asyncio

    consents = frozenset({Consent.FACE, Consent.VOICE})
    case = register.open(replace(an_adults_case("E"), consents=consents)).id
    films = {
        b"film": FakeFilm(seconds=12, first=100, sound=MELODIES[1]),
        b"sound": FakeFilm(seconds=12, sound=MELODIES[2]),
    }
    eyes = FakeRecogniser(films=films, heard=voices_of(1), faces_in={5: faces_of(1)})
    enroller = Enroller(register, eyes)

    async def enrol_all() -> dict[str, ReferenceId]:
        return {
            "film": (await enroller.enrol_bytes(case, b"film"))[0],
            "sound": (await enroller.enrol_bytes(case, b"sound"))[0],
            "face": (await enroller.enrol_bytes(case, picture_bytes(5), subject=Consent.FACE))[0],
            "voice": (await enroller.enrol_bytes(case, b"sound", subject=Consent.VOICE))[0],
        }

    return asyncio.run(enrol_all())


def _heard(gallery: Gallery, number: int) -> list[int]:
    samples = np.frombuffer(MELODIES[number].pcm, "<i2") / np.float32(32768)
    query = fingerprint_sound(np.asarray(samples, np.float32))
    found = gallery.shelf.sounds.search(query, 5, below=len(gallery.owners))
    return [one.ordinal for one in found if one.match.similarity > 0.6]


def test_a_reference_of_any_kind_has_one_ordinal_and_its_features_there(
    keeper: GalleryKeeper, register: CaseRegister
) -> None:
    enrolled = _everything(register)
    gallery = keeper.refresh()
    at = {owner.reference: ordinal for ordinal, owner in enumerate(gallery.owners)}
    film, sound, face, voice = (at[one] for one in enrolled.values())
    assert sorted((film, sound, face, voice)) == [0, 1, 2, 3]
    assert _finds(gallery, 105)
    assert (_heard(gallery, 1), _heard(gallery, 2)) == ([film], [sound])
    assert len(gallery.shelf.points[film]) == 6
    assert (set(gallery.shelf.faces), set(gallery.shelf.voices)) == ({face}, {voice})
    assert set(gallery.shelf.points) == {film}


def test_a_consent_that_is_revoked_takes_the_subject_out_and_leaves_the_footage(
    keeper: GalleryKeeper, register: CaseRegister
) -> None:
    _everything(register)
    keeper.refresh()
    register.set_consents("E", frozenset({Consent.VOICE}))
    gallery = keeper.refresh()
    assert (gallery.references, gallery.shelf.faces) == (3, {})
    assert len(gallery.shelf.voices) == 1
    register.set_consents("E", frozenset())
    gallery = keeper.refresh()
    assert (gallery.references, gallery.shelf.voices) == (2, {})
    assert _finds(gallery, 105)


def test_a_withdrawal_takes_everything_out(keeper: GalleryKeeper, register: CaseRegister) -> None:
    _everything(register)
    before = keeper.refresh()
    register.withdraw("E")
    gallery = keeper.refresh()
    assert gallery.owners == ()
    assert gallery.shelf is not before.shelf
    assert (len(gallery.shelf.frames), len(gallery.shelf.sounds)) == (0, 0)
    assert (gallery.shelf.points, gallery.shelf.faces, gallery.shelf.voices) == ({}, {}, {})


def test_a_snapshot_that_others_grew_is_searched_below_its_own_end(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol
) -> None:
    enrol("A", 1)
    first = keeper.refresh()
    _everything(register)
    second = keeper.refresh()
    assert second.shelf is first.shelf
    assert not _finds(first, 105)
    assert _heard(first, 1) == []
    assert _finds(second, 105)
    assert min(second.shelf.faces) >= len(first.owners)


def test_only_what_is_compared_by_its_picture_keeps_a_worker_from_starting(
    register: CaseRegister, database: Database, clock: FakeClock
) -> None:
    _everything(register)
    with database.read() as connection:
        check_spaces(connection, SPACE, clock.now())
        with pytest.raises(ConfigurationError, match="1 references"):
            check_spaces(connection, "other/1", clock.now())


def test_a_gallery_of_another_space_has_what_is_heard_and_who_consented(
    database: Database, keystore: KeyStore, clock: FakeClock, register: CaseRegister
) -> None:
    enrolled = _everything(register)
    gallery = GalleryKeeper(database, keystore, clock, "other/1").refresh()
    assert {owner.reference for owner in gallery.owners} == set(enrolled.values()) - {
        enrolled["film"]
    }
    assert gallery.unreadable_references == 0


def test_a_negative_comes_and_goes_with_the_gallery(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol
) -> None:
    enrol("A", 1)
    found: Features = {
        SPACE: [fingerprint_of(2).to_arrays()],
        SOUND_SPACE: [fingerprint_sound(a_melody(1)).to_arrays()],
    }
    negative = add_negative(register, "A", found)
    gallery = keeper.refresh()
    [(owner, similarity)] = gallery.negatives.frame_similarities([fingerprint_of(2)])
    assert (owner.case, round(float(similarity[0]), 3)) == (register.find("A").id, 1)
    assert gallery.negatives.sound_matches(fingerprint_sound(a_melody(1)))
    remove_negative(register, "A", negative)
    assert keeper.refresh().negatives.frame_similarities([fingerprint_of(2)]) == []


def test_a_negative_of_a_later_version_keeps_no_gallery_from_being_read(
    keeper: GalleryKeeper, register: CaseRegister, enrol: Enrol
) -> None:
    enrol("A", 1)
    add_negative(register, "A", {SPACE: [{"other": np.zeros(3, np.float32)}]})
    add_negative(register, "A", {SOUND_SPACE: [{"other": np.zeros(3, np.float32)}]})
    add_negative(register, "A", {SPACE: [fingerprint_of(2).to_arrays()]})
    gallery = keeper.refresh()
    assert _finds(gallery, 1)
    assert len(gallery.negatives.frame_similarities([fingerprint_of(2)])) == 1
