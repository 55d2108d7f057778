"""Officers change what is looked for: sealed, audited without a text, gone with its keyword."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from monitors.database import Database
from monitors.gallery import GalleryKeeper
from monitors.keystore import KeyStore
from monitors.register import CaseRegister
from monitors.spelling_changes import (
    MAX_ADDED,
    SpellingEditor,
    SpellingState,
    check_spelling,
    read_changes,
    watched_keywords,
)
from monitors.spellings import Found, SpellingKind
from monitors.tables import audit, gallery_version, keyword_spellings
from streams.errors import (
    CaseError,
    CaseNotActiveError,
    KeyDestroyedError,
    UnknownCaseError,
    UnknownKeywordError,
)
from streams.types import KeywordId
from tests.fakes import FakeClock, FakeRecogniser, an_adults_case


@pytest.fixture
def keyword(register: CaseRegister) -> KeywordId:
    register.open(an_adults_case())
    return register.add_keyword("A", "해치공주")


@pytest.fixture
def editor(register: CaseRegister) -> SpellingEditor:
    return SpellingEditor(register)


@pytest.fixture
def states(editor: SpellingEditor, keyword: KeywordId) -> Callable[[], dict[str, SpellingState]]:
    return lambda: {one.spelling.text: one.state for one in editor.list_all("A", keyword)}


def _rows(database: Database) -> list[sa.Row[tuple[object, ...]]]:
    with database.read() as connection:
        return list(connection.execute(sa.select(keyword_spellings)))


def _version(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(gallery_version.c.version)).scalar_one())


States = Callable[[], dict[str, SpellingState]]


def test_added_spellings_are_listed_first_and_once(
    editor: SpellingEditor, keyword: KeywordId, database: Database
) -> None:
    before = _version(database)
    editor.add("A", keyword, ["해치언니", "해치 언니", "해치언니"])
    editor.add("A", keyword, ["해치언니"])
    added = [one for one in editor.list_all("A", keyword) if one.state is SpellingState.ADDED]
    assert {one.spelling.text for one in added} == {"해치언니", "해치 언니"}
    assert editor.list_all("A", keyword)[: len(added)] == added
    assert {(one.spelling.kind, one.spelling.found) for one in added} == {
        (SpellingKind.ADDED, Found.OWN)
    }
    assert _version(database) > before


def test_what_is_found_anyway_is_not_added(
    editor: SpellingEditor, keyword: KeywordId, database: Database
) -> None:
    (told,) = editor.add("A", keyword, ["해.치.공.주"])
    assert (told.state, told.spelling.found) == (SpellingState.IN_FORCE, Found.READ)
    assert _rows(database) == []


def test_a_generated_spelling_is_switched_off_and_on_again(
    editor: SpellingEditor, keyword: KeywordId, states: States, database: Database
) -> None:
    editor.switch_off("A", keyword, ["GOCLRHDWN"])
    editor.switch_off("A", keyword, ["goclrhdwn"])
    assert states()["goclrhdwn"] is SpellingState.OFF
    assert len(_rows(database)) == 1
    (told,) = editor.add("A", keyword, ["goclrhdwn"])
    assert told.state is states()["goclrhdwn"] is SpellingState.IN_FORCE
    assert _rows(database) == []


def test_an_added_spelling_that_is_switched_off_is_deleted(
    editor: SpellingEditor, keyword: KeywordId, states: States, database: Database
) -> None:
    editor.add("A", keyword, ["해치언니"])
    editor.switch_off("A", keyword, ["해치언니"])
    assert "해치언니" not in states()
    assert _rows(database) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [("해.치.공.주", "no switch"), ("헤치공주", "no switch"), ("고래", "none like")],
)
def test_what_has_no_switch_is_said_and_nothing_is_changed(
    editor: SpellingEditor, keyword: KeywordId, database: Database, text: str, why: str
) -> None:
    with pytest.raises(CaseError, match=why):
        editor.switch_off("A", keyword, ["goclrhdwn", text])
    assert _rows(database) == []


@pytest.mark.parametrize("text", ["", " ", "비", "해" * 201])
def test_an_unusable_spelling_is_refused(text: str) -> None:
    with pytest.raises(CaseError, match="spelling"):
        check_spelling(text)


def test_there_is_an_end_to_added_spellings(editor: SpellingEditor, keyword: KeywordId) -> None:
    editor.add("A", keyword, [f"고래상어{i:03}" for i in range(MAX_ADDED)])
    with pytest.raises(CaseError, match="at most"):
        editor.add("A", keyword, ["하나더"])


def test_a_keyword_or_case_that_is_not_there_is_told(
    editor: SpellingEditor, keyword: KeywordId, register: CaseRegister
) -> None:
    other = register.open(an_adults_case("B"))
    with pytest.raises(UnknownKeywordError):
        editor.add(other.id, keyword, ["해치언니"])
    with pytest.raises(UnknownCaseError):
        editor.list_all("nobody", keyword)
    register.close("A")
    with pytest.raises(CaseNotActiveError):
        editor.add("A", keyword, ["해치언니"])


def test_the_gallery_brings_changes_to_the_workers(
    editor: SpellingEditor, keyword: KeywordId, database: Database, keystore: KeyStore,
    clock: FakeClock,
) -> None:  # fmt: skip
    keeper = GalleryKeeper(database, keystore, clock, FakeRecogniser().space)
    (before,) = keeper.refresh().keywords
    assert (before.added, before.off) == ((), ())
    editor.add("A", keyword, ["해치언니"])
    editor.switch_off("A", keyword, ["goclrhdwn"])
    (after,) = keeper.refresh().keywords
    assert (after.added, after.off) == (("해치언니",), ("goclrhdwn",))
    assert after == editor.watched("A", keyword)


def test_a_cases_keywords_come_with_their_changes_until_it_is_withdrawn(
    editor: SpellingEditor, keyword: KeywordId, register: CaseRegister
) -> None:
    register.add_keyword("A", "고래상어")
    editor.add("A", keyword, ["해치언니"])
    case = register.find("A").id
    found = {one.text: one for one in watched_keywords(register, case)}
    assert found["해치공주"] == editor.watched("A", keyword)
    assert (found["고래상어"].added, found["고래상어"].off) == ((), ())
    register.withdraw("A")
    assert watched_keywords(register, case) == ()


def test_a_spelling_that_was_altered_is_left_out(
    editor: SpellingEditor, keyword: KeywordId, database: Database, keystore: KeyStore
) -> None:
    editor.add("A", keyword, ["해치언니"])
    case = editor.watched("A", keyword).case
    with database.write() as connection:
        connection.execute(sa.update(keyword_spellings).values(sealed=b"\x01" * 40))
    with database.read() as connection:
        assert read_changes(connection, keystore, {keyword: case}) == {}


def test_spellings_go_with_their_keyword(
    editor: SpellingEditor, keyword: KeywordId, database: Database, register: CaseRegister
) -> None:
    kept = register.add_keyword("A", "고래상어")
    editor.add("A", keyword, ["해치언니"])
    editor.add("A", kept, ["고래언니"])
    register.remove_keyword("A", keyword)
    assert [row.keyword_id for row in _rows(database)] == [kept]


def test_spellings_go_with_a_withdrawn_case(
    editor: SpellingEditor, keyword: KeywordId, database: Database, register: CaseRegister
) -> None:
    editor.add("A", keyword, ["해치언니"])
    editor.switch_off("A", keyword, ["goclrhdwn"])
    (sealed, *_) = [row.sealed for row in _rows(database)]
    case = register.find("A").id
    register.withdraw("A")
    assert _rows(database) == []
    with pytest.raises(KeyDestroyedError):
        register.keystore.open_sealed(case, sealed, context="spelling/x")


def test_no_spelling_stands_readable_in_the_database_or_the_audit(
    editor: SpellingEditor, keyword: KeywordId, database: Database
) -> None:
    editor.add("A", keyword, ["해치언니"])
    editor.switch_off("A", keyword, ["goclrhdwn"])
    with database.read() as connection:
        rows = connection.execute(sa.select(audit).order_by(audit.c.seq)).all()
    assert [(row.action, row.detail["spellings"]) for row in rows[-2:]] == [
        ("keyword.spell", 1),
        ("keyword.unspell", 1),
    ]
    assert "해치언니" not in str(rows)
    assert "goclrhdwn" not in str(rows)
    for row in _rows(database):
        assert "해치언니".encode() not in row.sealed
