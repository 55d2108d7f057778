"""`agents.notifying`."""

import asyncio

from agents.notifying import notify
from monitors.database import Database
from streams.clock import SystemClock


async def test_without_an_endpoint_there_is_nothing_to_do(database: Database) -> None:
    async with asyncio.timeout(5):
        await notify(database, (), SystemClock())
