"""Invented tunes, and what uploaders do to a sound: nobody plays and nobody speaks."""

import random
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]
"""Shape (n,), -1..1, mono, at `RATE_HZ`."""

SoundEdit = Callable[[Samples, random.Random], Samples]
"""Takes a sound and where chance comes from; gives the edited copy."""

RATE_HZ = 16_000

_SCALES = ((0, 2, 4, 7, 9), (0, 3, 5, 7, 10), (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))
"""Semitones above the key: two of five notes, two of seven."""


def compose(seed: int, style: int, seconds: float) -> Samples:
    """Play a tune on three voices and a drum.

    Args:
        seed: of the notes.
        style: of tempo, key, scale and timbre; two tunes of one style sound like one band's.
        seconds: how long.
    """
    manner, notes = np.random.default_rng([7, style]), np.random.default_rng([11, seed])
    step = 60 / float(manner.uniform(100, 150)) / 2
    key, scale = float(manner.uniform(-5, 5)), _SCALES[manner.integers(len(_SCALES))]
    partials = manner.uniform(0.1, 0.7, 5).cumprod()
    sound = np.zeros(int(seconds * RATE_HZ), np.float32)
    for octave, steps in ((0, 4), (1, 2), (2, 1)):
        at = 0.0
        while at < seconds:
            length = step * steps * int(notes.integers(1, 3))
            pitch = key + 12 * octave + scale[notes.integers(len(scale))]
            _add(sound, at, 0.2 * _note(110 * 2 ** (pitch / 12), length, partials))
            at += length
    for at in np.arange(0, seconds, step * 2):
        if notes.random() < 0.7:
            _add(sound, float(at), 0.15 * _beat(notes))
    return np.asarray(sound / max(1.0, float(np.abs(sound).max())), np.float32)


def _note(pitch_hz: float, seconds: float, partials: NDArray[np.float64]) -> Samples:
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    wave = sum(
        (share * np.sin(2 * np.pi * pitch_hz * (number + 1) * time)
         for number, share in enumerate(partials)),
        start=np.zeros_like(time),
    )  # fmt: skip
    fading = np.minimum(1, time / 0.01) * np.exp(-3 * time / max(seconds, 0.01))
    return np.asarray(wave / partials.sum() * fading, np.float32)


def _beat(chance: np.random.Generator) -> Samples:
    time = np.arange(int(0.09 * RATE_HZ)) / RATE_HZ
    return np.asarray(chance.standard_normal(len(time)) * np.exp(-time / 0.02), np.float32)


def _add(sound: Samples, at_seconds: float, part: Samples) -> None:
    start = int(at_seconds * RATE_HZ)
    fitting = part[: max(0, len(sound) - start)]
    sound[start : start + len(fitting)] += fitting


def faster(sound: Samples, speed: float) -> Samples:
    """Play it as a tape that runs so much faster: higher, too."""
    places = np.arange(0, len(sound) - 1, speed)
    return np.asarray(np.interp(places, np.arange(len(sound)), sound), np.float32)


def compressed(sound: Samples, _chance: random.Random) -> Samples:
    """Leave it to the encoder, which gets few bits for every sound."""
    return sound


def excerpt(sound: Samples, chance: random.Random) -> Samples:
    """Cut out nine seconds."""
    length = min(len(sound), 9 * RATE_HZ)
    start = chance.randint(0, len(sound) - length)
    return sound[start : start + length]


def quicker(sound: Samples, chance: random.Random) -> Samples:
    """Play it 8 % faster or slower."""
    return faster(sound, chance.choice((1.08, 0.93)))


def noisy(sound: Samples, chance: random.Random) -> Samples:
    """Lay noise upon it, 8 dB below."""
    noise = np.random.default_rng(chance.getrandbits(32)).standard_normal(len(sound))
    level = float(np.sqrt(np.mean(sound**2))) * 10 ** (-8 / 20)
    return np.asarray(sound + level * noise, np.float32)


def telephone(sound: Samples, _chance: random.Random) -> Samples:
    """Keep 300 to 3,400 Hz."""
    spectrum = np.fft.rfft(sound)
    pitches = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    spectrum[(pitches < 300) | (pitches > 3400)] = 0
    return np.asarray(np.fft.irfft(spectrum, len(sound)), np.float32)


SOUND_EDITS: Mapping[str, SoundEdit] = {
    "compressed": compressed,
    "excerpt": excerpt,
    "quicker": quicker,
    "noisy": noisy,
    "telephone": telephone,
}
