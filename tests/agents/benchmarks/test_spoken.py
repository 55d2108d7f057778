"""`agents.benchmarks.spoken`: espeak-ng itself speaks."""

import shutil

import numpy as np
import pytest

from agents.benchmarks import spoken
from streams.errors import ConfigurationError
from tests.servers import missing


def test_a_sentence_lasts_as_long_at_every_rate() -> None:
    if shutil.which("espeak-ng") is None:
        missing("espeak-ng")
    low, high = (spoken.say("en-us", "The river is wide.", rate) for rate in (16_000, 44_100))
    assert len(low) / 16_000 == pytest.approx(len(high) / 44_100, abs=0.01)
    assert 0.5 < len(low) / 16_000 < 5
    assert 0.1 < float(np.abs(low).max()) <= 1


def test_without_espeak_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(ConfigurationError, match="apt-get install espeak-ng"):
        spoken.say("en-us", "Hello.", 16_000)
