"""Searches carried out: every source and the look-back at once, into the ordinary pipeline.

What a source finds goes through the same inbox, the same inspection and the same uniqueness as
what streams give; a search only watches until all of it has ended, or its deadline comes.
"""

import asyncio

import structlog

from agents.one_search import OneSearch, SearchDesk
from monitors import searches
from monitors.searches import Search
from streams.errors import StreamError, TransientError

log = structlog.get_logger()

POLL_SECONDS = 0.5
MAX_AT_ONCE = 4
"""Searches carried out at once by one collector; further ones wait for their turn."""

ACTOR = "haechi"
"""Asks for the look-back that follows a new reference or keyword."""


class Searching:
    """Takes searches and carries them out, for ever.

    Args:
        desk: see `SearchDesk`.
    """

    def __init__(self, desk: SearchDesk) -> None:
        self._desk = desk
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Carry out searches until cancelled."""
        try:
            while True:
                await self._take_patiently()
                await asyncio.sleep(POLL_SECONDS)
        finally:
            for running in self._running:
                running.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _take_patiently(self) -> None:
        try:
            while len(self._running) < MAX_AT_ONCE:
                search = await asyncio.to_thread(self._take)
                if search is None:
                    return
                running = asyncio.ensure_future(self._carry_out(search))
                self._running.add(running)
                running.add_done_callback(self._running.discard)
        except TransientError as error:
            log.warning("searches wait", reason=error.reason)

    def _take(self) -> Search | None:
        desk, now = self._desk, self._desk.clock.now()
        with desk.database.write() as connection:
            if desk.look_back is not None:
                searches.ask_what_is_new(connection, actor=ACTOR, now=now, seconds=desk.seconds)
            return searches.take(connection, desk.intake.owner, now)

    async def _carry_out(self, search: Search) -> None:
        try:
            await OneSearch(self._desk, search).run()
        except StreamError as error:  # its lease ends, and it is taken up again
            log.warning("search interrupted", search=search.id, reason=error.reason)
