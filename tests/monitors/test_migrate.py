"""The migrations make the very tables that the code expects."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import monitors.migrate
from monitors.cases import mentions_content
from monitors.database import Database
from monitors.migrate import HEAD, is_current, open_database, upgrade
from monitors.source_tables import searches
from monitors.tables import contents
from streams.errors import ConfigurationError
from streams.settings import Settings
from streams.types import CaseId


def test_the_migrated_tables_equal_the_declared_ones(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, searches.metadata) == []


def test_the_newest_step_is_the_one_that_is_looked_for() -> None:
    folder = Path(monitors.migrate.__file__).parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(folder))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_an_empty_postgresql_is_brought_up_to_date(empty_postgresql: str) -> None:
    database = Database(empty_postgresql)
    assert not is_current(database)
    upgrade(empty_postgresql)
    assert is_current(database)
    upgrade(empty_postgresql)
    database.close()


@pytest.mark.parametrize(
    "engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)]
)
def test_a_case_of_before_gets_the_content_that_its_keywords_stand_for(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    url = f"sqlite:///{tmp_path / 'haechi.db'}"
    if engine == "postgresql":
        url = request.getfixturevalue("empty_postgresql")
    case, moment = CaseId("c" * 32), "2026-11-23T12:00:00.000000"
    monkeypatch.setattr(monitors.migrate, "HEAD", "0001")
    upgrade(url)
    monkeypatch.undo()
    database = Database(url)
    with database.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO cases (id, alias, age_class, legal_basis, consent_face, consent_voice,"
                " status, opened_at) VALUES (:id, 'A', 'adult', 'victim_request', false, false,"
                " 'open', :at)"
            ),
            {"id": case, "at": moment},
        )
    upgrade(url)
    with database.read() as connection:
        (row,) = connection.execute(sa.select(contents)).all()
    database.close()
    assert (row.id, row.case_id) == (mentions_content(case), case)
    assert row.created_at.isoformat(timespec="microseconds").startswith(moment)


def test_a_step_can_be_taken_back(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'haechi.db'}")
    upgrade(database.url)
    with database.write() as connection:
        command.downgrade(monitors.migrate._config(connection), "0001")
    assert not sa.inspect(database.engine).has_table("negatives")
    columns = sa.inspect(database.engine).get_columns("media_references")
    assert "subject" not in {column["name"] for column in columns}
    database.close()
    upgrade(database.url)


def test_an_empty_home_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "a" / "b")
    database = open_database(settings)
    assert is_current(database)
    database.close()
    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
    assert stat.S_IMODE((settings.home / "haechi.db").stat().st_mode) == 0o600


def test_a_failed_step_leaves_no_half_made_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'haechi.db'}"

    real = command.upgrade

    def upgrade_and_fail(config: Config, revision: str) -> None:
        real(config, revision)
        raise OSError("no more")

    monkeypatch.setattr(command, "upgrade", upgrade_and_fail)
    with pytest.raises(OSError, match="no more"):
        upgrade(url)
    monkeypatch.undo()
    database = Database(url)
    assert sa.inspect(database.engine).get_table_names() == []
    database.close()
    upgrade(url)


def test_the_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="newer"):
        upgrade(database.url)


@pytest.mark.parametrize("attempt", range(2))
def test_processes_that_meet_an_empty_home_at_once_all_find_it_ready(
    tmp_path: Path, attempt: int
) -> None:
    code = (
        "import sys; from pathlib import Path; from streams.settings import Settings;"
        "from monitors.migrate import open_database, is_current;"
        "database = open_database(Settings(home=Path(sys.argv[1])));"
        "sys.exit(not is_current(database))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "home")]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
    ended = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, ended
