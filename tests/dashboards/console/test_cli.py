"""`dashboards.console.cli`, and the console as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from dashboards.console.cli import user_app
from monitors.database import Database
from monitors.tables import audit, users
from streams.errors import AccountError
from streams.settings import Settings
from tests.dashboards.console.conftest import PASSWORD
from tests.servers import die_with_parent, free_port

ROOT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HAECHI_HOME", str(tmp_path / "home"))
    return Settings()


def run(*arguments: str, typed: str | None = None) -> list[dict[str, Any]]:
    done = CliRunner().invoke(user_app, [*arguments, "--json"], input=typed, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def stored(home: Settings, table: sa.Table) -> list[Any]:
    database = Database(home.database)
    with database.read() as connection:
        found = list(connection.execute(sa.select(table)))
    database.close()
    return found


def test_a_made_password_is_printed_once_and_works_nowhere_else(home: Settings) -> None:
    (added,) = run("add", "officer", "--role", "officer")
    assert len(added["password"]) >= 24
    (listed,) = run("list")
    assert listed == {name: value for name, value in added.items() if name != "password"}
    assert added["password"] not in str(stored(home, users)) + str(stored(home, audit))


def test_a_password_is_read_from_standard_input(home: Settings) -> None:
    (added,) = run("add", "kim", "--role", "auditor", "--password-stdin", typed=f"{PASSWORD}\n")
    assert "password" not in added
    assert added["role"] == "auditor"
    assert PASSWORD not in str(stored(home, users))
    with pytest.raises(AccountError):
        run("add", "lee", "--password-stdin", typed="")
    with pytest.raises(AccountError):
        run("add", "lee", "--password-stdin", typed="short\n")


def test_somebody_is_disabled_and_let_in_again(home: Settings) -> None:
    run("add", "kim")
    assert run("disable", "kim")[0]["disabled"] is True
    (again,) = run("passwd", "kim", "--generate")
    assert again["disabled"] is False
    assert again["password"]
    assert [row.action for row in stored(home, audit)] == [
        "user.add", "user.disable", "user.password",
    ]  # fmt: skip


def test_two_ways_to_a_password_exclude_each_other(home: Settings) -> None:
    done = CliRunner().invoke(user_app, ["add", "kim", "--generate", "--password-stdin"])
    assert done.exit_code == 2


@pytest.mark.parametrize("command", [["add", "x y"], ["disable", "nobody"], ["passwd", "nobody"]])
def test_what_cannot_be_done_is_said(home: Settings, command: list[str]) -> None:
    with pytest.raises(AccountError):
        run(*command)


@pytest.mark.slow
def test_the_console_serves_as_a_process_and_ends_when_told(tmp_path: Path) -> None:
    port = free_port()
    environment = os.environ | {
        "HAECHI_HOME": str(tmp_path / "home"), "HAECHI_CONSOLE_PORT": str(port),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "haechi.py"), "console"],
        env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True,
        preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        assert wait_for(f"{address}/readyz").json()["ready"] is True
        page = httpx.get(f"{address}/login", trust_env=False)
        assert page.status_code == 200
        assert "server" not in page.headers
        assert "script-src 'none'" in page.headers["content-security-policy"]
        assert httpx.get(f"{address}/metrics", trust_env=False).status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode in {0, -signal.SIGTERM}
    assert "Traceback" not in errors


def wait_for(url: str) -> httpx.Response:
    until = time.monotonic() + 40
    while True:
        try:
            return httpx.get(url, trust_env=False)
        except httpx.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
