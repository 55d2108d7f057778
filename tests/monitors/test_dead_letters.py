"""`monitors.dead_letters`."""

import dataclasses

import sqlalchemy as sa

from monitors.database import Database
from monitors.dead_letters import DeadLetter, record
from monitors.tables import dead_letters
from tests.fakes import FakeClock

LETTER = DeadLetter(
    epoch="haechi-1",
    topic="haechi.posts.v1",
    partition=2,
    offset=7,
    agent="triage",
    reason="bug",
    error="ZeroDivisionError",
)


def test_a_letter_is_written_once_however_often_it_is_delivered(
    database: Database, clock: FakeClock
) -> None:
    for new in (True, False):
        with database.write() as connection:
            assert record(connection, LETTER, clock.now()) is new
    with database.read() as connection:
        [row] = connection.execute(sa.select(dead_letters)).all()
    assert (row.epoch, row.partition, row.record_offset) == ("haechi-1", 2, 7)
    assert (row.agent, row.reason, row.error) == ("triage", "bug", "ZeroDivisionError")


def test_the_same_offset_of_another_epoch_is_another_message(
    database: Database, clock: FakeClock
) -> None:
    with database.write() as connection:
        assert record(connection, LETTER, clock.now())
        assert record(connection, dataclasses.replace(LETTER, epoch="haechi-2"), clock.now())
