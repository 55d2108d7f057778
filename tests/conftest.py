"""Fixtures that every folder uses: a clock, settings, a migrated database on every engine."""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr

from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.migrate import HEAD, upgrade
from monitors.register import CaseRegister
from monitors.source_tables import searches
from streams.settings import Settings
from tests.at_network import AtNetwork, running_at_network
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
def at_network(
    postgresql_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AtNetwork]:
    """A running AT Protocol network; tests make accounts of their own in it."""
    with running_at_network(postgresql_server, tmp_path_factory.mktemp("redis")) as network:
        yield network


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
def _postgresql_database(postgresql_server: str) -> str:
    """The one migrated database that tests use in turn: making one for each costs a second."""
    _execute(postgresql_server, "CREATE DATABASE haechi")
    url = f"{postgresql_server}/haechi"
    upgrade(_as_sqlalchemy(url))
    return url


def _empty(url: str) -> None:
    """Cut every connection that a test left, and delete every row that it wrote."""
    server, name = url.rsplit("/", 1)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
    _execute(server, f"{cut}'{name}'")
    statements = [
        f"DELETE FROM {table.name}" for table in reversed(searches.metadata.sorted_tables)
    ]
    statements += [
        "INSERT INTO gallery_version (id, version) VALUES (1, 0)",
        f"UPDATE alembic_version SET version_num = '{HEAD}'",
    ]
    with psycopg.connect(url) as connection:
        connection.execute(";".join(statements).encode())


@pytest.fixture
def empty_postgresql(postgresql_server: str) -> Iterator[str]:
    """The SQLAlchemy URL of a new database without a table."""
    name = f"empty_{next(_numbers)}"
    _execute(postgresql_server, f"CREATE DATABASE {name} TEMPLATE template0")
    yield _as_sqlalchemy(f"{postgresql_server}/{name}")
    _execute(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database; on SQLite it is where `settings` expects it."""
    if request.param == "sqlite":
        file = tmp_path / "haechi.db"
        shutil.copy(request.getfixturevalue("_sqlite_template"), file)
        yield f"sqlite:///{file}"
    else:
        url = request.getfixturevalue("_postgresql_database")
        yield _as_sqlalchemy(url)
        _empty(url)


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
    return Settings(home=tmp_path, database_url=None if url is None else SecretStr(url))


@pytest.fixture
def keystore(tmp_path: Path) -> KeyStore:
    """The key store of `settings`."""
    return KeyStore(tmp_path / "keys")


@pytest.fixture
def register(database: Database, keystore: KeyStore, clock: FakeClock) -> CaseRegister:
    """A register of cases in `database`, kept by "clerk"."""
    return CaseRegister(database, keystore, clock, actor="clerk")
