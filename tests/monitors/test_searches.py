"""`monitors.searches`."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from monitors import inbox, searches
from monitors.database import Database
from monitors.register import CaseRegister
from monitors.searches import LOOK_BACK, SearchState
from monitors.source_tables import search_posts
from monitors.spelling_changes import SpellingEditor
from monitors.tables import cases
from streams.errors import CaseNotActiveError, UnknownCaseError
from streams.types import CaseId, Outcome, PostKey, PostOutcome
from tests.agents.pipeline import a_post, store
from tests.alerts.rows import add_case, add_content, add_reference, content_of
from tests.fakes import FakeClock, an_adults_case


@pytest.fixture
def case(register: CaseRegister) -> CaseId:
    return register.open(an_adults_case("A")).id


def ask(database: Database, clock: FakeClock, name: str, *sources: str) -> searches.Search:
    with database.write() as connection:
        return searches.ask(
            connection, name, actor="clerk", now=clock.now(), seconds=180, sources=sources
        )


def take(database: Database, clock: FakeClock, owner: str = "here") -> searches.Search | None:
    with database.write() as connection:
        return searches.take(connection, owner, clock.now())


def end_post(database: Database, clock: FakeClock, key: PostKey, outcome: Outcome) -> None:
    end = PostOutcome(
        key=key, source="s", outcome=outcome, observed_at=clock.now(), ended_at=clock.now()
    )
    with database.write() as connection:
        inbox.finish(connection, [end])


def test_a_search_is_taken_once_and_again_when_its_collector_died(
    database: Database, clock: FakeClock, case: CaseId
) -> None:
    asked = ask(database, clock, "A", "one")
    assert take(database, clock) == asked
    assert take(database, clock, "there") is None
    clock.advance(searches.LEASE_SECONDS + 1)
    assert take(database, clock, "there") == asked
    with database.write() as connection:
        assert not searches.hold(connection, asked.id, "here", clock.now())
        assert searches.hold(connection, asked.id, "there", clock.now())
        searches.end(connection, asked.id, SearchState.DONE, clock.now())
    clock.advance(60)
    assert take(database, clock) is None


def test_only_a_lawful_case_is_searched_for(
    database: Database, clock: FakeClock, register: CaseRegister, case: CaseId
) -> None:
    with pytest.raises(UnknownCaseError):
        ask(database, clock, "nobody")
    register.withdraw("A")
    with pytest.raises(CaseNotActiveError):
        ask(database, clock, case)


def test_what_is_new_is_looked_back_for_once_it_has_settled(
    database: Database, clock: FakeClock, register: CaseRegister, case: CaseId
) -> None:
    def ask_new() -> int:
        with database.write() as connection:
            return searches.ask_what_is_new(connection, actor="h", now=clock.now(), seconds=180)

    assert ask_new() == 0, "nothing to look for"
    register.add_keyword("A", "해치공주")
    assert ask_new() == 0, "more may come"
    clock.advance(searches.SETTLED_SECONDS)
    assert ask_new() == 1
    assert ask_new() == 0
    found = take(database, clock)
    assert found is not None
    assert (found.case, found.sources) == (case, (LOOK_BACK,))
    clock.advance(1)
    with database.write() as connection:
        content = add_content(connection, clock.now(), case, content_of(5))
        add_reference(connection, clock.now(), case, content)
    clock.advance(searches.SETTLED_SECONDS)
    with database.write() as connection:
        connection.execute(sa.update(cases).values(status="closed"))
    assert ask_new() == 0, "no longer lawful"
    with database.write() as connection:
        connection.execute(sa.update(cases).values(status="open"))
    assert ask_new() == 1


def test_an_added_spelling_is_looked_back_for_too(
    database: Database, clock: FakeClock, register: CaseRegister, case: CaseId
) -> None:
    keyword = register.add_keyword("A", "green tiger")
    clock.advance(searches.SETTLED_SECONDS)
    with database.write() as connection:
        assert searches.ask_what_is_new(connection, actor="h", now=clock.now(), seconds=180) == 1
    clock.advance(1)
    SpellingEditor(register).add("A", keyword, ["gr33n-tgr"])
    clock.advance(searches.SETTLED_SECONDS)
    with database.write() as connection:
        assert searches.ask_what_is_new(connection, actor="h", now=clock.now(), seconds=180) == 1


def test_what_was_inspected_whole_since_the_cases_last_addition_is_settled(
    database: Database, clock: FakeClock
) -> None:
    clear, sighted, vanished = (a_post(clock, number).key for number in (1, 2, 3))
    end_post(database, clock, clear, Outcome.CLEAR)
    end_post(database, clock, sighted, Outcome.SIGHTED)
    end_post(database, clock, vanished, Outcome.VANISHED)
    keys = [clear, sighted, vanished, a_post(clock, 4).key]
    before = clock.now() - timedelta(seconds=1)
    with database.write() as connection:
        case, content = add_case(connection, clock.now())
        assert searches.known_since(connection, case) is None
        add_reference(connection, clock.now(), case, content)
        assert searches.known_since(connection, case) == clock.now()
        assert searches.settled(connection, keys, None) == {clear, sighted}
        assert searches.settled(connection, keys, before) == {clear, sighted}
        assert searches.settled(connection, keys, clock.now()) == set()


def test_a_post_that_two_sources_find_counts_once_and_is_pending_until_it_ends(
    database: Database, clock: FakeClock, case: CaseId
) -> None:
    search, post = ask(database, clock, "A"), a_post(clock, 1)
    store(database, post)
    with database.write() as connection:
        for source, new in (("one", 1), ("two", 0)):
            assert new == searches.add_posts(
                connection, database, search.id, source, [post.key, post.key], clock.now()
            )
        assert searches.pending(connection, search.id) == 1
        [row] = connection.execute(sa.select(search_posts))
    assert row.source == "one"
    end_post(database, clock, post.key, Outcome.CLEAR)
    with database.read() as connection:
        assert searches.pending(connection, search.id) == 0
