"""`agents.releasing`, on both databases."""

from datetime import timedelta

import sqlalchemy as sa

from agents.releasing import Releasing
from alerts.sightings import record_sighting
from alerts.tasks import Desk
from monitors import metrics
from monitors.database import Database
from monitors.quarantine import Quarantine, Reason, begin
from monitors.tables import held_sightings, tasks
from tests.alerts.rows import add_case, add_reference, match_of, sighting_of
from tests.fakes import FakeClock


async def test_what_is_due_becomes_tasks_that_are_counted_once(
    database: Database, clock: FakeClock
) -> None:
    desk = Desk(database=database, endpoints=0, console_link="")
    until = clock.now() + timedelta(seconds=60)
    with database.write() as connection:
        case, content = add_case(connection, clock.now())
        reference = add_reference(connection, clock.now(), case, content)
        begin(connection, reference, Quarantine(reason=Reason.BY_HAND, until=until), clock.now())
        for post in ("1", "2"):
            sighting = sighting_of((match_of(case, content),), now=clock.now(), post=post)
            record_sighting(connection, sighting, desk, clock.now())
    opened = metrics.TASKS_OPENED.labels("high")
    value = opened._value.get()
    releasing = Releasing(desk, clock)
    for seconds, waiting in ((59, 2), (1, 0), (0, 0)):
        clock.advance(seconds)
        await releasing.look()
        with database.read() as connection:
            left = connection.execute(sa.select(held_sightings)).all()
            (count,) = connection.execute(sa.select(sa.func.count()).select_from(tasks)).one()
        assert (len(left), count) == (waiting, 1 if not waiting else 0)
    assert opened._value.get() - value == 1
