"""`agents.shell`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from agents import shell as shell_module
from agents.shell import Shell, Stop
from monitors.dead_letters import DeadLetter
from monitors.health import Progress
from streams.errors import (
    DatabaseUnavailableError,
    InvalidMessageError,
    ModelError,
    StreamError,
)
from streams.schemas import Record
from streams.types import PostKey
from tests.fakes import FakeClock

KEY = "0123456789abcdef" * 2


class Number(Record):
    """A record of these tests."""

    value: int


def events(*values: object, key: bytes | None = KEY.encode()) -> list[Any]:
    return [
        SimpleNamespace(
            value=value if isinstance(value, bytes) else Number(value=value).to_bytes(),
            message=SimpleNamespace(
                topic="haechi.posts.v1", partition=3, offset=10 + position, key=key
            ),
        )
        for position, value in enumerate(values)
    ]


class Letters:
    """Where dead letters go in these tests."""

    def __init__(self) -> None:
        self.written: list[tuple[DeadLetter, PostKey | None]] = []
        self.failures = 0

    async def __call__(self, letter: DeadLetter, key: PostKey | None) -> None:
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailableError
        self.written.append((letter, key))


class Effects:
    """What steps took and emits made."""

    def __init__(self) -> None:
        self.taken: list[list[int]] = []
        self.made: list[int] = []

    async def step(self, records: Sequence[Number]) -> list[int]:
        self.taken.append([record.value for record in records])
        return [10 * record.value for record in records]

    async def emit(self, results: list[int]) -> None:
        self.made.extend(results)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell_module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(shell_module, "LONGEST_PAUSE_SECONDS", 0.004)


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
def effects() -> Effects:
    return Effects()


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture
def shell(letters: Letters, stop: Stop, clock: FakeClock) -> Shell[Number]:
    return Shell(
        "triage",
        record=Number,
        set_aside=letters,
        epoch="haechi-1",
        max_in_a_row=3,
        progress=Progress(clock),
        stop=stop,
    )


def poisoned(
    effects: Effects, value: int, error: Exception
) -> Callable[[Sequence[Number]], Awaitable[list[int]]]:
    async def step(records: Sequence[Number]) -> list[int]:
        results = await effects.step(records)
        if value in [record.value for record in records]:
            raise error
        return results

    return step


async def test_a_batch_is_one_call_of_its_step(shell: Shell[Number], effects: Effects) -> None:
    await shell.run(events(1, 2, 3), effects.step, effects.emit)
    assert effects.taken == [[1, 2, 3]]
    assert effects.made == [10, 20, 30]


async def test_an_unreadable_message_is_set_aside_and_the_rest_goes_on(
    shell: Shell[Number], effects: Effects, letters: Letters
) -> None:
    await shell.run(events(1, b"{not json", 3), effects.step, effects.emit)
    assert effects.made == [10, 30]
    [(letter, key)] = letters.written
    assert letter == DeadLetter(
        epoch="haechi-1",
        topic="haechi.posts.v1",
        partition=3,
        offset=11,
        agent="triage",
        reason="invalid_message",
        error="InvalidMessageError",
    )
    assert key == KEY


async def test_an_oversized_message_is_set_aside(
    shell: Shell[Number], effects: Effects, letters: Letters
) -> None:
    await shell.run(events(b" " * (2 * 2**20)), effects.step, effects.emit)
    assert letters.written[0][0].reason == "oversized_message"


@pytest.mark.parametrize("key", [None, b"not a post's key", b"\xff" * 32])
async def test_a_key_that_names_no_post_ends_none(
    shell: Shell[Number], effects: Effects, letters: Letters, key: bytes | None
) -> None:
    await shell.run(events(b"", key=key), effects.step, effects.emit)
    assert letters.written[0][1] is None


async def test_a_poison_item_takes_no_other_with_it_and_gets_two_tries_alone(
    shell: Shell[Number], effects: Effects, letters: Letters
) -> None:
    step = poisoned(effects, 2, ZeroDivisionError())
    await shell.run(events(1, 2, 3), step, effects.emit)
    assert effects.made == [10, 30]
    assert effects.taken == [[1, 2, 3], [1], [2], [2], [3]]
    [(letter, _)] = letters.written
    assert (letter.offset, letter.reason, letter.error) == (11, "bug", "ZeroDivisionError")


async def test_what_is_invalid_gets_no_second_try(
    shell: Shell[Number], effects: Effects, letters: Letters
) -> None:
    step = poisoned(effects, 2, InvalidMessageError("no"))
    await shell.run(events(2), step, effects.emit)
    assert effects.taken == [[2]]
    assert letters.written[0][0].reason == "invalid_message"


async def test_a_bug_that_does_not_come_back_is_forgiven(
    shell: Shell[Number], effects: Effects, letters: Letters
) -> None:
    async def emit(results: list[int]) -> None:
        if not effects.made:
            effects.made.append(-1)
            raise ZeroDivisionError
        await effects.emit(results)

    await shell.run(events(1), effects.step, emit)
    assert effects.made == [-1, 10]
    assert letters.written == []


@pytest.mark.parametrize("error", [DatabaseUnavailableError("locked"), ModelError("gone")])
async def test_a_failure_that_may_pass_is_retried_until_it_does_without_doing_the_step_again(
    shell: Shell[Number], effects: Effects, letters: Letters, error: StreamError
) -> None:
    left = 25

    async def emit(results: list[int]) -> None:
        nonlocal left
        if left:
            left -= 1
            raise error
        await effects.emit(results)

    await shell.run(events(1, 2), effects.step, emit)
    assert (effects.made, effects.taken) == ([10, 20], [[1, 2]])
    assert letters.written == []


async def test_a_dead_letter_waits_for_its_database(
    shell: Shell[Number], effects: Effects, letters: Letters
) -> None:
    letters.failures = 5
    await shell.run(events(b"x"), effects.step, effects.emit)
    assert len(letters.written) == 1


async def test_a_flood_holds_the_batch_and_says_so(
    shell: Shell[Number], effects: Effects, letters: Letters, stop: Stop
) -> None:
    running = asyncio.ensure_future(shell.run(events(*[b"x"] * 5), effects.step, effects.emit))
    await asyncio.sleep(0.1)
    assert shell.progress.flooded
    assert not running.done()
    assert len(letters.written) == 3
    stop.set()
    await running
    assert len(letters.written) == 3


async def test_one_success_ends_the_row_of_failures(
    shell: Shell[Number], effects: Effects, letters: Letters
) -> None:
    for _ in range(4):
        await shell.run(events(b"x", b"x"), effects.step, effects.emit)
        await shell.run(events(1), effects.step, effects.emit)
    assert len(letters.written) == 8
    assert not shell.progress.flooded


async def test_a_stop_ends_the_waiting_at_once(
    shell: Shell[Number], effects: Effects, stop: Stop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_module, "FIRST_PAUSE_SECONDS", 60)

    async def emit(_: list[int]) -> None:
        stop.set()
        raise DatabaseUnavailableError

    async with asyncio.timeout(5):
        await shell.run(events(1), effects.step, emit)


async def test_a_cancellation_passes(shell: Shell[Number], effects: Effects) -> None:
    async def forever(_: list[int]) -> None:
        await asyncio.Event().wait()

    running = asyncio.ensure_future(shell.run(events(1), effects.step, forever))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_batch_in_hand_is_seen_by_the_watchdog(
    shell: Shell[Number], effects: Effects, clock: FakeClock
) -> None:
    async def emit(_: list[int]) -> None:
        clock.advance(7)
        assert shell.progress.busy_seconds == 7

    await shell.run(events(1), effects.step, emit)
    assert shell.progress.busy_seconds == 0
    clock.advance(3)
    assert shell.progress.idle_seconds == 3
