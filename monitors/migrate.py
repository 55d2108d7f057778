"""The database's version: brought up to date once, before anything else uses it."""

import contextlib
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from monitors.database import Database
from streams.errors import ConfigurationError
from streams.settings import Settings

HEAD = "0003"
"""The newest step below `migrations/versions`; kept here so that looking costs one query."""

_MIGRATION_LOCK = 0x4A4543  # PostgreSQL's advisory lock of whoever migrates


def open_database(settings: Settings) -> Database:
    """Open the instance's database, making the home and the tables where they are missing.

    Raises:
        ConfigurationError: a newer Haechi made the database, or the home cannot be written.
        DatabaseUnavailableError: it cannot be reached.
    """
    _make_private(settings.home)
    database = Database(settings.database)
    _make_private_file(database)
    try:
        if not is_current(database):
            _upgrade(database)
    except BaseException:
        database.close()
        raise
    return database


def upgrade(database_url: str) -> None:
    """Take every step that the database lacks, in one transaction. Safe to run at once.

    Raises:
        ConfigurationError: a newer Haechi made the database.
        DatabaseUnavailableError: it cannot be reached.
    """
    database = Database(database_url)
    try:
        _upgrade(database)
    finally:
        database.close()


def is_current(database: Database) -> bool:
    """Say whether the database has the tables of this version."""
    with database.read() as connection:
        return _version(connection) == HEAD


def _upgrade(database: Database) -> None:
    with database.write() as connection:
        database.lock(connection, _MIGRATION_LOCK)
        version = _version(connection)
        if version == HEAD:
            return
        if version is not None and not _is_known(version):
            raise ConfigurationError(f"the database is of a newer Haechi (step {version})")
        from alembic import command  # slow to import, and seldom needed

        command.upgrade(_config(connection), HEAD)


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _is_known(version: str) -> bool:
    return version.isdecimal() and int(version) <= int(HEAD)


def _config(connection: sa.Connection) -> Any:
    from alembic.config import Config

    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _make_private_file(database: Database) -> None:
    """Create SQLite's file for its owner alone; the files beside it take its mode."""
    file = database.engine.url.database
    if database.is_sqlite and file:
        with contextlib.suppress(OSError):  # SQLite says it better
            Path(file).touch(mode=0o600, exist_ok=True)


def _make_private(home: Path) -> None:
    """Create the home, for its owner alone."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot make the home {home}: {error.strerror}") from error
