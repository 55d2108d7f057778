"""`dashboards.console.routes.watching`."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from dashboards.console.app import build_console
from dashboards.console.routes.watching import reasons_not_ready
from monitors.database import Database
from monitors.migrate import upgrade
from monitors.quarantine import Quarantine, Reason, begin
from streams.settings import Settings
from tests.alerts.rows import add_case, add_reference, add_task
from tests.dashboards.console.conftest import CHEAP, Browser
from tests.fakes import FakeClock


async def test_health_needs_nobody(browser: Browser) -> None:
    answer = await browser.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_the_console_is_ready_with_a_migrated_database_alone(
    tmp_path: Path, clock: FakeClock
) -> None:
    settings = Settings(home=tmp_path)
    database = Database(settings.database)
    app = build_console(settings, database, clock, hasher=CHEAP)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        empty = await client.get("/readyz")
        assert (empty.status_code, empty.json()["reasons"]) == (503, ["database_version"])
        upgrade(settings.database)
        assert (await client.get("/readyz")).json() == {"ready": True, "reasons": []}
    database.close()


def test_a_database_that_is_away_is_a_reason(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    assert reasons_not_ready(database) == ["database"]


async def test_metrics_count_tasks_by_status(
    browser: Browser, database: Database, clock: FakeClock
) -> None:
    with database.write() as connection:
        case, content = add_case(connection, clock.now())
        add_task(connection, clock.now(), case, content)
        add_task(connection, clock.now(), case, content, host="b.example", status="closed")
        until = clock.now() + timedelta(days=1)
        flood = Quarantine(reason=Reason.FLOOD, until=until)
        begin(connection, add_reference(connection, clock.now(), case, content), flood, clock.now())
    text = (await browser.get("/metrics")).text
    for line in (
        'haechi_tasks{status="new"} 1.0',
        'haechi_tasks{status="closed"} 1.0',
        'haechi_tasks{status="reappeared"} 0.0',
        'haechi_outbox_deliveries{status="dead"} 0.0',
        'haechi_quarantined_references{reason="flood"} 1.0',
        'haechi_quarantined_references{reason="by_hand"} 0.0',
    ):
        assert line in text
    assert case not in text
    assert "b.example" not in text


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("172.18.0.5", {}, 200),
        ("::1", {}, 200),
        ("8.8.8.8", {}, 404),
        ("127.0.0.1", {"x-forwarded-for": "10.0.0.1"}, 404),
        ("unix", {}, 404),
    ],
)
async def test_metrics_are_for_the_machine_and_its_network(
    app: FastAPI, peer: str, headers: dict[str, str], status: int
) -> None:
    transport = httpx.ASGITransport(app, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        assert (await client.get("/metrics", headers=headers)).status_code == status
