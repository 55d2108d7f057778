"""A backup is a consistent copy of a database in use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitors.backup import back_up
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.migrate import is_current, open_database
from monitors.register import CaseRegister
from monitors.tables import cases
from streams.errors import ConfigurationError
from streams.settings import Settings
from tests.fakes import FakeClock, an_adults_case


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(Settings(home=tmp_path / "home"))
    yield opened
    opened.close()


def test_a_backup_holds_what_was_committed_and_nothing_else(
    sqlite: Database, keystore: KeyStore, clock: FakeClock, tmp_path: Path
) -> None:
    CaseRegister(sqlite, keystore, clock, actor="clerk").open(an_adults_case())
    with sqlite.write() as connection:
        connection.execute(sa.update(cases).values(alias="not yet"))
        back_up(sqlite, tmp_path / "copy.db")
    copy = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    assert is_current(copy)
    with copy.read() as connection:
        assert connection.scalars(sa.select(cases.c.alias)).all() == ["A"]
    copy.close()


def test_a_backup_never_replaces_a_file(sqlite: Database, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    file.write_bytes(b"precious")
    with pytest.raises(ConfigurationError, match="exists"):
        back_up(sqlite, file)
    assert file.read_bytes() == b"precious"
    assert not list(tmp_path.glob(".backup-*"))


@pytest.mark.servers
def test_postgresql_is_left_to_its_own_tool(empty_postgresql: str, tmp_path: Path) -> None:
    database = Database(empty_postgresql)
    with pytest.raises(ConfigurationError, match="pg_dump"):
        back_up(database, tmp_path / "copy.db")
    database.close()
