"""Voices that nobody has: vowels made of harmonics under formants."""

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.mel import RATE_HZ, Samples

_VOWELS = np.array(
    [[730, 1090, 2440], [270, 2290, 3010], [300, 870, 2240], [530, 1840, 2480], [570, 840, 2410]]
)
"""Formants in Hz: Peterson and Barney, "Control Methods Used in a Study of the Vowels", 1952."""
_SYLLABLE_SECONDS = 0.22


def vowels(pitch_hz: float, seconds: float, *, seed: int, tract: float = 1.0) -> Samples:
    """Say random vowels, a new one every 0.22 s.

    Args:
        pitch_hz: of the voice; it sways by a tenth.
        seconds: for how long.
        seed: of the choice of vowels.
        tract: by how much the formants are higher: a shorter throat.
    """
    generator = np.random.default_rng(seed)
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    pitch = pitch_hz * (1 + 0.08 * np.sin(13.2 * at) + 0.02 * np.sin(33.3 * at))
    turns = np.cumsum(pitch) / RATE_HZ
    syllable = (at / _SYLLABLE_SECONDS).astype(int)
    formants = tract * _VOWELS[generator.integers(0, 5, syllable.max() + 1)][syllable]
    sound = np.zeros(len(at))
    for harmonic in range(1, int(RATE_HZ / 2 / pitch.max())):
        loudness = _resonance(harmonic * pitch, formants) / harmonic
        sound += loudness * np.sin(2 * np.pi * (harmonic * turns + generator.uniform()))
    sound *= np.sin(np.pi * (at / _SYLLABLE_SECONDS % 1)) ** 0.3
    sound *= 0.1 / sound.std()
    sound += 1e-3 * generator.standard_normal(len(at))
    return np.clip(sound, -1, 1).astype(np.float32)


def _resonance(
    frequency: NDArray[np.float64], formants: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the gain of three resonators in a row: Klatt, JASA 1980."""
    width = np.array([80.0, 90.0, 120.0])
    f = frequency[:, None]
    gains = formants**2 / np.hypot(formants**2 - f**2, width * f)
    return np.asarray(gains.prod(axis=1))
