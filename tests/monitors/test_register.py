"""Cases are opened, watched and ended; what was withdrawn is unreadable, in backups too."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitors.audit import verify
from monitors.cases import (
    AgeClass,
    CaseStatus,
    Consent,
    LegalBasis,
    NewCase,
    mentions_content,
    read_aliases,
    subject_consented,
)
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.register import CaseRegister, open_keyword
from monitors.tables import audit, cases, contents, features, gallery_version, keywords, references
from streams.errors import (
    CaseError,
    CaseNotActiveError,
    DatabaseUnavailableError,
    KeyDestroyedError,
    UnknownCaseError,
    UnknownKeywordError,
)
from streams.types import CaseId, KeywordId
from tests.fakes import FakeClock, an_adults_case


def _actions(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        rows = connection.execute(sa.select(audit).order_by(audit.c.seq))
        return [(row.action, row.subject) for row in rows]


def _version(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(gallery_version.c.version)).scalar_one())


def _count(database: Database, table: sa.Table) -> int:
    with database.read() as connection:
        return len(connection.execute(sa.select(table)).all())


def _add_feature(
    register: CaseRegister, case: CaseId, space: str, reference: str, subject: str | None = None
) -> bytes:
    sealed = register.keystore.seal(case, b"vectors", context=reference)
    now = register.clock.now()
    with register.database.write() as connection:
        content = connection.execute(
            register.database.insert_new(contents).values(
                id=reference, case_id=case, created_at=now
            )
        )
        if content.rowcount:
            connection.execute(
                sa.insert(references).values(
                    id=reference,
                    case_id=case,
                    content_id=reference,
                    kind="image",
                    subject=subject,
                    bytes_hmac=reference,
                    added_at=now,
                )
            )
        connection.execute(
            sa.insert(features).values(reference_id=reference, space=space, sealed=sealed)
        )
    return sealed


def test_an_opened_case_is_found_by_its_identifier_and_its_alias(
    register: CaseRegister, clock: FakeClock
) -> None:
    new = NewCase(
        alias=" 나무 ",
        age_class=AgeClass.MINOR,
        legal_basis=LegalBasis.MINOR_PROACTIVE,
        consents=frozenset({Consent.VOICE}),
        expires_at=clock.now() + timedelta(days=1),
    )
    case = register.open(new)
    assert case.alias == "나무"
    assert case.consents == {Consent.VOICE}
    assert case.expires_at == new.expires_at
    assert case.status is CaseStatus.OPEN
    assert case.opened_at == clock.now()
    assert register.find(case.id) == register.find("나무") == case
    assert register.keystore.has(case.id)


def test_an_unknown_case_is_said(register: CaseRegister) -> None:
    for command in (register.find, register.withdraw, register.close):
        with pytest.raises(UnknownCaseError):
            command("nobody")


@pytest.mark.parametrize("alias", ["", "  ", "x" * 129, "a\nb", "\x1b[31m", "c" * 32])
def test_an_unusable_alias_is_refused(register: CaseRegister, alias: str) -> None:
    with pytest.raises(CaseError, match="alias"):
        register.open(replace(an_adults_case(), alias=alias))


def test_an_alias_names_one_case_and_a_second_leaves_no_key(
    register: CaseRegister, tmp_path: Path
) -> None:
    register.open(an_adults_case("A"))
    with pytest.raises(CaseError, match="alias"):
        register.open(an_adults_case("A"))
    assert len(list((tmp_path / "keys" / "cases").iterdir())) == 1


def test_a_commit_whose_answer_is_lost_does_not_cost_the_case_its_key(
    register: CaseRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = register.database.write

    @contextlib.contextmanager
    def cut() -> Iterator[sa.Connection]:
        with write() as connection:
            yield connection
        raise DatabaseUnavailableError("the connection was closed")

    monkeypatch.setattr(register.database, "write", cut)
    with pytest.raises(DatabaseUnavailableError):
        register.open(an_adults_case("A"))
    assert register.keystore.has(register.find("A").id)


def test_an_adults_case_needs_a_request(register: CaseRegister) -> None:
    with pytest.raises(CaseError, match="request"):
        register.open(replace(an_adults_case(), legal_basis=LegalBasis.MINOR_PROACTIVE))


def test_an_authority_that_is_over_opens_nothing(register: CaseRegister, clock: FakeClock) -> None:
    with pytest.raises(CaseError, match="expired"):
        register.open(replace(an_adults_case(), expires_at=clock.now()))


def test_cases_are_listed_in_the_order_of_opening(register: CaseRegister, clock: FakeClock) -> None:
    for alias in "CAB":
        register.open(an_adults_case(alias))
        clock.advance(1)
    assert [case.alias for case in register.list_all()] == ["C", "A", "B"]
    with register.database.read() as connection:
        aliases = read_aliases(connection)
    assert aliases == {case.id: case.alias for case in register.list_all()}


def test_a_keyword_is_sealed_and_comes_back(register: CaseRegister, database: Database) -> None:
    case = register.open(an_adults_case()).id
    before = _version(database)
    keyword = register.add_keyword("A", " 김가나 ")
    assert register.list_keywords(case) == [(keyword, "김가나")]
    assert _version(database) == before + 1
    with database.read() as connection:
        sealed = connection.execute(sa.select(keywords.c.sealed)).scalar_one()
    assert "김가나".encode() not in sealed


def test_the_same_keyword_twice_is_one_however_it_is_composed(register: CaseRegister) -> None:
    register.open(an_adults_case())
    assert register.add_keyword("A", "가나") == register.add_keyword("A", "\u1100\u1161나")


def test_a_keyword_is_taken_out_and_every_gallery_told(
    register: CaseRegister, database: Database, clock: FakeClock
) -> None:
    case = register.open(an_adults_case()).id
    wrong = register.add_keyword("A", "wrong")
    clock.advance(1)
    kept = register.add_keyword("A", "right")
    before = _version(database)
    register.remove_keyword("A", wrong)
    assert register.list_keywords(case) == [(kept, "right")]
    assert _version(database) == before + 1
    assert _actions(database)[-1] == ("keyword.remove", case)


def test_a_keyword_of_another_case_is_not_taken_out(
    register: CaseRegister, database: Database
) -> None:
    keyword = register.add_keyword(register.open(an_adults_case("A")).id, "word")
    register.open(an_adults_case("B"))
    before = _version(database)
    with pytest.raises(UnknownKeywordError):
        register.remove_keyword("B", keyword)
    with pytest.raises(UnknownCaseError):
        register.remove_keyword("nobody", keyword)
    assert _version(database) == before
    assert register.list_keywords(register.find("A").id) == [(keyword, "word")]


@pytest.mark.parametrize("word", ["", "   ", "x" * 201])
def test_an_unusable_keyword_is_refused(register: CaseRegister, word: str) -> None:
    register.open(an_adults_case())
    with pytest.raises(CaseError, match="characters"):
        register.add_keyword("A", word)


def test_a_keyword_that_is_in_every_text_is_refused(register: CaseRegister) -> None:
    register.open(an_adults_case())
    for word in ("x", "🐯", "!?"):
        with pytest.raises(CaseError, match="letters"):
            register.add_keyword("A", word)


def test_nothing_is_added_to_an_expired_a_closed_or_a_withdrawn_case(
    register: CaseRegister, clock: FakeClock
) -> None:
    register.open(replace(an_adults_case("A"), expires_at=clock.now() + timedelta(seconds=5)))
    register.open(an_adults_case("B"))
    register.open(an_adults_case("C"))
    register.close("B")
    register.withdraw("C")
    clock.advance(5)
    for name in "ABC":
        with pytest.raises(CaseNotActiveError):
            register.add_keyword(name, "word")


def test_a_renewed_authority_lets_the_case_go_on(register: CaseRegister, clock: FakeClock) -> None:
    register.open(replace(an_adults_case(), expires_at=clock.now() + timedelta(seconds=5)))
    clock.advance(10)
    later = clock.now() + timedelta(days=365)
    assert register.renew("A", later).expires_at == later
    register.add_keyword("A", "word")
    with pytest.raises(CaseError, match="expired"):
        register.renew("A", clock.now())


def test_a_withdrawn_consent_deletes_that_modalitys_features_alone(
    register: CaseRegister, database: Database
) -> None:
    case = register.open(
        replace(an_adults_case(), consents=frozenset({Consent.FACE, Consent.VOICE}))
    ).id
    for space in ("sscd/1/openvino/f32", "face/1", "voice/1"):
        _add_feature(register, case, space, "1" * 32)
    changed = register.set_consents("A", frozenset({Consent.VOICE}))
    assert changed.consents == {Consent.VOICE}
    with database.read() as connection:
        left = set(connection.scalars(sa.select(features.c.space)))
    assert left == {"sscd/1/openvino/f32", "voice/1"}


def test_a_withdrawn_consent_stops_what_shows_the_person_alone(
    register: CaseRegister, database: Database
) -> None:
    case = register.open(
        replace(an_adults_case(), consents=frozenset({Consent.FACE, Consent.VOICE}))
    ).id
    for reference, subject in (("1" * 32, "face"), ("2" * 32, "voice"), ("3" * 32, None)):
        _add_feature(register, case, "sscd/1/openvino/f32", reference, subject)
    before = _version(database)
    register.set_consents("A", frozenset({Consent.VOICE}))
    usable = sa.select(references.c.id).join_from(references, cases).where(subject_consented())
    with database.read() as connection:
        left = set(connection.scalars(sa.select(features.c.reference_id)))
        assert left == set(connection.scalars(usable)) == {"2" * 32, "3" * 32}
    assert _version(database) == before + 1


def test_a_case_has_the_content_that_its_keywords_stand_for(
    register: CaseRegister, database: Database
) -> None:
    case, other = register.open(an_adults_case("A")).id, register.open(an_adults_case("B")).id
    with database.read() as connection:
        rows = connection.execute(sa.select(contents.c.id, contents.c.case_id)).all()
    assert {tuple(row) for row in rows} == {(mentions_content(one), one) for one in (case, other)}


def test_a_withdrawal_deletes_and_destroys_and_tells_the_galleries(
    register: CaseRegister, database: Database, keystore: KeyStore, clock: FakeClock
) -> None:
    case = register.open(an_adults_case()).id
    other = register.open(an_adults_case("B")).id
    for one in ("A", "B"):
        register.add_keyword(one, "word")
    _add_feature(register, case, "s", "1" * 32)
    _add_feature(register, other, "s", "2" * 32)
    before = _version(database)
    clock.advance(7)
    ended = register.withdraw("A")
    assert (ended.status, ended.ended_at) == (CaseStatus.WITHDRAWN, clock.now())
    assert _version(database) == before + 1
    assert (_count(database, keywords), _count(database, features)) == (1, 1)
    assert not keystore.has(case)
    assert keystore.has(other)
    assert register.count_references(case) == 0
    assert register.count_references(other) == 1
    assert _actions(database)[-2:] == [("case.withdraw", case), ("case.erase", case)]


def test_a_withdrawal_is_for_ever(register: CaseRegister) -> None:
    register.open(an_adults_case())
    register.withdraw("A")
    with pytest.raises(CaseError, match="withdrawn"):
        register.close("A")
    with pytest.raises(CaseError, match="withdrawn"):
        register.renew("A", None)


def test_a_withdrawal_twice_is_one(register: CaseRegister, database: Database) -> None:
    register.open(an_adults_case())
    first = register.withdraw("A")
    assert register.withdraw("A") == first
    assert [action for action, _ in _actions(database)].count("case.withdraw") == 1
    assert [action for action, _ in _actions(database)].count("case.erase") == 1


class _PowerCutError(Exception):
    pass


def _cut_power(*_: object) -> bool:
    raise _PowerCutError


@pytest.mark.parametrize("cure", ["again", "sweep"])
def test_a_withdrawal_cut_before_the_key_is_destroyed_is_completed(
    register: CaseRegister,
    database: Database,
    keystore: KeyStore,
    monkeypatch: pytest.MonkeyPatch,
    cure: str,
) -> None:
    case = register.open(an_adults_case()).id
    register.add_keyword("A", "word")
    monkeypatch.setattr(keystore, "destroy", _cut_power)
    with pytest.raises(_PowerCutError):
        register.withdraw("A")
    monkeypatch.undo()
    assert register.find("A").status is CaseStatus.WITHDRAWN
    assert keystore.has(case)
    if cure == "again":
        register.withdraw("A")
    else:
        assert register.finish_withdrawals() == 1
    assert not keystore.has(case)
    assert _actions(database)[-1] == ("case.erase", case)
    assert register.finish_withdrawals() == 0


def test_a_withdrawal_cut_after_the_key_is_destroyed_is_completed(
    register: CaseRegister, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    register.open(an_adults_case())
    real = register.record

    def cut_at_the_end(*arguments: object) -> None:
        if "case.erase" in arguments:
            raise _PowerCutError
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(register, "record", cut_at_the_end)
    with pytest.raises(_PowerCutError):
        register.withdraw("A")
    monkeypatch.undo()
    assert register.finish_withdrawals() == 1
    assert [action for action, _ in _actions(database)].count("case.erase") == 1


def test_a_withdrawal_that_cannot_be_written_destroys_nothing(
    register: CaseRegister, keystore: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = register.open(an_adults_case()).id
    monkeypatch.setattr(register, "record", _cut_power)
    with pytest.raises(_PowerCutError):
        register.withdraw("A")
    monkeypatch.undo()
    assert register.find("A").status is CaseStatus.OPEN
    assert keystore.has(case)


def test_a_closed_case_keeps_its_features_and_its_key(
    register: CaseRegister, database: Database, keystore: KeyStore
) -> None:
    case = register.open(an_adults_case()).id
    keyword = register.add_keyword("A", "word")
    _add_feature(register, case, "s", "1" * 32)
    before = _version(database)
    assert register.close("A").status is CaseStatus.CLOSED
    assert _version(database) == before + 1
    assert keystore.has(case)
    assert register.list_keywords(case) == [(keyword, "word")]
    assert register.count_references(case) == 1
    with pytest.raises(CaseError, match="closed"):
        register.close("A")
    assert register.withdraw("A").status is CaseStatus.WITHDRAWN
    assert register.list_keywords(case) == []


def test_whatever_is_done_stands_in_a_whole_chain_without_a_word_of_the_case(
    register: CaseRegister, database: Database, keystore: KeyStore
) -> None:
    case = register.open(an_adults_case("나무")).id
    register.add_keyword("나무", "김가나")
    register.set_consents("나무", frozenset({Consent.FACE}))
    register.renew("나무", None)
    register.close("나무")
    register.withdraw("나무")
    actions = [action for action, subject in _actions(database) if subject == case]
    assert actions == [
        "case.open", "keyword.add", "case.consent", "case.renew",
        "case.close", "case.withdraw", "case.erase",
    ]  # fmt: skip
    with database.read() as connection:
        assert verify(connection, keystore.audit_key()).broken_at is None
        text = repr(connection.execute(sa.select(audit)).all())
    assert "김가나" not in text
    assert "나무" not in text
    assert text.count("clerk") == len(actions)


def test_a_restored_backup_of_a_withdrawn_case_is_unreadable(tmp_path: Path) -> None:
    """On SQLite, file and all: what the backup holds opens no more."""
    from monitors.migrate import open_database
    from streams.settings import Settings

    settings = Settings(home=tmp_path)
    database, keystore = open_database(settings), KeyStore(settings.keys_dir)
    register = CaseRegister(database, keystore, FakeClock(), actor="clerk")
    case = register.open(an_adults_case()).id
    register.add_keyword("A", "김가나")
    _add_feature(register, case, "s", "1" * 32)
    backup = tmp_path / "backup.db"
    with sqlite3.connect(tmp_path / "haechi.db") as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()
    register.withdraw("A")
    database.close()
    for name in ("haechi.db", "haechi.db-wal", "haechi.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    backup.rename(tmp_path / "haechi.db")

    restored = open_database(settings)
    with restored.read() as connection:
        status = connection.execute(sa.select(cases.c.status)).scalar_one()
        word = connection.execute(sa.select(keywords)).one()
        sealed = connection.execute(sa.select(features.c.sealed)).scalar_one()
    assert status == "open"  # the backup knows no better, and that does not matter
    with pytest.raises(KeyDestroyedError):
        open_keyword(keystore, case, KeywordId(word.id), word.sealed)
    with pytest.raises(KeyDestroyedError):
        keystore.open_sealed(case, sealed, context="1" * 32)
    assert "김가나".encode() not in (tmp_path / "haechi.db").read_bytes()
    again = CaseRegister(restored, keystore, FakeClock(), actor="clerk")
    assert again.list_keywords(case) == []
    assert again.withdraw("A").status is CaseStatus.WITHDRAWN
    restored.close()
