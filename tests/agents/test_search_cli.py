"""`agents.search_cli`."""

import json

import pytest
import sqlalchemy as sa
import typer
from typer.testing import CliRunner

from agents import search_cli
from agents.search_cli import search
from monitors import searches
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.register import CaseRegister
from monitors.search_progress import list_searches
from monitors.searches import SearchState, SourceProgress, SourceState
from monitors.tables import audit
from streams.clock import SystemClock
from streams.errors import CaseNotActiveError, SearchUnattendedError, UnknownSearchError
from streams.settings import Settings, environment_of
from tests.fakes import an_adults_case


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    for name, value in environment_of(settings).items():
        if name.startswith("HAECHI_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(search_cli, "POLL_SECONDS", 0.01)
    built = typer.Typer()
    built.command()(search)
    return built


@pytest.fixture
def case(database: Database, keystore: KeyStore) -> str:
    register = CaseRegister(database, keystore, SystemClock(), actor="clerk")
    return register.open(an_adults_case("A")).id


def test_a_search_is_asked_for_and_written_down(
    app: typer.Typer, case: str, database: Database, keystore: KeyStore
) -> None:
    found = CliRunner().invoke(app, ["A", "--no-wait", "--json", "--source", "lookback"])
    assert found.exit_code == 0, found.output
    row = json.loads(found.stdout)
    assert (row["case"], row["state"], row["sources"]) == (case, "waiting", [])
    with database.read() as connection:
        [(actor, action, detail)] = connection.execute(
            sa.select(audit.c.actor, audit.c.action, audit.c.detail).where(
                audit.c.action.startswith("search")
            )
        ).all()
    assert (action, detail) == ("search.ask", {"search": row["search"], "sources": ["lookback"]})
    assert actor


def test_nobody_to_carry_it_out_is_said(
    app: typer.Typer, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_cli, "UNATTENDED_SECONDS", 0.05)
    found = CliRunner().invoke(app, ["A"])
    assert isinstance(found.exception, SearchUnattendedError)
    assert "haechi up" in str(found.exception)


def test_the_last_search_is_shown_in_words(app: typer.Typer, case: str, database: Database) -> None:
    missing = CliRunner().invoke(app, ["A", "--last"])
    assert isinstance(missing.exception, UnknownSearchError)
    CliRunner().invoke(app, ["A", "--no-wait"])
    clock = SystemClock()
    with database.write() as connection:
        [name] = list_searches(connection, case)  # type: ignore[arg-type]
        one = SourceProgress(source="one", state=SourceState.FAILED, reason="unauthorized")
        searches.note_source(connection, database, name, one)
        searches.end(connection, name, SearchState.LATE, clock.now())
    ended = CliRunner().invoke(app, ["A", "--last"])
    for word in ("late", "0 of 1 sources answered", "one\tfailed (unauthorized)\t0 of 0\t0"):
        assert word in ended.stdout
    assert ended.exit_code == 1, "no source answered"


def test_a_source_that_there_is_not_is_refused_with_those_that_there_are(
    app: typer.Typer, case: str
) -> None:
    found = CliRunner().invoke(app, ["A", "--source", "nonsense"])
    assert found.exit_code == 2
    assert "lookback" in found.stderr


def test_a_withdrawn_case_is_refused(
    app: typer.Typer, case: str, database: Database, keystore: KeyStore
) -> None:
    CaseRegister(database, keystore, SystemClock(), actor="clerk").withdraw("A")
    found = CliRunner().invoke(app, ["A"])
    assert isinstance(found.exception, CaseNotActiveError)
