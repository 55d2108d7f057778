"""`agents.reading`, on both databases."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from agents import reading as reading_module
from agents.intake import Intake
from agents.reading import HOPELESS_SECONDS, MAX_ASKED_SECONDS, Reader, ReadingDesk
from agents.storing import Storing
from alerts.tasks import Desk
from monitors import gaps, inbox, metrics
from monitors.database import Database
from monitors.freshness import Freshness, read_freshness
from monitors.gaps import GapState
from monitors.tables import cursors, dead_letters
from streams.errors import (
    ConfigurationError,
    DatabaseUnavailableError,
    RateLimitedError,
    SourceError,
    StalledError,
    TransientError,
    UnauthorizedError,
)
from streams.schemas import MAX_MEDIA
from streams.sources.source import EventKind, Missed, Passed, Rejected, SourcedItem, SourcedPost
from streams.types import MediaItem
from tests.agents.pipeline import Script, a_post, until
from tests.fakes import FakeClock


class Waits:
    """A `sleep` that takes no time, and stops a reader after so many waits."""

    def __init__(self, most: int = 1_000_000) -> None:
        self.seconds: list[float] = []
        self._most = most

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) >= self._most:
            raise asyncio.CancelledError
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "LINGER_SECONDS", 0.01)


Make = Callable[..., ReadingDesk]


@pytest.fixture
def make(database: Database, clock: FakeClock) -> Make:
    def build(owner: str = "here", waits: Waits | None = None, **values: Any) -> ReadingDesk:
        desk = Desk(database=database, endpoints=0, console_link="https://c.example")
        return ReadingDesk(
            storing=Storing(desk, clock, owner),
            intake=Intake(database, clock, owner),
            clock=clock,
            random=Random(1),
            sleep=waits or Waits(),
            **values,
        )

    return build


def items(clock: FakeClock, numbers: Sequence[int], **values: Any) -> list[SourcedItem]:
    return [SourcedPost(post=a_post(clock, n), cursor=str(n), **values) for n in numbers]


def waiting(database: Database) -> int:
    with database.read() as connection:
        return inbox.waiting(connection).posts


def state(database: Database, clock: FakeClock) -> Freshness:
    with database.read() as connection:
        [found] = read_freshness(connection, {}, clock.now())
    return found


def ledger(database: Database) -> list[tuple[str, datetime, datetime | None, GapState]]:
    with database.read() as connection:
        found = gaps.list_gaps(connection)
    return [(one.reason, one.from_at, one.to_at, one.state) for one in reversed(found)]


async def read_live(source: Script, desk: ReadingDesk) -> None:
    """Read a source with a ledger until its waits are over."""
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(20):
            await Reader(source, desk).run()


async def play(source: Script, desk: ReadingDesk) -> None:
    async with asyncio.timeout(20):
        await Reader(source, desk, ledger=False).run()


async def test_a_source_is_read_to_its_end_into_the_inbox(
    make: Make, database: Database, clock: FakeClock
) -> None:
    source, desk = Script(*items(clock, range(1, 251))), make()
    await play(source, desk)
    assert waiting(database) == 250
    assert desk.intake.arrived.is_set()
    with database.write() as connection:
        rows = dict(connection.execute(sa.select(cursors.c.source, cursors.c.cursor)).all())
    assert rows == {"replay": "250"}
    assert source.resumed == [None]


async def test_each_row_knows_from_where_its_source_gives_it_again(
    make: Make, database: Database, clock: FakeClock
) -> None:
    posts = []
    for number in (1, 2, 3):
        posts.append(SourcedPost(post=a_post(clock, number), cursor=str(10 * number)))
        clock.advance(1)
    await play(Script(*posts), make())
    with database.read() as connection:
        assert inbox.resume_cursor(connection, "replay") is None
    with database.write() as connection:
        inbox.end_dead(connection, posts[0].post.key, "bug", clock.now())
    again = Script()
    await play(again, make())
    assert again.resumed == ["10"]


async def test_what_is_no_post_is_a_dead_letter_once_and_the_rest_goes_on(
    make: Make, database: Database, clock: FakeClock
) -> None:
    huge = SourcedPost(
        post=a_post(
            clock, 2, media=(MediaItem(url="https://h.example/", alt_text="한" * 9000),) * MAX_MEDIA
        ),
        cursor="3",
    )
    script = [
        *items(clock, [1]),
        Rejected(cursor="2", reason="invalid_message", position=77),
        huge,
        *items(clock, [4]),
    ]
    await play(Script(*script), make())
    await play(Script(*script), make())
    assert waiting(database) == 2
    with database.read() as connection:
        letters = connection.execute(
            sa.select(dead_letters).order_by(dead_letters.c.record_offset)
        ).all()
    assert [(one.epoch, one.topic, one.reason) for one in letters] == [
        ("source", "source:replay", "invalid_message"),
        ("source", "source:replay", "oversized_message"),
    ]
    assert letters[0].record_offset == 77


async def test_an_interrupted_source_is_taken_up_again(
    make: Make, database: Database, clock: FakeClock
) -> None:
    source = Script(*items(clock, [1]), TransientError("away"), *items(clock, [2]))
    await play(source, make())
    assert len(source.resumed) == 2
    assert waiting(database) == 2


async def test_a_failure_that_comes_with_an_item_is_not_lost(
    make: Make, database: Database, clock: FakeClock
) -> None:
    for number in range(1, 20):
        await play(Script(*items(clock, [number]), TransientError("away")), make())
    assert waiting(database) == 19


async def test_a_file_that_cannot_be_played_is_said(make: Make) -> None:
    with pytest.raises(ConfigurationError):
        await play(Script(ConfigurationError("no such file")), make())


async def test_what_came_before_a_failure_is_stored_though_the_source_has_no_cursor(
    make: Make, database: Database, clock: FakeClock
) -> None:
    source = Script(*items(clock, range(1, 301)), StalledError("silent"))
    await read_live(source, make(waits=Waits(1)))
    assert waiting(database) == 300
    assert len(source.resumed) == 1


async def test_another_collector_waits_until_the_lease_ends(
    make: Make, database: Database, clock: FakeClock
) -> None:
    here = make()
    reading = asyncio.ensure_future(play(Script(*items(clock, [1]), hangs=True), here))
    await until(lambda: waiting(database) == 1)
    second = Script(*items(clock, [2]))
    waits = Waits()
    taking = asyncio.ensure_future(play(second, make("there", waits)))
    await until(lambda: len(waits.seconds) > 3)
    assert second.resumed == []
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await here.intake.release()
    async with asyncio.timeout(5):
        await taking
    assert waiting(database) == 2


async def test_a_full_inbox_makes_sources_wait(
    make: Make, database: Database, clock: FakeClock
) -> None:
    desk = make()
    desk.intake.full = True
    source = Script(*items(clock, [1]))
    reading = asyncio.ensure_future(play(source, desk))
    await until(lambda: source.resumed)
    assert waiting(database) == 0
    desk.intake.full = False
    async with asyncio.timeout(5):
        await reading
    assert waiting(database) == 1


async def test_a_connection_is_closed_though_its_reader_is_stopped_while_the_inbox_is_full(
    make: Make, clock: FakeClock
) -> None:
    desk = make()
    desk.intake.full = True
    source = Script(*items(clock, [1]))
    reading = asyncio.ensure_future(play(source, desk))
    await until(lambda: source.resumed)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert source.closed == 1


async def test_a_live_source_that_ends_is_read_again_from_where_it_was(
    make: Make, database: Database, clock: FakeClock
) -> None:
    source = Script(*items(clock, [1, 2]))
    before = metrics.SOURCE_INTERRUPTIONS.labels("replay", "ended")._value.get()
    await read_live(source, make(waits=Waits(3)))
    assert source.resumed == [None, "2", "2"]
    assert waiting(database) == 2
    assert state(database, clock).problem == "ended"
    assert metrics.SOURCE_INTERRUPTIONS.labels("replay", "ended")._value.get() - before == 3


async def test_waits_grow_while_nothing_comes_and_begin_anew_when_it_does(
    make: Make, clock: FakeClock
) -> None:
    waits = Waits(6)
    failures = [SourceError("away") for _ in range(4)]
    one, two = items(clock, [1, 2])
    source = Script(*failures, one, SourceError("away"), two, SourceError("away"))
    await read_live(source, make(waits=waits))
    for number, longest in enumerate([2, 4, 8, 16, 2, 2]):
        assert longest / 2 <= waits.seconds[number] <= longest
    assert len(set(waits.seconds)) == 6


async def test_a_source_that_only_says_what_it_missed_does_not_shorten_its_waits(
    make: Make, clock: FakeClock
) -> None:
    waits = Waits(4)
    source = Script(Missed(cursor="1", reason="cursor_too_old"))
    source.items += [SourceError("away") for _ in range(4)]
    await read_live(source, make(waits=waits))
    assert waits.seconds[3] >= 8


async def test_what_a_source_asks_for_is_heeded_and_shown(
    make: Make, database: Database, clock: FakeClock
) -> None:
    waits = Waits(1)
    limited = RateLimitedError("429", retry_after_seconds=300.0)
    await read_live(Script(limited), make(waits=waits))
    assert waits.seconds == [300.0]
    found = state(database, clock)
    assert (found.problem, found.troubles) == ("rate_limited", ("rate_limited",))
    assert found.retry_at == clock.now() + timedelta(seconds=300)


@pytest.mark.parametrize("asked", [1e300, float("inf")])
async def test_a_source_cannot_send_its_reader_away_for_ever(
    make: Make, database: Database, clock: FakeClock, asked: float
) -> None:
    waits = Waits(1)
    await read_live(Script(RateLimitedError("429", retry_after_seconds=asked)), make(waits=waits))
    assert waits.seconds == [MAX_ASKED_SECONDS]
    assert state(database, clock).retry_at is not None


@pytest.mark.parametrize("asked", [float("nan"), -5.0, 0.0])
async def test_a_wait_that_is_none_is_not_heeded(make: Make, asked: float) -> None:
    waits = Waits(1)
    await read_live(Script(RateLimitedError("429", retry_after_seconds=asked)), make(waits=waits))
    assert 1 <= waits.seconds[0] <= 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [(ConfigurationError("a secret"), "configuration"), (ZeroDivisionError("a secret"), "bug")],
)
async def test_a_source_that_cannot_work_is_named_and_the_others_go_on(
    make: Make, database: Database, clock: FakeClock, error: Exception, reason: str
) -> None:
    waits = Waits(2)
    source = Script(error, *items(clock, [1]))
    before = metrics.SOURCE_INTERRUPTIONS.labels("replay", reason)._value.get()
    async with asyncio.TaskGroup() as group:
        other = group.create_task(play(Script(*items(clock, [7]), name="other"), make("other")))
        await read_live(source, make(waits=waits))
    assert other.done()
    assert not other.cancelled()
    assert waits.seconds[0] == HOPELESS_SECONDS
    assert waiting(database) == 2
    assert metrics.SOURCE_INTERRUPTIONS.labels("replay", reason)._value.get() - before == 1


async def test_a_client_that_cancels_itself_is_read_again(
    make: Make, database: Database, clock: FakeClock
) -> None:
    source = Script(asyncio.CancelledError(), *items(clock, [1]))
    await read_live(source, make(waits=Waits(2)))
    assert len(source.resumed) == 2
    assert waiting(database) == 1


async def test_a_gap_begins_where_the_source_was_last_heard_and_goes_on_over_several_tries(
    make: Make, database: Database, clock: FakeClock
) -> None:
    heard_at = clock.now()
    happened = {"at": heard_at}
    first = Script(*items(clock, [1], **happened), StalledError("silent"))
    await read_live(first, make(waits=Waits(1)))
    clock.advance(30)
    await read_live(Script(UnauthorizedError("401")), make(waits=Waits(1)))
    clock.advance(30)
    assert ledger(database) == [("stalled", heard_at, None, GapState.OPEN)]
    found = state(database, clock)
    assert (found.problem, found.problem_at) == ("unauthorized", heard_at)
    assert found.connected_at is None
    later = clock.now()
    await read_live(Script(*items(clock, [2], at=later)), make(waits=Waits(1)))
    [settled, _ended] = ledger(database)
    assert settled == ("stalled", heard_at, later, GapState.REFILLED)


async def test_a_collector_that_was_killed_leaves_a_gap_that_its_restart_finds(
    make: Make, database: Database, clock: FakeClock
) -> None:
    heard_at = clock.now()
    running = asyncio.ensure_future(Reader(Script(*items(clock, [1]), hangs=True), make()).run())
    await until(lambda: waiting(database) == 1)
    running.cancel()  # without a word, as SIGKILL
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ledger(database) == []
    clock.advance(40)
    again = asyncio.ensure_future(Reader(Script(hangs=True), make()).run())
    await until(lambda: ledger(database))
    assert ledger(database) == [("stopped", heard_at, None, GapState.OPEN)]
    again.cancel()
    with pytest.raises(asyncio.CancelledError):
        await again


async def test_a_file_that_is_played_has_no_ledger(
    make: Make, database: Database, clock: FakeClock
) -> None:
    await play(Script(*items(clock, [1]), SourceError("away"), *items(clock, [2])), make())
    assert ledger(database) == []
    with database.read() as connection:
        assert read_freshness(connection, {}, clock.now()) == []


async def test_a_database_that_was_away_is_waited_for_and_nothing_is_lost(
    make: Make, database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "RETRY_SECONDS", 0.01)
    desk = make(waits=Waits(3))
    store, lease = desk.storing.store, desk.storing.lease
    failures = [DatabaseUnavailableError("locked") for _ in range(2)]

    def failing(*args: Any) -> Any:
        if failures:
            raise failures.pop()
        return store(*args)

    leases = [DatabaseUnavailableError("locked")]

    def unleased(source: str) -> bool:
        if leases:
            raise leases.pop()
        return lease(source)

    monkeypatch.setattr(desk.storing, "store", failing)
    monkeypatch.setattr(desk.storing, "lease", unleased)
    await read_live(Script(*items(clock, [1, 2])), desk)
    assert waiting(database) == 2
    assert not failures


async def test_what_was_stored_and_each_connections_end_are_told(
    make: Make, clock: FakeClock
) -> None:
    told: list[object] = []
    desk = make(
        waits=Waits(2),
        seen=lambda name, read: told.append((name, len(read))),
        away=told.append,
    )
    await read_live(Script(*items(clock, [1, 2]), SourceError("away")), desk)
    assert told[:2] == [("replay", 2), "replay"]
    assert told[-1] == "replay"


async def test_events_are_counted_by_kind(make: Make, database: Database, clock: FakeClock) -> None:
    counter = metrics.SOURCE_EVENTS.labels("replay", "heartbeat")
    before = counter._value.get()
    passed = Passed(cursor="2", counts={EventKind.HEARTBEAT: 3})
    await read_live(Script(passed, *items(clock, [3])), make(waits=Waits(1)))
    assert counter._value.get() - before == 3
    kinds = state(database, clock).kinds
    assert {kind: count for kind, (count, _) in kinds.items()} == {
        EventKind.HEARTBEAT: 3,
        EventKind.POST: 1,
    }
    assert kinds[EventKind.POST][1].tzinfo is UTC
