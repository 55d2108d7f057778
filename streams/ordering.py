"""Several things under way at once, their results in order."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def in_order(
    work: Callable[[Item], Awaitable[Result]], items: Iterable[Item], window: int
) -> AsyncGenerator[Result, None]:
    """Do `work` on up to `window` items at once; yield in the order of the items.

    What ends this early cancels what is under way, and waits for it.

    Args:
        work: raises what ends it all.
        items: drawn as they are needed.
        window: how many.
    """
    waiting: deque[asyncio.Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(asyncio.ensure_future(work(item)))
            if len(waiting) >= window:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for left in waiting:
            left.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
