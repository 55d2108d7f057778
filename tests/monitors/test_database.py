"""The database: what holds on every engine."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitors.database import Database
from monitors.tables import cursors, gallery_version
from streams.errors import DatabaseUnavailableError
from tests.fakes import FakeClock


def test_what_a_failed_transaction_wrote_is_gone(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.execute(sa.insert(gallery_version).values([{"id": 7, "version": 1}] * 2))
    with database.read() as connection:
        seen = connection.execute(sa.select(gallery_version).where(gallery_version.c.id == 7))
        assert seen.all() == []


def test_times_come_back_aware_and_equal(database: Database, clock: FakeClock) -> None:
    with database.write() as connection:
        connection.execute(sa.insert(cursors).values(source="replay", updated_at=clock.now()))
    with database.read() as connection:
        assert connection.scalar(sa.select(cursors.c.updated_at)) == clock.now()


def test_a_second_insert_of_the_same_key_is_left_out(database: Database, clock: FakeClock) -> None:
    row = {"source": "replay", "updated_at": clock.now()}
    with database.write() as connection:
        first = connection.execute(database.insert_new(cursors).values(row))
        second = connection.execute(database.insert_new(cursors).values(row))
    assert (first.rowcount, second.rowcount) == (1, 0)


def test_the_lock_lets_one_writer_in_at_a_time(database: Database) -> None:
    order: list[str] = []
    inside, waiting = threading.Event(), threading.Event()

    def second() -> None:
        inside.wait(10)
        waiting.set()
        with database.write() as connection:
            database.lock(connection, 1)
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with database.write() as connection:
        database.lock(connection, 1)
        inside.set()
        waiting.wait(10)
        thread.join(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_many_rows_at_once_are_counted_too(database: Database, clock: FakeClock) -> None:
    rows = [{"source": name, "updated_at": clock.now()} for name in ("a", "b", "c")]
    with database.write() as connection:
        connection.execute(database.insert_new(cursors), rows[:1])
        result = connection.execute(database.insert_new(cursors).values(rows))
    assert result.rowcount == 2


def test_a_full_disk_is_an_unavailable_database_and_keeps_what_was_there(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'small.db'}")
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x BLOB)")
        connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(10))")
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def fill() -> None:
        with database.write() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(10))")
            connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(1000000))")

    with pytest.raises(DatabaseUnavailableError, match="full"):
        fill()
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one() == 1
    database.close()


def test_an_unreachable_server_is_an_unavailable_database() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseUnavailableError), database.read():
        pass
    database.close()


def test_an_error_of_the_database_quotes_no_values(database: Database, clock: FakeClock) -> None:
    row = {"source": "secret-source", "cursor": "secret-cursor", "updated_at": clock.now()}
    with database.write() as connection:
        connection.execute(sa.insert(cursors).values(row))
        with pytest.raises(sa.exc.IntegrityError) as raised:
            connection.execute(sa.insert(cursors).values(row))
    assert "secret-cursor" not in str(raised.value)
