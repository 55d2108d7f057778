"""`agents.benchmarks.speed`, on a clip of two seconds."""

import numpy as np
import pytest

from agents.benchmarks import speed
from streams.settings import Settings
from tests.weights import pulled


@pytest.mark.models
def test_a_scan_takes_longer_than_its_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    pulled()
    monkeypatch.setattr(speed, "SECONDS", 2)
    monkeypatch.setattr(speed, "RATE", 10)
    monkeypatch.setattr(speed, "_TIMES", 1)
    told: list[str] = []
    found = speed.measure_speed(Settings(), 1, told.append).to_json()
    assert 0 < found["decode_seconds"] < found["words_seconds"]
    assert {"decode", "dense"} <= set(found["steps"])
    assert min(found["engine_seconds"], found["parent_mb"], found["child_mb"]) > 0
    assert sum(found["shares"].values()) == pytest.approx(1)
    assert told


def test_one_sentence_is_said_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        speed, "say", lambda voice, _text, _rate: np.full(3, len(voice), np.float32)
    )
    assert speed._talk(1.4, 5).tolist() == [5, 5, 5, 2, 2, 2, 5]
