"""`alerts.cli`."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from alerts.cli import outbox_app, task_app
from alerts.sightings import record_sighting
from alerts.tasks import Desk
from monitors.audit import verify
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.migrate import open_database
from monitors.tables import audit, deliveries
from streams.clock import SystemClock
from streams.errors import UnknownTaskError
from streams.settings import Settings
from tests.alerts.rows import add_case, match_of, sighting_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HAECHI_HOME", str(tmp_path / "home"))
    return Settings()


@pytest.fixture
def task(home: Settings) -> str:
    database = open_database(home)
    now = SystemClock().now()
    with database.write() as connection:
        match = match_of(*add_case(connection, now))
        desk = Desk(database=database, endpoints=2, console_link="")
        (opened,) = record_sighting(connection, sighting_of((match,), now=now), desk, now).opened
    database.close()
    return str(opened.task)


def run(app: Any, *arguments: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows(home: Settings, table: sa.Table) -> list[Any]:
    database = Database(home.database)
    with database.read() as connection:
        found = list(connection.execute(sa.select(table)))
    database.close()
    return found


def test_an_empty_home_has_no_tasks(home: Settings) -> None:
    assert run(task_app, "list") == []
    assert run(outbox_app, "list") == []


def test_the_list_names_no_address(task: str) -> None:
    (row,) = run(task_app, "list")
    assert row["task"] == task
    assert row["observed_to_opened_seconds"] == 20
    assert (row["severity"], row["status"], row["host"]) == ("high", "new", "example.com")
    assert "posts/1" not in json.dumps(row)
    assert run(task_app, "list", "--status", "closed") == []
    assert run(task_app, "list", "--status", "new", "--limit", "1") == [row]


def test_one_task_is_shown_with_its_addresses_and_the_reader_is_audited(
    task: str, home: Settings
) -> None:
    (row,) = run(task_app, "show", task)
    (place,) = row["places"]
    assert place["post_url"] == "https://www.example.com/posts/1"
    assert place["evidence"][0]["similarity"] == 0.81
    assert row["notified_at"] is None
    (read,) = rows(home, audit)
    assert (read.action, read.subject) == ("task.read", task)
    database = Database(home.database)
    with database.read() as connection:
        assert verify(connection, KeyStore(home.keys_dir).audit_key()).broken_at is None
    database.close()


def test_an_unknown_task_is_an_error(home: Settings) -> None:
    with pytest.raises(UnknownTaskError):
        run(task_app, "show", "0" * 32)


def test_people_get_words(task: str) -> None:
    listed = CliRunner().invoke(task_app, ["list"], env={"COLUMNS": "160"})
    shown = CliRunner().invoke(task_app, ["show", task], env={"COLUMNS": "160"})
    assert task in listed.stdout
    assert "https://www.example.com/posts/1" in shown.stdout
    assert "same picture by its embedding" in shown.stdout


def test_dead_deliveries_are_listed_and_replayed(task: str, home: Settings) -> None:
    database = Database(home.database)
    with database.write() as connection:
        connection.execute(
            sa.update(deliveries)
            .where(deliveries.c.endpoint == 1)
            .values(status="dead", attempts=10, last_reason="http_503")
        )
    database.close()
    (dead,) = run(outbox_app, "list")
    assert (dead["task"], dead["endpoint"], dead["reason"]) == (task, 1, "http_503")
    assert len(run(outbox_app, "list", "--status", "pending")) == 1
    assert run(outbox_app, "replay", "0" * 32) == [{"replayed": 0}]
    assert run(outbox_app, "replay", dead["event_id"]) == [{"replayed": 1}]
    assert {(row.status, row.attempts) for row in rows(home, deliveries)} == {("pending", 0)}
    assert [row.action for row in rows(home, audit)] == ["outbox.replay"] * 2
