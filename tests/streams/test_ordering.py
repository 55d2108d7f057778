"""`streams.ordering`."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing

from streams.ordering import in_order


async def test_results_come_in_order_however_long_each_takes() -> None:
    async def work(item: int) -> int:
        await asyncio.sleep(0.01 if item % 3 == 0 else 0)
        return item

    assert [one async for one in in_order(work, range(10), 4)] == list(range(10))


async def test_only_a_window_of_items_is_under_way() -> None:
    drawn = 0

    def items() -> Iterator[int]:
        nonlocal drawn
        for number in range(50):
            drawn += 1
            yield number

    async def work(item: int) -> int:
        await asyncio.sleep(0)
        return item

    most = done = 0
    async for _ in in_order(work, items(), 5):
        done += 1
        most = max(most, drawn - done)
    assert done == 50
    assert most <= 5


async def test_what_is_left_early_is_cancelled_and_waited_for() -> None:
    cleaned = []

    async def work(item: int) -> int:
        try:
            await asyncio.sleep(30 * item)
        finally:
            cleaned.append(item)
        return item

    async with aclosing(in_order(work, range(9), 3)) as results:
        async for _ in results:
            break
    assert sorted(cleaned) == [0, 1, 2]
