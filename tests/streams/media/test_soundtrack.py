"""`streams.media.soundtrack`: every sound, at its time."""

import numpy as np
import pytest

from agents.benchmarks.hostile_media import (
    FILMS,
    SOUNDS,
)
from streams.types import Look, MediaKind
from tests.streams.media.seeing import Kept, good_films, look


@pytest.fixture(scope="module")
def films() -> dict[str, bytes]:
    return good_films()


LOUD = sorted(name for name, recipe in (FILMS | SOUNDS).items() if recipe.audio)


@pytest.mark.parametrize("name", LOUD)
def test_each_sound_is_heard_at_its_time(films: dict[str, bytes], name: str) -> None:
    kept, summary = look(films[name], Look(sound=True))
    assert summary.has_sound
    assert summary.kind == (MediaKind.VIDEO if name in FILMS else MediaKind.AUDIO)
    assert kept.seconds == pytest.approx(4.0, abs=0.1)
    assert kept.sound_at == pytest.approx(0.0, abs=0.1)
    assert 4000 < np.abs(kept.samples[8000:48000]).mean() < 14_000
    assert pitch(kept, 1.0) == pytest.approx(450, abs=60)
    assert pitch(kept, 3.0) == pytest.approx(750, abs=60)


def pitch(kept: Kept, at_seconds: float) -> float:
    """Tell the pitch in Hz around a moment of the medium; it climbs by 150 Hz a second."""
    start = round((at_seconds - kept.sound_at) * 16_000) - 1600
    part = kept.samples[start : start + 3200].astype(float)
    return float(np.abs(np.fft.rfft(part * np.hanning(len(part)))).argmax() * 5)


@pytest.mark.parametrize("name", sorted(set(LOUD) - {"vorbis", "vorbis film"}))
def test_a_part_of_a_sound_keeps_its_time(films: dict[str, bytes], name: str) -> None:
    asked = Look(start_seconds=2.0, seconds=1.2, sound=True)
    kept, summary = look(films[name], asked)
    assert kept.sound_at == pytest.approx(2.0, abs=0.15)
    assert kept.seconds == pytest.approx(1.2, abs=0.15)
    assert pitch(kept, 2.6) == pytest.approx(690, abs=60)
    assert summary.looked_until_seconds == pytest.approx(3.2, abs=0.15)
    if summary.kind is MediaKind.AUDIO:
        assert not summary.reached_end
        assert look(films[name], Look(sound=True))[1].reached_end


def test_a_sound_that_nobody_asked_for_is_tried_and_left(films: dict[str, bytes]) -> None:
    kept, summary = look(films["mp3"], Look())
    assert (summary.kind, summary.has_sound, kept.seconds) == (MediaKind.AUDIO, True, 0)
    assert summary.duration_seconds == pytest.approx(4.0, abs=0.1)
