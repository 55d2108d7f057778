"""`agents.one_search`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from agents import one_search
from agents.intake import Intake
from agents.one_search import Found, OneSearch, SearchDesk
from monitors import inbox, searches
from monitors.database import Database
from monitors.register import CaseRegister
from monitors.search_progress import Progress, read_progress
from monitors.searches import Search, SearchState, SourceState
from monitors.tables import inbox as inbox_table
from monitors.tables import outcomes
from streams.errors import RateLimitedError
from streams.sources.source import Query, Rejected, SearchSource, Truncated
from streams.types import CaseId, MediaItem, Outcome, Post, PostOutcome
from tests.agents.pipeline import a_post, until
from tests.fakes import FakeClock, an_adults_case


class Service:
    """A search source that gives what it is told for each word."""

    def __init__(self, name: str, **answers: Sequence[Any]) -> None:
        self.name = name
        self.answers = answers
        self.asked: list[str] = []

    async def search(self, query: Query) -> AsyncIterator[Post | Rejected | Truncated]:
        self.asked.append(query.words)
        for item in self.answers.get(query.words, ()):
            if isinstance(item, Exception):
                raise item
            if item is None:
                await asyncio.Event().wait()
            yield item


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_search, "POLL_SECONDS", 0.01)


@pytest.fixture
def case(register: CaseRegister) -> CaseId:
    return register.open(an_adults_case("A")).id


def desk_of(
    database: Database,
    clock: FakeClock,
    *sources: SearchSource,
    words: Sequence[str] = ("red", "blue"),
    look_back: Any = None,
) -> SearchDesk:
    return SearchDesk(
        database=database,
        intake=Intake(database, clock, "here"),
        clock=clock,
        sources=sources,
        words=lambda _case: words,
        look_back=look_back,
        seconds=180,
    )


def taken(database: Database, clock: FakeClock, *sources: str) -> Search:
    with database.write() as connection:
        searches.ask(connection, "A", actor="me", now=clock.now(), seconds=180, sources=sources)
        search = searches.take(connection, "here", clock.now())
    assert search is not None
    return search


def progress_of(database: Database, search: Search) -> Progress:
    with database.read() as connection:
        found = read_progress(connection, search.id)
    assert found is not None
    return found


def end_all(database: Database, clock: FakeClock, outcome: Outcome = Outcome.CLEAR) -> None:
    with database.write() as connection:
        keys = connection.scalars(sa.select(inbox_table.c.post_key)).all()
        ends = [
            PostOutcome(
                key=key, source="s", outcome=outcome, observed_at=clock.now(), ended_at=clock.now()
            )
            for key in keys
        ]
        inbox.finish(connection, ends)


def count(database: Database, table: sa.Table) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


async def test_every_source_is_asked_every_word_and_the_end_waits_for_the_inspection(
    database: Database, clock: FakeClock, case: CaseId
) -> None:
    one = Service("one", red=[a_post(clock, 1)], blue=[a_post(clock, 1), a_post(clock, 2)])
    two = Service("two", red=[a_post(clock, 3), Truncated(reason="pages")])
    search = taken(database, clock)
    running = asyncio.ensure_future(OneSearch(desk_of(database, clock, one, two), search).run())
    await until(lambda: progress_of(database, search).posts == 3)
    await until(lambda: {s.state for s in progress_of(database, search).sources} == {
        SourceState.ANSWERED, SourceState.PARTLY
    })  # fmt: skip
    assert not running.done()
    with database.read() as connection:
        assert set(connection.scalars(sa.select(inbox_table.c.urgent))) == {True}
    end_all(database, clock)
    async with asyncio.timeout(5):
        await running
    found = progress_of(database, search)
    assert found.state is SearchState.DONE
    assert [(s.source, s.state, s.reason, s.answered, s.found) for s in found.sources] == [
        ("one", SourceState.ANSWERED, None, 2, 2),
        ("two", SourceState.PARTLY, "pages", 2, 1),
    ]
    assert (one.asked, two.asked) == (["red", "blue"], ["red", "blue"])


async def test_a_source_that_fails_is_said_and_the_others_go_on(
    database: Database, clock: FakeClock, case: CaseId
) -> None:
    wrong = Service("wrong", red=[ValueError("a bug")])
    late = Service("late", red=[a_post(clock, 1)], blue=[RateLimitedError("later")])
    good = Service("good", red=[a_post(clock, 2)])
    search = taken(database, clock)
    running = asyncio.ensure_future(
        OneSearch(desk_of(database, clock, wrong, late, good), search).run()
    )
    await until(lambda: progress_of(database, search).posts == 2)
    end_all(database, clock)
    async with asyncio.timeout(5):
        await running
    states = {s.source: (s.state, s.reason) for s in progress_of(database, search).sources}
    assert states == {
        "wrong": (SourceState.FAILED, "bug"),
        "late": (SourceState.PARTLY, "rate_limited"),
        "good": (SourceState.ANSWERED, None),
    }


async def test_the_deadline_ends_it_with_what_is_missing(
    database: Database, clock: FakeClock, case: CaseId
) -> None:
    slow = Service("slow", red=[a_post(clock, 1), None])
    search = taken(database, clock)
    running = asyncio.ensure_future(OneSearch(desk_of(database, clock, slow), search).run())
    await until(lambda: slow.asked)
    clock.advance(181)
    async with asyncio.timeout(5):
        await running
    found = progress_of(database, search)
    assert found.state is SearchState.LATE
    assert [(s.state, s.reason) for s in found.sources] == [(SourceState.FAILED, "time")]


async def test_a_withdrawn_case_is_searched_for_no_longer(
    database: Database, clock: FakeClock, register: CaseRegister, case: CaseId
) -> None:
    search = taken(database, clock)
    slow = Service("slow", red=[None])
    running = asyncio.ensure_future(OneSearch(desk_of(database, clock, slow), search).run())
    await until(lambda: slow.asked)
    register.withdraw("A")
    async with asyncio.timeout(5):
        await running
    assert progress_of(database, search).state is SearchState.STOPPED


async def test_only_the_sources_asked_for_are_asked(
    database: Database, clock: FakeClock, case: CaseId
) -> None:
    one, two = Service("one"), Service("two")
    search = taken(database, clock, "two", "three")
    await OneSearch(desk_of(database, clock, one, two), search).run()
    assert (one.asked, two.asked) == ([], ["red", "blue"])
    states = {s.source: (s.state, s.reason) for s in progress_of(database, search).sources}
    assert states == {
        "two": (SourceState.ANSWERED, None),
        "three": (SourceState.FAILED, "not_enabled"),
    }


async def test_what_was_inspected_before_the_reference_came_is_inspected_again(
    database: Database, clock: FakeClock, register: CaseRegister, case: CaseId
) -> None:
    old, known = a_post(clock, 1), a_post(clock, 2)
    desk = desk_of(database, clock, Service("one", red=[old, known]), words=["red"])
    await desk.intake.accept([old])
    end_all(database, clock)
    clock.advance(1)
    register.add_keyword("A", "해치공주")
    clock.advance(1)
    await desk.intake.accept([known])
    end_all(database, clock)
    search = taken(database, clock)
    running = asyncio.ensure_future(OneSearch(desk, search).run())
    await until(lambda: progress_of(database, search).posts == 2)
    assert count(database, inbox_table) == 1
    assert count(database, outcomes) == 1
    end_all(database, clock, Outcome.SIGHTED)
    async with asyncio.timeout(5):
        await running
    assert progress_of(database, search).outcomes == {"clear": 1, "sighted": 1}


async def test_what_was_seen_is_looked_back_upon(
    database: Database, clock: FakeClock, case: CaseId
) -> None:
    async def look_back(asked: CaseId) -> Found:
        assert asked == case
        yield [a_post(clock, 1), a_post(clock, 2)]
        yield Truncated(reason="cap")

    search = taken(database, clock, "lookback")
    desk = desk_of(database, clock, look_back=look_back)
    running = asyncio.ensure_future(OneSearch(desk, search).run())
    await until(lambda: progress_of(database, search).posts == 2)
    end_all(database, clock)
    async with asyncio.timeout(5):
        await running
    [source] = progress_of(database, search).sources
    assert (source.source, source.state, source.reason) == ("lookback", "partly", "cap")


async def test_a_post_that_cannot_be_kept_does_not_cost_its_neighbours(
    database: Database, clock: FakeClock, case: CaseId
) -> None:
    huge = a_post(
        clock, 2, media=(MediaItem(url="https://h.example/", alt_text="한" * 9000),) * 100
    )
    service = Service("one", red=[a_post(clock, 1), huge, a_post(clock, 3), Rejected(
        cursor="", reason="invalid_message", position=0
    )])  # fmt: skip
    search = taken(database, clock)
    running = asyncio.ensure_future(OneSearch(desk_of(database, clock, service), search).run())
    await until(lambda: progress_of(database, search).posts == 2)
    end_all(database, clock)
    async with asyncio.timeout(5):
        await running


async def test_a_full_inbox_is_waited_for(
    database: Database, clock: FakeClock, case: CaseId
) -> None:
    desk = desk_of(database, clock, Service("one", red=[a_post(clock, 1)]))
    desk.intake.full = True
    search = taken(database, clock)
    running = asyncio.ensure_future(OneSearch(desk, search).run())
    await asyncio.sleep(0.05)
    assert progress_of(database, search).posts == 0
    desk.intake.full = False
    await until(lambda: progress_of(database, search).posts == 1)
    end_all(database, clock)
    async with asyncio.timeout(5):
        await running


async def test_batches_of_a_service_are_stored_as_they_come(
    database: Database, clock: FakeClock, case: CaseId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_search, "BATCH", 2)
    posts = [replace(a_post(clock, number)) for number in range(5)]
    search = taken(database, clock)
    slow = Service("one", red=[*posts, None])
    running = asyncio.ensure_future(OneSearch(desk_of(database, clock, slow), search).run())
    await until(lambda: progress_of(database, search).posts == 4)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_service_that_there_is_nothing_to_ask_has_not_answered(
    database: Database, clock: FakeClock, case: CaseId
) -> None:
    service = Service("one")
    search = taken(database, clock)
    await OneSearch(desk_of(database, clock, service, words=[]), search).run()
    [source] = progress_of(database, search).sources
    assert (source.state, source.reason) == (SourceState.FAILED, "nothing_to_ask")
    assert service.asked == []
