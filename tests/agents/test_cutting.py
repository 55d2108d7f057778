"""`agents.cutting`: what is cut when, and what is waited for all the same."""

import asyncio
import time

import pytest

from agents.cutting import Cut, to_its_end


async def test_what_comes_after_the_cut_has_no_time_but_what_it_is_given() -> None:
    cut = Cut(0.0)
    with pytest.raises(TimeoutError):
        async with cut.timeout():
            await asyncio.sleep(5)
    async with cut.timeout(at_least=5):
        await asyncio.sleep(0.01)


async def test_without_seconds_nothing_is_cut() -> None:
    async with Cut(None).timeout():
        await asyncio.sleep(0.01)


async def test_a_change_under_way_is_waited_for_when_it_is_cut() -> None:
    done = []

    def change() -> None:
        time.sleep(0.1)
        done.append(1)

    with pytest.raises(TimeoutError):
        async with Cut(0.01).timeout():
            await to_its_end(change)
    assert done == [1]


async def test_a_change_that_fails_is_told() -> None:
    def change() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await to_its_end(change)
