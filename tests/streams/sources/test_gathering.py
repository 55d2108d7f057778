"""`streams.sources.gathering`."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

from streams.sources.gathering import GATHERED_EVENTS, Gathering, gathered
from streams.sources.source import EventKind, Passed, Rejected, SourcedItem
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def one(number: int, kind: EventKind = EventKind.OTHER) -> Passed:
    return Passed(cursor=str(number), counts={kind: 1}, at=NOW)


def test_what_passed_is_gathered_by_number(clock: FakeClock) -> None:
    gathering = Gathering(clock)
    given = [item for n in range(GATHERED_EVENTS + 1) for item in gathering.take(one(n))]
    assert given == [
        Passed(cursor=str(GATHERED_EVENTS - 1), counts={EventKind.OTHER: GATHERED_EVENTS}, at=NOW)
    ]
    assert list(gathering.rest()) == [
        Passed(cursor=str(GATHERED_EVENTS), counts={EventKind.OTHER: 1}, at=NOW)
    ]
    assert not list(gathering.rest())


def test_what_passed_is_given_after_a_moment_and_never_steps_back(clock: FakeClock) -> None:
    gathering = Gathering(clock)
    other = Rejected(cursor="7", reason="invalid_message", position=7)
    assert not list(gathering.take(one(1, EventKind.ACCOUNT)))
    assert list(gathering.take(other)) == [other]
    assert not list(gathering.due())
    clock.advance(1)
    given = [Passed(cursor="7", counts={EventKind.ACCOUNT: 1}, at=NOW)]
    assert list(gathering.due()) == given
    assert not list(gathering.due())


async def test_what_is_held_is_given_when_a_moment_went_by(clock: FakeClock) -> None:
    async def items() -> AsyncGenerator[SourcedItem | None, None]:
        yield Passed(cursor="1", counts={EventKind.OTHER: 1})
        yield None
        clock.advance(1)
        yield None
        yield Passed(cursor="2", counts={EventKind.OTHER: 1})

    given = [item.cursor async for item in gathered(items(), clock)]
    assert given == ["1"]
