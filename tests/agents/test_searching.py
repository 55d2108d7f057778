"""`agents.searching`."""

import asyncio

import pytest

from agents import one_search, searching
from agents.searching import Searching
from monitors import searches
from monitors.database import Database
from monitors.register import CaseRegister
from monitors.search_progress import list_searches
from monitors.searches import SearchState
from streams.types import CaseId
from tests.agents.pipeline import a_post, until
from tests.agents.test_one_search import Service, desk_of, end_all, progress_of
from tests.fakes import FakeClock, an_adults_case


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_search, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(searching, "POLL_SECONDS", 0.01)


@pytest.fixture
def case(register: CaseRegister) -> CaseId:
    return register.open(an_adults_case("A")).id


async def test_what_is_asked_for_is_carried_out(
    database: Database, clock: FakeClock, case: CaseId
) -> None:
    desk = desk_of(database, clock, Service("one", red=[a_post(clock, 1)]))
    running = asyncio.ensure_future(Searching(desk).run())
    with database.write() as connection:
        asked = searches.ask(connection, "A", actor="me", now=clock.now(), seconds=180)
    await until(lambda: progress_of(database, asked).posts == 1)
    end_all(database, clock)
    await until(lambda: progress_of(database, asked).state is SearchState.DONE)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_new_keyword_is_looked_back_for_by_itself(
    database: Database, clock: FakeClock, register: CaseRegister, case: CaseId
) -> None:
    async def look_back(_case: CaseId) -> one_search.Found:
        yield [a_post(clock, 1)]

    def asked() -> list[searches.SearchId]:
        with database.read() as connection:
            return list_searches(connection, case)

    running = asyncio.ensure_future(Searching(desk_of(database, clock, look_back=look_back)).run())
    register.add_keyword("A", "해치공주")
    clock.advance(searches.SETTLED_SECONDS + 1)
    await until(asked)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_search_that_is_cut_off_is_taken_up_again(
    database: Database, clock: FakeClock, case: CaseId
) -> None:
    desk = desk_of(database, clock, Service("one", red=[a_post(clock, 1)]))
    with database.write() as connection:
        asked = searches.ask(connection, "A", actor="me", now=clock.now(), seconds=180)
    first = asyncio.ensure_future(Searching(desk).run())
    await until(lambda: progress_of(database, asked).posts == 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert progress_of(database, asked).state is SearchState.RUNNING
    clock.advance(searches.LEASE_SECONDS + 1)
    second = asyncio.ensure_future(Searching(desk).run())
    end_all(database, clock)
    await until(lambda: progress_of(database, asked).state is SearchState.DONE)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
