"""A copy of a running SQLite database. Keys are never in it: what is withdrawn stays unreadable."""

import os
import sqlite3
import tempfile
from pathlib import Path

from monitors.database import Database
from streams.errors import ConfigurationError


def back_up(database: Database, file: Path) -> None:
    """Write a consistent copy to a new file of mode 0600; it appears whole or not at all.

    Raises:
        ConfigurationError: the file exists or cannot be written, or this is PostgreSQL.
    """
    if not database.is_sqlite:
        raise ConfigurationError("back PostgreSQL up with pg_dump, and never the key store with it")
    try:
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".backup-")
        os.close(descriptor)
    except OSError as error:
        raise ConfigurationError(f"cannot write to {file.parent}: {error.strerror}") from error
    scratch = Path(name)
    try:
        _copy(database, scratch)
        os.link(scratch, file)
    except FileExistsError:
        raise ConfigurationError(f"{file} exists already") from None
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(f"cannot write {file}: {error}") from error
    finally:
        scratch.unlink(missing_ok=True)


def _copy(database: Database, file: Path) -> None:
    target = sqlite3.connect(file)
    source = database.engine.raw_connection()
    try:
        if isinstance(source.driver_connection, sqlite3.Connection):
            source.driver_connection.backup(target)
    finally:
        source.close()
        target.close()
    with file.open("rb") as written:
        os.fsync(written.fileno())
