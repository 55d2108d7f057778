"""Tunes are drawn from a seed, and their edits are of the kind that they claim."""

import random

import numpy as np
import pytest

from agents.demo.tunes import RATE_HZ, SOUND_EDITS, Samples, compose, faster
from gpu_kernels.sound import fingerprint_sound
from gpu_kernels.sound_search import SoundGallery

SECONDS = 20.0


def test_a_seed_and_a_style_make_a_tune() -> None:
    assert np.array_equal(compose(1, 2, 3.0), compose(1, 2, 3.0))
    assert not np.array_equal(compose(1, 2, 3.0), compose(3, 2, 3.0))
    tune = compose(1, 2, 3.0)
    assert tune.dtype == np.float32
    assert len(tune) == 3 * RATE_HZ
    assert 0.1 < float(np.abs(tune).max()) <= 1


@pytest.mark.parametrize("speed", [0.93, 1.2])
def test_a_faster_tape_is_shorter_and_higher(speed: float) -> None:
    pitch_hz = 400.0
    tone = np.sin(2 * np.pi * pitch_hz * np.arange(2 * RATE_HZ) / RATE_HZ).astype(np.float32)
    changed = faster(tone, speed)
    assert len(changed) / len(tone) == pytest.approx(1 / speed, rel=0.001)
    loudest = np.argmax(np.abs(np.fft.rfft(changed))) * RATE_HZ / len(changed)
    assert loudest == pytest.approx(pitch_hz * speed, rel=0.01)


@pytest.fixture(scope="module")
def gallery() -> SoundGallery:
    gallery = SoundGallery()
    gallery.add(0, fingerprint_sound(compose(1, 5, SECONDS)))
    return gallery


def likeness(gallery: SoundGallery, sound: Samples) -> float:
    found = gallery.search(fingerprint_sound(sound), 1, below=1, thorough=True)
    return max((one.match.similarity for one in found), default=0.0)


@pytest.mark.parametrize("edit", sorted(SOUND_EDITS))
def test_an_edited_tune_is_more_like_its_original_than_another_of_its_style(
    gallery: SoundGallery, edit: str
) -> None:
    change = SOUND_EDITS[edit]
    copy = likeness(gallery, change(compose(1, 5, SECONDS), random.Random(3)))
    other = likeness(gallery, change(compose(9, 5, SECONDS), random.Random(3)))
    assert copy > other + 0.15
