"""`agents.search_desk`."""

from agents.filing import Filing
from agents.intake import Intake
from agents.search_desk import build_search_desk, words_to_ask
from monitors.database import Database
from monitors.keywords import WatchedKeyword
from monitors.lookback import MemoryLookBackStore
from monitors.register import CaseRegister
from monitors.spelling_changes import SpellingEditor
from streams.settings import Settings
from streams.sources.catalogue import Catalogue
from streams.types import CaseId, KeywordId
from tests.fakes import FakeClock, an_adults_case


def watched(text: str, *added: str) -> WatchedKeyword:
    return WatchedKeyword(case=CaseId("c"), keyword=KeywordId(text), text=text, added=added)


def test_every_keyword_comes_before_the_first_spelling() -> None:
    words = words_to_ask([watched("green tiger", "gt-1", "gt-2"), watched("sunny stone", "gt-1")])
    assert words[:2] == ["green tiger", "sunny stone"]
    assert {"gt-1", "gt-2"} <= set(words)
    assert len(words) == len(set(words))
    assert words_to_ask([watched("green tiger", "gt-1")], most=1) == ["green tiger"]
    assert words_to_ask([]) == []


def test_a_case_is_asked_for_by_its_keywords_until_it_is_withdrawn(
    database: Database, clock: FakeClock, register: CaseRegister, settings: Settings
) -> None:
    case = register.open(an_adults_case("A")).id
    keyword = register.add_keyword("A", "해치공주")
    SpellingEditor(register).add("A", keyword, ["해치언니"])
    intake = Intake(database, clock, "here")
    desk = build_search_desk(
        settings, Catalogue(), intake, Filing(database, MemoryLookBackStore), clock
    )
    assert list(desk.words(case))[:2] == ["해치공주", "해치언니"]
    register.withdraw("A")
    assert list(desk.words(case)) == []
