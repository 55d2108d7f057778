"""`gpu_kernels.speech`, with the real model; espeak-ng speaks."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.benchmarks.spoken import say
from gpu_kernels.errors import ModelError
from gpu_kernels.registry import SPEECH
from gpu_kernels.speech import RATE_HZ, Samples, Segment, SpeechEngine, Transcript
from tests.weights import pulled_cache

SENTENCE = "My name is Jonathan and this is a secret video from London."
SEGMENT = Segment(
    text="해치공주", span=(1.0, 2.5), language="ko", no_speech=0.25, log_probability=-0.5
)
TRANSCRIPT = Transcript(segments=(SEGMENT, SEGMENT), until_seconds=60.0)


@pytest.fixture(scope="module")
def engine() -> SpeechEngine:
    return SpeechEngine(SPEECH.folder_in(pulled_cache(SPEECH)))


@pytest.fixture(scope="module")
def spoken() -> Samples:
    """An English sentence, at 16 kHz."""
    if shutil.which("espeak-ng") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("espeak-ng is missing")
        pytest.skip("espeak-ng is missing")
    return say("en-gb", SENTENCE, RATE_HZ)


def seconds(count: float) -> int:
    return int(count * RATE_HZ)


@pytest.mark.models
def test_english_is_written_down_where_korean_was_expected(
    engine: SpeechEngine, spoken: Samples
) -> None:
    silence = np.zeros(seconds(3), np.float32)
    found = engine.transcribe(np.concatenate([silence, spoken]), at_seconds=100)
    text = " ".join(segment.text for segment in found.segments).lower()
    assert "secret video" in text
    assert "jonathan" in text
    assert {segment.language for segment in found.segments} == {"en"}
    assert 101.5 < found.segments[0].span[0] < 104
    assert found.until_seconds == pytest.approx(103 + len(spoken) / RATE_HZ)


def _made(kind: str) -> Samples:
    rng = np.random.default_rng(4)
    times = np.arange(seconds(8)) / RATE_HZ
    sounds = {
        "nothing": np.zeros(0),
        "silence": np.zeros_like(times),
        "noise": 0.3 * rng.normal(size=len(times)),
        "rumble": (np.cumsum(rng.normal(size=len(times))) / 500).clip(-1, 1),
        "tones": 0.2 * np.sin(1400 * times) * (1 + np.sin(20 * times)),
        "no numbers": np.full_like(times, np.nan),
    }
    return np.asarray(sounds[kind], np.float32)


@pytest.mark.models
@pytest.mark.parametrize("kind", ["nothing", "silence", "noise", "rumble", "tones", "no numbers"])
def test_nothing_is_heard_where_nobody_speaks(engine: SpeechEngine, kind: str) -> None:
    assert engine.transcribe(_made(kind)).segments == ()


@pytest.mark.models
def test_a_spent_budget_ends_it_and_says_where(engine: SpeechEngine, spoken: Samples) -> None:
    pause = np.zeros(seconds(4), np.float32)
    found = engine.transcribe(np.concatenate([spoken, pause, spoken]), budget_seconds=0)
    assert len(found.segments) == 1
    assert found.until_seconds == found.segments[0].span[1] < len(spoken) / RATE_HZ + 4


@pytest.mark.models
def test_no_more_is_listened_to_than_asked_for(engine: SpeechEngine, spoken: Samples) -> None:
    found = engine.transcribe(spoken, max_seconds=0.5)
    assert found.until_seconds == 0.5
    assert "secret" not in " ".join(segment.text for segment in found.segments)


def test_a_missing_or_broken_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="haechi models pull"):
        SpeechEngine(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot load"):
        SpeechEngine(tmp_path)


@pytest.mark.parametrize("transcript", [TRANSCRIPT, Transcript()])
def test_a_transcript_comes_back_as_it_went(transcript: Transcript) -> None:
    assert Transcript.from_arrays(transcript.to_arrays()) == transcript


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("spans", np.zeros((1, 2), np.float32)),
        ("spans", np.array([[2, 1], [0, 1]], np.float32)),
        ("spans", np.full((2, 2), np.inf, np.float32)),
        ("languages", np.array([0, 9], np.uint8)),
        ("no_speech", np.zeros(2, np.float64)),
        ("log_probabilities", np.full(2, np.nan, np.float32)),
        ("until_seconds", np.zeros(0, np.float32)),
        ("ends", np.array([24, 12], np.int64)),
    ],
)
def test_what_is_no_transcript_is_refused(name: str, array: NDArray[Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each for its own reason
        Transcript.from_arrays(TRANSCRIPT.to_arrays() | {name: array})
