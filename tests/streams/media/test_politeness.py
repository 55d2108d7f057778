"""`streams.media.politeness`, beyond the contract in `tests/contracts/test_politeness.py`."""

from datetime import datetime

import pytest

from streams.media import politeness
from streams.media.politeness import LocalPoliteness


async def test_hosts_that_an_uploader_invents_are_forgotten() -> None:
    polite = LocalPoliteness()
    for number in range(50):
        async with polite.slot(f"{number}.example"):
            pass
    assert len(polite._lanes) == 0


async def test_hosts_still_in_their_pause_are_forgotten_when_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(politeness, "MAX_IDLE_LANES", 10)
    clock = Hands()
    polite = LocalPoliteness(4, 1.0, clock)
    for number in range(50):
        clock.at += 0.2
        async with polite.slot(f"{number}.example"):
            pass
    assert len(polite._lanes) <= 12


class Hands:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        raise NotImplementedError

    def monotonic(self) -> float:
        return self.at
