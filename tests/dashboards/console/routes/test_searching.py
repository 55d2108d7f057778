"""`dashboards.console.routes.searching`."""

import pytest
import sqlalchemy as sa

from dashboards.console.auth import SEES_LOCATIONS, Role
from monitors import searches
from monitors.database import Database
from monitors.searches import SearchState
from monitors.source_tables import searches as searches_table
from monitors.tables import audit as audit_table
from streams.types import CaseId
from tests.alerts.rows import add_case
from tests.dashboards.console.conftest import Browser
from tests.fakes import FakeClock


@pytest.fixture
def case(database: Database, clock: FakeClock) -> CaseId:
    with database.write() as connection:
        return add_case(connection, clock.now())[0]


def asked(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(
            sa.select(sa.func.count()).select_from(searches_table)
        ).scalar_one()


async def test_one_click_asks_for_a_search_and_its_progress_is_read(
    browser: Browser, database: Database, clock: FakeClock, case: CaseId
) -> None:
    await browser.log_in()
    page = await browser.get("/")
    answer = await browser.submit(f"/cases/{case}/searches", page)
    assert answer.status_code == 202
    where = answer.headers["location"]
    shown = await browser.get(where)
    row = shown.json()
    assert (row["case"], row["state"], row["tasks"]) == (case, "waiting", [])
    assert shown.headers["cache-control"] == "no-store"
    with database.write() as connection:
        searches.end(connection, row["search"], SearchState.DONE, clock.now())
        actions = connection.scalars(sa.select(audit_table.c.action)).all()
    assert (await browser.get(where)).json()["state"] == "done"
    assert actions.count("search.ask") == 1


async def test_what_may_not_be_searched_for_is_refused(
    browser: Browser, database: Database, clock: FakeClock, case: CaseId
) -> None:
    with database.write() as connection:
        ended, _ = add_case(connection, clock.now(), number=1, status="withdrawn")
    assert (await browser.get(f"/searches/{'0' * 32}")).status_code == 303, "not logged in"
    await browser.log_in()
    page = await browser.get("/")
    for path, status in (
        (f"/cases/{'0' * 32}/searches", 404),
        ("/cases/blue-heron-0/searches", 404),
        (f"/cases/{ended}/searches", 409),
    ):
        assert (await browser.submit(path, page)).status_code == status
    for path in (f"/searches/{'0' * 32}", "/searches/x"):
        assert (await browser.get(path)).status_code == 404
    forged = await browser.client.post(f"/cases/{case}/searches", data={"csrf": "0" * 64})
    assert forged.status_code == 403
    assert asked(database) == 0


@pytest.mark.parametrize("role", sorted(set(Role) - SEES_LOCATIONS))
async def test_only_who_works_on_cases_may_search(
    browser: Browser, database: Database, case: CaseId, role: Role
) -> None:
    await browser.log_in(role)
    page = await browser.get("/")
    assert (await browser.submit(f"/cases/{case}/searches", page)).status_code == 403
    assert (await browser.get(f"/searches/{'0' * 32}")).status_code == 403
    assert asked(database) == 0
