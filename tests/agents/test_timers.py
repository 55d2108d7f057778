"""`agents.timers`."""

import asyncio
import threading
from typing import Any

import pytest

from agents import timers
from agents.timers import Watchdog, repeat
from monitors import inbox
from monitors.database import Database
from streams.errors import DatabaseUnavailableError
from tests.agents.pipeline import a_post, store, until
from tests.fakes import FakeClock


async def test_a_timer_rides_out_what_passes() -> None:
    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        raise DatabaseUnavailableError

    running = asyncio.ensure_future(repeat(call, 0.001, what="gallery"))
    await until(lambda: calls > 3)
    running.cancel()


async def test_a_timer_lets_a_bug_through() -> None:
    async def call() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await repeat(call, 0.001, what="gallery")


async def test_work_that_is_this_workers_and_waits_too_long_is_seen(
    database: Database, clock: FakeClock
) -> None:
    mine = a_post(clock, 1)
    store(database, mine)
    with database.write() as connection:
        inbox.mark_produced(connection, [mine.key], clock.now())
    watchdog = Watchdog(database, clock, 120, lambda key: key == mine.key)
    others = Watchdog(database, clock, 120, lambda key: key != mine.key)
    for seconds, waits in ((119, False), (1, True)):
        clock.advance(seconds)
        await watchdog.look()
        await others.look()
        assert (watchdog.work_waits, others.work_waits) == (waits, False)
    assert watchdog.database_answers


class Broken:
    """A database that fails, or hangs until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.fails = True
        self.asked = 0

    def read(self) -> Any:
        self.asked += 1
        if not self.fails:
            self.let_go.wait(10)
        raise DatabaseUnavailableError


async def test_a_database_that_fails_or_hangs_is_taken_for_absent(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "ANSWER_SECONDS", 0.05)
    broken: Any = Broken()
    watchdog = Watchdog(broken, clock, 120, lambda _: True)
    await watchdog.look()
    assert not watchdog.database_answers
    watchdog.database_answers, broken.fails = True, False
    await watchdog.look()
    await watchdog.look()
    assert not watchdog.database_answers
    assert broken.asked == 2  # a question that hangs is not asked again
    broken.let_go.set()
    await watchdog.look()
