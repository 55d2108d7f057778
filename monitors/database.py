"""The database: one engine, read and write transactions, on SQLite or PostgreSQL alike.

Calls block: coroutines run them in a thread (`asyncio.to_thread`).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from streams.errors import DatabaseUnavailableError

BUSY_TIMEOUT_SECONDS = 15
"""How long a SQLite writer waits for another; design.md asks for 10 or more."""


class Database:
    """A pool of connections. Thread-safe; forked children must make their own.

    Args:
        url: SQLAlchemy URL, `sqlite:///FILE` or `postgresql+psycopg://…`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        options: dict[str, Any] = {"future": True, "hide_parameters": True}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": BUSY_TIMEOUT_SECONDS}
        else:
            options["pool_pre_ping"] = True
        self.engine = sa.create_engine(url, **options)
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _configure_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that holds the write lock (SQLite) from its start.

        Raises:
            DatabaseUnavailableError: locked for too long, unreachable, or its disk is full;
                nothing of the transaction is kept.
        """
        with (
            _translated(),
            self.engine.connect().execution_options(haechi_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads.

        Raises:
            DatabaseUnavailableError: unreachable.
        """
        with _translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    def insert_new(self, table: sa.Table) -> Any:
        """Build `INSERT … ON CONFLICT DO NOTHING`; the result's `rowcount` counts what was new."""
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        insert = sqlite_insert(table) if self.is_sqlite else postgresql_insert(table)
        return insert.on_conflict_do_nothing().execution_options(preserve_rowcount=True)

    def lock(self, connection: Connection, number: int) -> None:
        """Take an advisory lock until the transaction ends. SQLite's writer has it anyway."""
        if not self.is_sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:n)"), {"n": number})

    def close(self) -> None:
        """Close the pool's connections."""
        self.engine.dispose()


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, in `_begin_sqlite`
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}",
        "secure_delete=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("haechi_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnavailableError(_why(error)) from error
    except sa.exc.TimeoutError as error:
        raise DatabaseUnavailableError("every connection of the pool is in use") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailableError(_why(error)) from error
        raise


def _why(error: DBAPIError) -> str:
    """Give the driver's own words, without the statement and its values."""
    return str(error.orig).splitlines()[0] if error.orig else "database"
