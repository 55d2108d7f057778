"""The end of a medium's time, at which the step under way is cut."""

import asyncio
from collections.abc import Callable


class Cut:
    """When a medium's steps are cut. Made in the event loop.

    Args:
        seconds: from now; None: never.
    """

    def __init__(self, seconds: float | None) -> None:
        self._at = None if seconds is None else asyncio.get_running_loop().time() + seconds

    def timeout(self, at_least: float = 0.0) -> asyncio.Timeout:
        """Limit a step until then, or for so many seconds where that is longer."""
        if self._at is None:
            return asyncio.timeout(None)
        return asyncio.timeout_at(max(self._at, asyncio.get_running_loop().time() + at_least))


async def to_its_end(change: Callable[[], None]) -> None:
    """Run in a thread, and wait for it also when cut: what it changes is read next."""
    running = asyncio.ensure_future(asyncio.to_thread(change))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.gather(running, return_exceptions=True)
        raise
