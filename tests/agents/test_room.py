"""`agents.room`: no more than there is, first come first served, and nothing is lost."""

import asyncio

import pytest

from agents.room import Room


async def test_no_more_is_taken_than_there_is_and_in_order() -> None:
    room, order = Room(10), list[str]()

    async def stay(name: str, size: int) -> None:
        place = await room.take(size)
        order.append(name)
        await asyncio.sleep(0.01)
        order.append(f"-{name}")
        place.leave()
        place.leave()

    await asyncio.gather(stay("a", 6), stay("big", 10), stay("small", 1))
    assert order == ["a", "-a", "big", "-big", "small", "-small"]


async def test_what_is_not_needed_any_more_is_others() -> None:
    room = Room(10)
    first = await room.take(10)
    first.shrink_to(3)
    first.shrink_to(8)
    async with asyncio.timeout(1):
        await room.take(7)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await room.take(1)


async def test_who_gives_up_waiting_keeps_nobody_waiting() -> None:
    room = Room(10)
    first = await room.take(10)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await room.take(5)
    first.leave()
    async with asyncio.timeout(1):
        await room.take(10)


async def test_what_is_larger_than_the_room_has_all_of_it() -> None:
    async with asyncio.timeout(1):
        (await Room(10).take(11)).leave()
