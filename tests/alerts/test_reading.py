"""`alerts.reading`. The console's and the commands' tests read through it, too."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from alerts.reading import (
    TaskFilter,
    count_tasks,
    deliveries_by_status,
    list_tasks,
    notified_at,
    read_locations,
    read_task,
    tasks_by_status,
    visible,
)
from alerts.severity import Severity
from alerts.sightings import record_sighting
from alerts.tasks import Desk, TaskStatus
from monitors.database import Database
from monitors.tables import deliveries
from tests.alerts.rows import add_case, add_content, add_task, content_of, match_of, sighting_of
from tests.fakes import FakeClock


def sight(database: Database, clock: FakeClock, posts: int) -> str:
    """Open a task and add a location for each further post; give its identifier."""
    task = ""
    with database.write() as connection:
        match = match_of(*add_case(connection, clock.now()))
        for post in range(posts):
            clock.advance(1)
            sighting = sighting_of((match,), now=clock.now(), post=str(post))
            desk = Desk(database=database, endpoints=2, console_link="")
            (opened,) = record_sighting(connection, sighting, desk, clock.now()).opened
            task = opened.task
    return task


def test_a_task_is_read_with_its_locations_newest_first(
    database: Database, clock: FakeClock
) -> None:
    task = sight(database, clock, posts=5)
    with database.read() as connection:
        found = read_task(connection, task)
        places = read_locations(connection, task, limit=3)
        rest = read_locations(connection, task, limit=3, offset=3)
    assert found is not None
    assert found.locations == 5
    assert found.observed_to_opened_seconds == 20
    assert found.updated_at - found.opened_at == timedelta(seconds=4)
    assert [place.post_url[-1] for place in (*places, *rest)] == ["4", "3", "2", "1", "0"]
    assert places[0].evidence[0]["modality"] == "frame"


def test_an_unknown_task_is_none(database: Database) -> None:
    with database.read() as connection:
        assert read_task(connection, "0" * 32) is None
        assert read_locations(connection, "0" * 32) == ()


def test_lists_are_filtered_counted_and_cut(database: Database, clock: FakeClock) -> None:
    with database.write() as connection:
        case, _ = add_case(connection, clock.now())
        levels: list[dict[str, Any]] = [
            {"severity": severity, "status": status}
            for severity in Severity
            for status in (TaskStatus.NEW, TaskStatus.CLOSED)
        ]
        for number, values in enumerate(levels):
            content = add_content(connection, clock.now(), case, content_of(0, number + 1))
            add_task(connection, clock.now(), case, content, **values)
    with database.read() as connection:
        every = list_tasks(connection, TaskFilter(), limit=100)
        assert [task.severity for task in every] == [s for s in Severity for _ in range(2)]
        assert list_tasks(connection, TaskFilter(), limit=3, offset=2) == every[2:5]
        new = TaskFilter(status=TaskStatus.NEW)
        assert count_tasks(connection, new) == 4
        assert {task.status for task in list_tasks(connection, new, limit=9)} == {"new"}
        both = TaskFilter(status=TaskStatus.NEW, severity=Severity.LOW)
        assert count_tasks(connection, both) == len(list_tasks(connection, both, limit=9)) == 1
        assert tasks_by_status(connection) == {
            "new": 4, "closed": 4, "removed_at_origin": 0, "verified_removed": 0, "reappeared": 0,
        }  # fmt: skip


def test_the_first_delivery_is_when_somebody_was_told(database: Database, clock: FakeClock) -> None:
    task = sight(database, clock, posts=1)
    with database.write() as connection:
        assert notified_at(connection, task) is None
        assert deliveries_by_status(connection) == {"pending": 2, "sent": 0, "dead": 0}
        for endpoint, seconds in ((0, 9), (1, 4)):
            connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.endpoint == endpoint)
                .values(status="sent", delivered_at=clock.now() + timedelta(seconds=seconds))
            )
        assert notified_at(connection, task) == clock.now() + timedelta(seconds=4)


def test_a_strangers_words_neither_steer_a_terminal_nor_turn_around() -> None:
    assert visible("https://h.example/가 b?c=1") == "https://h.example/가 b?c=1"
    assert visible("https://h.example/\u202egpj.exe") == "https://h.example/%E2%80%AEgpj.exe"
    assert visible("me\x9b2J\x1b[2J\u200b") == "me%C2%9B2J%1B[2J%E2%80%8B"
