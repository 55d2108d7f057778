"""`haechi case reference release`, as officers call it."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from alerts.case_cli import case_app
from alerts.sightings import record_sighting
from alerts.tasks import Desk
from monitors.database import Database
from monitors.migrate import open_database
from monitors.tables import deliveries, held_sightings, locations
from streams.clock import SystemClock
from streams.settings import Settings
from tests.alerts.rows import add_case, add_reference, match_of, sighting_of

ALIAS = "blue-heron-0"


def run(*arguments: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(case_app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HAECHI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HAECHI_WEBHOOK_URL", "https://a.example/hook,https://b.example/hook")
    return Settings()


@pytest.fixture
def reference(settings: Settings) -> str:
    """A reference that is set aside, with two sightings that wait."""
    database, now = open_database(settings), SystemClock().now()
    with database.write() as connection:
        case, content = add_case(connection, now)
        found = add_reference(connection, now, case, content)
    run("reference", "quarantine", ALIAS, found)
    desk = Desk(database=database, endpoints=2, console_link="")
    with database.write() as connection:
        for post in ("1", "2"):
            sighting = sighting_of((match_of(case, content),), now=now, post=post)
            assert record_sighting(connection, sighting, desk, now).held == 1
    database.close()
    return found


def count(settings: Settings, table: sa.Table) -> int:
    database = Database(settings.database)
    with database.read() as connection:
        found = len(connection.execute(sa.select(table)).all())
    database.close()
    return found


def test_a_release_opens_the_tasks(settings: Settings, reference: str) -> None:
    assert run("reference", "list", ALIAS)[0]["held"] == 2
    assert run("reference", "release", ALIAS, reference[:8]) == [
        {"reference": reference, "sightings": 2, "discarded": False, "tasks_opened": 1}
    ]
    assert (count(settings, locations), count(settings, held_sightings)) == (2, 0)
    assert count(settings, deliveries) == 2
    (row,) = run("reference", "list", ALIAS)
    assert (row["held"], row["quarantine_reason"]) == (0, None)


def test_what_is_discarded_opens_none(settings: Settings, reference: str) -> None:
    (row,) = run("reference", "release", ALIAS, reference, "--discard")
    assert (row["sightings"], row["tasks_opened"]) == (2, 0)
    assert count(settings, locations) == 0
    assert run("reference", "list", ALIAS)[0]["held"] == 0


def test_it_is_said_in_words(settings: Settings, reference: str) -> None:
    done = CliRunner().invoke(case_app, ["reference", "release", ALIAS, reference])
    assert done.stdout == f"{reference}: 2 sightings released, 1 tasks opened\n"
