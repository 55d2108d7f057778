"""No row of the audit chain can be changed unnoticed."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from monitors.audit import (
    GENESIS,
    AuditLog,
    AuditReport,
    AuditRow,
    Head,
    _mac,
    check_chain,
    read_head,
    verify,
)
from monitors.database import Database
from monitors.tables import audit
from tests.fakes import FakeClock

KEY = b"k" * 32
ROWS = 200


def _append(database: Database, clock: FakeClock, number: int, key: bytes = KEY) -> None:
    with database.write() as connection:
        AuditLog(key).append(
            connection,
            actor="민지",
            action="case.open",
            subject=f"{number:032x}",
            detail={"number": number, "words": ["가", "나"], "none": None},
            now=clock.now(),
        )


@pytest.fixture
def chain(clock: FakeClock) -> list[AuditRow]:
    """A whole chain, as it is read."""
    rows: list[AuditRow] = []
    for number in range(1, ROWS + 1):
        row = AuditRow(
            seq=number,
            at=clock.now() + timedelta(seconds=number),
            actor="clerk",
            action="case.open",
            subject=f"{number:032x}",
            detail={"number": number},
            previous=rows[-1].mac if rows else GENESIS,
        )
        rows.append(replace(row, mac=_mac(KEY, row)))
    return rows


@pytest.fixture
def stored(database: Database, chain: list[AuditRow], clock: FakeClock) -> list[AuditRow]:
    """The same chain, appended to a database row by row."""
    log = AuditLog(KEY)
    with database.write() as connection:
        for row in chain:
            log.append(
                connection,
                actor=row.actor,
                action=row.action,
                subject=row.subject,
                detail=row.detail,
                now=row.at,
            )
    with database.read() as connection:
        rows = connection.execute(sa.select(audit).order_by(audit.c.seq)).mappings().all()
    return [AuditRow(**row) for row in rows]


def _broken_at(rows: Sequence[AuditRow], head: Head | None = None) -> int | None:
    return check_chain(rows, KEY, head).broken_at


def test_an_empty_chain_is_whole(database: Database) -> None:
    with database.read() as connection:
        assert verify(connection, KEY) == AuditReport(rows=0, broken_at=None)
        assert read_head(connection) == Head(seq=0, mac="0" * 64)


def test_what_was_appended_is_what_was_meant(stored: list[AuditRow], chain: list[AuditRow]) -> None:
    assert stored == chain


def test_what_was_appended_verifies_under_its_key_alone(
    database: Database, stored: list[AuditRow]
) -> None:
    with database.read() as connection:
        head = read_head(connection)
        assert verify(connection, KEY, head) == AuditReport(rows=ROWS, broken_at=None)
        assert verify(connection, b"x" * 32).broken_at == 1


def test_hangul_lists_and_nulls_come_back_from_the_database_as_authenticated(
    database: Database, clock: FakeClock
) -> None:
    _append(database, clock, 1)
    with database.read() as connection:
        assert verify(connection, KEY).broken_at is None


def test_every_edit_of_a_single_row_is_found_at_that_row(chain: list[AuditRow]) -> None:
    for index, row in enumerate(chain):
        edits = (
            replace(row, actor="other"),
            replace(row, action="case.close"),
            replace(row, subject="f" * 32),
            replace(row, detail={"number": -1}),
            replace(row, at=row.at + timedelta(microseconds=1)),
            replace(row, mac="f" * 64),
            replace(row, previous="f" * 64),
            replace(row, seq=row.seq + 1),
        )
        for edited in edits:
            assert _broken_at([*chain[:index], edited, *chain[index + 1 :]]) == row.seq


def test_every_deletion_is_found_even_when_the_rest_is_numbered_anew(
    chain: list[AuditRow],
) -> None:
    for index in range(ROWS - 1):
        rest = [*chain[:index], *chain[index + 1 :]]
        assert _broken_at(rest) == index + 1
        anew = [replace(row, seq=number) for number, row in enumerate(rest, start=1)]
        assert _broken_at(anew) == index + 1


def test_every_swap_of_neighbours_is_found(chain: list[AuditRow]) -> None:
    for index in range(ROWS - 1):
        one, two = chain[index], chain[index + 1]
        swapped = [*chain[:index], replace(two, seq=one.seq), replace(one, seq=two.seq)]
        assert _broken_at([*swapped, *chain[index + 2 :]]) == index + 1


def test_a_chain_cut_short_anywhere_does_not_reach_its_head(chain: list[AuditRow]) -> None:
    head = Head(seq=ROWS, mac=chain[-1].mac)
    for length in range(ROWS):
        assert _broken_at(chain[:length]) is None
        assert _broken_at(chain[:length], head) == length + 1


def test_a_chain_written_anew_does_not_meet_its_head(
    database: Database, stored: list[AuditRow], clock: FakeClock
) -> None:
    head = Head(seq=ROWS, mac=stored[-1].mac)
    with database.write() as connection:
        connection.execute(sa.delete(audit).where(audit.c.seq == ROWS))
    _append(database, clock, 12345)
    with database.read() as connection:
        assert verify(connection, KEY).broken_at is None
        assert verify(connection, KEY, head).broken_at == ROWS


def test_a_change_in_the_database_itself_is_found(
    database: Database, stored: list[AuditRow]
) -> None:
    with database.write() as connection:
        connection.execute(sa.update(audit).where(audit.c.seq == 77).values(actor="nobody"))
    with database.read() as connection:
        assert verify(connection, KEY) == AuditReport(rows=ROWS, broken_at=77)


def test_writers_at_once_make_one_chain(database: Database, clock: FakeClock) -> None:
    def write(start: int) -> None:
        for number in range(start, start + 10):
            _append(database, clock, number)

    threads = [threading.Thread(target=write, args=(100 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert verify(connection, KEY) == AuditReport(rows=40, broken_at=None)
