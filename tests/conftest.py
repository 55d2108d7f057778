"""Fixtures that every folder uses: a clock, settings, a migrated database on every engine."""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings

from monitors.database import Database
from monitors.migrate import upgrade
from streams.settings import Settings
from tests.fakes import FakeClock
from tests.servers import postgresql

hypothesis_settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis_settings.load_profile("ci")

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _no_settings_of_the_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own `HAECHI_…` out of the tests, but for the cache of models."""
    for name in [name for name in os.environ if name.startswith("HAECHI_")]:
        if name != "HAECHI_MODELS":
            monkeypatch.delenv(name)


@pytest.fixture
def clock() -> FakeClock:
    """Time that `advance(seconds)` moves."""
    return FakeClock()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A running PostgreSQL's URL, without a database's name."""
    with postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "haechi.db"
    upgrade(f"sqlite:///{file}")
    return file


def _execute(server: str, statement: str) -> None:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(statement.encode())


def _as_sqlalchemy(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture(scope="session")
def _postgresql_template(postgresql_server: str) -> str:
    _execute(postgresql_server, "CREATE DATABASE template_haechi")
    upgrade(_as_sqlalchemy(f"{postgresql_server}/template_haechi"))
    return "template_haechi"


@pytest.fixture
def empty_postgresql(postgresql_server: str) -> Iterator[str]:
    """The SQLAlchemy URL of a new database without a table."""
    yield from _postgresql_database(postgresql_server, "template0")


def _postgresql_database(server: str, template: str) -> Iterator[str]:
    name = f"haechi_{next(_numbers)}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield _as_sqlalchemy(f"{server}/{name}")
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database; on SQLite it is where `settings` expects it."""
    if request.param == "sqlite":
        file = tmp_path / "haechi.db"
        shutil.copy(request.getfixturevalue("_sqlite_template"), file)
        yield f"sqlite:///{file}"
    else:
        template = request.getfixturevalue("_postgresql_template")
        server = request.getfixturevalue("postgresql_server")
        yield from _postgresql_database(server, template)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated, empty database; the test runs once on each engine."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an instance of this test's own; the same database as `database`, if asked for."""
    same = "database_url" in request.fixturenames
    url = request.getfixturevalue("database_url") if same else None
    return Settings(home=tmp_path, database_url=url)
