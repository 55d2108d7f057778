"""`agents.deciding`, on both databases."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from agents.deciding import Deciding
from alerts.tasks import Desk
from monitors import inbox, metrics
from monitors.database import Database
from monitors.quarantine import QuarantineLimits
from monitors.removals import end_waiting
from monitors.tables import cases, deliveries, locations, outbox, outcomes, tasks
from streams.schemas import SightingRecord
from streams.sources.source import Removed
from streams.types import MediumResult, Outcome, PostOutcome, Sighting
from tests.agents.pipeline import store
from tests.alerts.rows import add_case, add_reference, match_of, sighting_of
from tests.fakes import FakeClock


@pytest.fixture
def deciding(database: Database, clock: FakeClock) -> Deciding:
    desk = Desk(
        database=database,
        endpoints=1,
        console_link="https://c.example",
        limits=QuarantineLimits(after_sightings=2),
    )
    return Deciding("decide", desk=desk, clock=clock)


@pytest.fixture
def sighting(database: Database, clock: FakeClock) -> Sighting:
    with database.write() as connection:
        match = match_of(*add_case(connection, clock.now()))
    found = sighting_of((), (match,), now=clock.now())
    store(database, found.post)
    return found


async def run(deciding: Deciding, *sightings: Sighting) -> None:
    records = [SightingRecord.from_domain(one) for one in sightings]
    await deciding.emit(await deciding.step(records))


def counts(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in (tasks, locations, deliveries, outcomes)
        }


async def test_a_sighting_opens_its_task_and_ends_its_post(
    deciding: Deciding, database: Database, clock: FakeClock, sighting: Sighting
) -> None:
    waited = metrics.OBSERVED_TO_TASK._sum.get()
    late = (clock.now() - sighting.post.observed_at).total_seconds() + 3
    clock.advance(3)
    await run(deciding, sighting)
    assert counts(database) == {"tasks": 1, "locations": 1, "deliveries": 1, "outcomes": 1}
    with database.read() as connection:
        [end] = connection.execute(sa.select(outcomes)).all()
        assert inbox.waiting(connection).posts == 0
    assert (end.outcome, end.reason) == ("sighted", None)
    assert metrics.OBSERVED_TO_TASK._sum.get() - waited == pytest.approx(late)


async def test_a_sighting_that_is_delivered_again_changes_and_counts_nothing(
    deciding: Deciding, database: Database, sighting: Sighting
) -> None:
    await run(deciding, sighting, sighting)
    before, ended = counts(database), metrics.ENDED.labels(sighting.post.source, "sighted")
    value = ended._value.get()
    await run(deciding, sighting)
    assert counts(database) == before
    assert ended._value.get() == value


async def test_a_sighting_of_a_post_that_ended_otherwise_meanwhile_is_not_lost(
    deciding: Deciding, database: Database, clock: FakeClock, sighting: Sighting
) -> None:
    gone = PostOutcome(
        key=sighting.post.key,
        source=sighting.post.source,
        outcome=Outcome.VANISHED,
        observed_at=sighting.post.observed_at,
        ended_at=clock.now(),
    )
    with database.write() as connection:
        inbox.finish(connection, [gone])
    ended = metrics.ENDED.labels(sighting.post.source, "sighted")
    value = ended._value.get()
    await run(deciding, sighting)
    assert counts(database) == {"tasks": 1, "locations": 1, "deliveries": 1, "outcomes": 1}
    assert ended._value.get() == value


async def test_a_sighting_of_what_its_source_said_is_gone_leaves_an_ended_task(
    deciding: Deciding, database: Database, clock: FakeClock, sighting: Sighting
) -> None:
    removed = Removed(cursor="1", network="board", reason="deleted", post_id=sighting.post.id)
    with database.write() as connection:
        assert end_waiting(connection, [removed], clock.now())
    await run(deciding, sighting)
    await run(deciding, sighting)
    with database.read() as connection:
        [task] = connection.execute(sa.select(tasks)).all()
        [location] = connection.execute(sa.select(locations)).all()
        [end] = connection.execute(sa.select(outcomes)).all()
        events = set(connection.scalars(sa.select(outbox.c.event)))
    assert (task.status, location.gone_reason) == ("removed_at_origin", "deleted")
    assert (end.outcome, end.reason) == ("vanished", "deleted_at_source")
    assert events == {"task.opened", "task.removed_at_origin"}
    assert counts(database)["deliveries"] == 2


async def test_a_second_look_at_a_post_opens_no_second_task(
    deciding: Deciding, database: Database, clock: FakeClock, sighting: Sighting
) -> None:
    await run(deciding, sighting)
    before = counts(database)
    again = inbox.Arrival(post=sighting.post, payload=inbox.payload_of(sighting.post))
    with database.write() as connection:
        assert inbox.add(connection, [again], again=True).accepted == 1
    clock.advance(60)
    await run(deciding, sighting)
    assert counts(database) == before
    with database.read() as connection:
        assert inbox.waiting(connection).posts == 0


async def test_a_post_whose_case_ended_meanwhile_ends_clear_without_a_task(
    deciding: Deciding, database: Database, clock: FakeClock, sighting: Sighting
) -> None:
    with database.write() as connection:
        connection.execute(sa.update(cases).values(status="withdrawn", ended_at=clock.now()))
    await run(deciding, sighting)
    assert counts(database)["tasks"] == 0
    with database.read() as connection:
        [end] = connection.execute(sa.select(outcomes)).all()
    assert (end.outcome, end.reason) == ("clear", "basis_ended")


async def test_a_post_whose_matches_all_wait_ends_sighted_and_says_so(
    deciding: Deciding, database: Database, clock: FakeClock
) -> None:
    with database.write() as connection:
        case, content = add_case(connection, clock.now())
        add_reference(connection, clock.now(), case, content)
    found = [
        sighting_of((match_of(case, content),), now=clock.now(), post=str(n)) for n in range(4)
    ]
    for one in found:
        store(database, one.post)
    value = metrics.QUARANTINED_SIGHTINGS._value.get()
    await run(deciding, *found)
    await run(deciding, *found)
    assert counts(database)["locations"] == 2
    assert metrics.QUARANTINED_SIGHTINGS._value.get() - value == 2
    with database.read() as connection:
        ends = connection.execute(sa.select(outcomes.c.outcome, outcomes.c.reason)).all()
    assert sorted((row.outcome, row.reason or "") for row in ends) == [
        ("sighted", ""), ("sighted", ""), ("sighted", "quarantined"), ("sighted", "quarantined"),
    ]  # fmt: skip


async def test_what_could_not_be_inspected_is_still_said_when_the_basis_ended(
    deciding: Deciding, database: Database, clock: FakeClock, sighting: Sighting
) -> None:
    with database.write() as connection:
        connection.execute(sa.update(cases).values(expires_at=clock.now() - timedelta(days=1)))
    gone = MediumResult(index=0, outcome=Outcome.VANISHED, reason="media_vanished")
    partly = Sighting(
        post=sighting.post,
        results=(gone, *sighting.results[1:]),
        triaged_at=sighting.triaged_at,
        inspected_at=sighting.inspected_at,
    )
    await run(deciding, partly)
    with database.read() as connection:
        [end] = connection.execute(sa.select(outcomes)).all()
    assert (end.outcome, end.reason) == ("vanished", "partly_media_vanished")
