"""`agents.serving`."""

import aiohttp
import pytest

from agents.serving import Serving
from streams.errors import ConfigurationError


async def test_a_process_tells_why_it_is_not_ready() -> None:
    reasons: list[str] = []
    serving = Serving("127.0.0.1", 0, lambda: reasons)
    await serving.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{serving.port}") as session:
            async with session.get("/readyz") as answer:
                assert (answer.status, await answer.json()) == (
                    200,
                    {"ready": True, "reasons": []},
                )
            reasons.append("stuck")
            async with session.get("/readyz") as answer:
                assert (answer.status, (await answer.json())["reasons"]) == (503, ["stuck"])
            async with session.get("/healthz") as answer:
                assert answer.status == 200
            async with session.get("/metrics") as answer:
                assert "haechi_ready 0.0" in await answer.text()
    finally:
        await serving.stop()
        await serving.stop()


async def test_a_taken_port_is_said() -> None:
    first = Serving("127.0.0.1", 0, list)
    await first.start()
    second = Serving("127.0.0.1", first.port, list)
    try:
        with pytest.raises(ConfigurationError, match=str(first.port)):
            await second.start()
    finally:
        await first.stop()
        await second.stop()
