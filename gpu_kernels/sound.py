"""A sound's fingerprint: how its spectrum moves, in bands one semitone wide."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
"""The only sampling rate that is taken."""

SOUND_SPACE = "sound/1/numpy/i8"
"""Changes with anything that changes the numbers below: fingerprints of two spaces never meet."""

HOP = 1_280
"""Samples between two frames."""
FRAMES_PER_SECOND = RATE_HZ / HOP
BANDS = 62
"""One semitone each, from 110 Hz to 3,730 Hz: about what a telephone lets through."""

_LOWEST_HZ = 110.0
_WINDOW = 4_096
"""Samples in a frame, 256 ms under a Hann window: a frame's neighbours overlap by two thirds, so
that half a hop between copy and reference costs little."""
_PER_OCTAVE = 12
_COMPRESSION = 0.3
"""Power that a band's power is raised to, after division by the sound's level around it. Against
the logarithm it let 0 dB of noise through (hard set, half 0: 80% to 100% found)."""
_FLOOR = 1e-3
"""Of the level around a frame; what lies below it is taken for silence."""
_LEVEL_SECONDS = 4.0
_TREND_SECONDS = 4.0
_ENVELOPE_BANDS = 3
"""Bands either side whose mean is taken off: what is left is the voice's pitch and the music's
notes rather than the loudspeaker, or the vowel that another take of a sentence shares."""
_QUIET_DB = 25.0
"""A frame so far below the level around it weighs nothing."""
_SILENCE = 1e-9
"""Mean power of a band that counts as silence: about -75 dB of full scale in all."""
_PEAK = 3.0
"""Deviations of its frame at which a band is cut off."""

_MIN_MOVEMENT = 0.025
"""Root mean square over a frame's bands; a steady tone or hum moves less than a third of it."""
_MIN_VARIETY = 3.0
"""Spectra that a stretch must be made of; see `_variety`. A beat or a two-tone siren has fewer."""
_VARIETY_FRAMES = 64
_BLOCK_FRAMES = 512

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SoundFingerprint:
    """What is kept of a sound. The arrays are the holder's own and must not be written to.

    Args:
        space: in which it may be compared.
        bands: int8 (n, 62), a frame's spectrum without its surroundings, scaled to its own peak.
            Frame i is centred on sample i * 1,280.
        weights: uint8 (n,), how much a frame counts; 0: quiet, steady or monotonous.
    """

    space: str
    bands: NDArray[np.int8]
    weights: NDArray[np.uint8]

    @property
    def seconds(self) -> float:
        """Tell how long the sound is."""
        return len(self.weights) / FRAMES_PER_SECOND

    @property
    def usable_seconds(self) -> float:
        """Tell how much of it can be compared at all."""
        return int(np.count_nonzero(self.weights)) / FRAMES_PER_SECOND

    def frames(self) -> tuple[Floats, Floats]:
        """Return rows (n, 62) of the length of their weight, and the weights (n,) in 0..1."""
        weights = self.weights.astype(np.float32) / np.float32(255)
        return scaled_rows(self.bands.astype(np.float32), weights), weights

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give it as plain arrays; see `from_arrays`."""
        space = np.frombuffer(self.space.encode(), np.uint8)
        return {"space": space, "bands": self.bands, "weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Read what `to_arrays` gave; the arrays are kept, not copied.

        Raises:
            ValueError: it is something else.
        """
        try:
            space, bands, weights = (arrays[name] for name in ("space", "bands", "weights"))
        except KeyError as error:
            raise ValueError("a sound's fingerprint lacks an array") from error
        if len(arrays) != 3 or space.tobytes() != SOUND_SPACE.encode():
            raise ValueError("a sound's fingerprint of another space")
        if bands.dtype != np.int8 or weights.dtype != np.uint8:
            raise ValueError("a sound's arrays are of the wrong type")
        if weights.ndim != 1 or bands.shape != (len(weights), BANDS):
            raise ValueError("bands and weights do not fit together")
        return cls(space=SOUND_SPACE, bands=bands, weights=weights)


def fingerprint_sound(samples: NDArray[np.float32], rate_hz: int = RATE_HZ) -> SoundFingerprint:
    """Fingerprint a sound; of any length, and whatever is in it.

    Needs up to 65 MB beside 20 minutes of samples; see docs/sound.md.

    Args:
        samples: float32 (n,), full scale -1..1; what is not finite counts as silence.
        rate_hz: of the samples.

    Raises:
        ValueError: another rate than 16 kHz, or more than one channel.
    """
    if rate_hz != RATE_HZ or samples.ndim != 1:
        raise ValueError(f"sound of {rate_hz} Hz and {samples.ndim} dimensions: not 16 kHz mono")
    power = _band_powers(samples)
    total = power.mean(axis=1, dtype=np.float32)
    level = _local_mean(total[:, None], _frames(_LEVEL_SECONDS))[:, 0] + np.float32(_SILENCE)
    shape = (power / level[:, None] + np.float32(_FLOOR)) ** np.float32(_COMPRESSION)
    shape -= _local_mean(shape, _frames(_TREND_SECONDS))
    shape -= _local_mean(shape.T, _ENVELOPE_BANDS).T
    movement = np.sqrt((shape**2).mean(axis=1))
    limit = np.float32(_PEAK) * movement[:, None]
    shape = np.clip(shape, -limit, limit)
    loudness = 1 + 10 * np.log10(total / level + np.float32(1e-9)) / _QUIET_DB
    weights = np.where((movement >= _MIN_MOVEMENT) & (total > _SILENCE), loudness, 0).clip(0, 1)
    rows = scaled_rows(shape, weights.astype(np.float32))
    weights[~_is_varied(rows)] = 0
    peak = np.abs(shape).max(axis=1, initial=0.0, keepdims=True)
    bands = np.rint(shape * (127 / np.maximum(peak, 1e-9)))
    return SoundFingerprint(
        space=SOUND_SPACE,
        bands=bands.astype(np.int8),
        weights=np.rint(weights * 255).astype(np.uint8),
    )


def scaled_rows(rows: Floats, lengths: Floats) -> Floats:
    """Give rows (n, m) lengths (n,); a row of zeros stays one."""
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    scaled: Floats = rows * (lengths / np.maximum(norms, np.float32(1e-6)))[:, None]
    return scaled


def _frames(seconds: float) -> int:
    """Tell the frames either side that make a stretch of so many seconds."""
    return round(seconds * FRAMES_PER_SECOND / 2)


def _band_powers(samples: NDArray[np.float32]) -> Floats:
    """Return the mean power in each band, float32 (frames, 62), a block of frames at a time."""
    count = -(-len(samples) // HOP)
    taper = np.hanning(_WINDOW).astype(np.float32)
    powers = np.zeros((count, BANDS), np.float32)
    for first in range(0, count, _BLOCK_FRAMES):
        last = min(first + _BLOCK_FRAMES, count)
        start = first * HOP - _WINDOW // 2
        block = _clean(samples, start, (last - 1) * HOP + _WINDOW // 2)
        frames = np.lib.stride_tricks.sliding_window_view(block, _WINDOW)[::HOP]
        spectra = np.fft.rfft(frames * taper, axis=1)
        powers[first:last] = (spectra.real**2 + spectra.imag**2) @ _filters()
    return powers


def _clean(samples: NDArray[np.float32], start: int, end: int) -> Floats:
    """Cut samples out, with silence beyond the ends and for what is no number."""
    part = samples[max(0, start) : max(0, end)].astype(np.float32)
    part = np.where(np.isfinite(part), part, 0).clip(-8, 8)
    return np.pad(part, (max(0, -start), end - max(0, start) - len(part)))


@cache
def _filters() -> Floats:
    """Return triangles over the spectrum's lines, float32 (2,049, 62), each of sum 1 / 1,024^2.

    At least a line wide either side: below 230 Hz lines are further apart than semitones.
    """
    hertz = np.fft.rfftfreq(_WINDOW, 1 / RATE_HZ)
    semitones = np.log2(np.maximum(hertz, 1) / _LOWEST_HZ) * _PER_OCTAVE
    centres = np.arange(BANDS)
    step = _LOWEST_HZ * 2 ** (centres / _PER_OCTAVE) * (2 ** (1 / _PER_OCTAVE) - 1)
    widths = np.maximum(1.0, RATE_HZ / _WINDOW / step)
    triangles = np.maximum(0, 1 - np.abs(semitones[:, None] - centres) / widths)
    scale = triangles.sum(axis=0) * (_WINDOW / 4) ** 2
    filters: Floats = (triangles / scale).astype(np.float32)
    return filters


def _local_mean(rows: Floats, around: int) -> Floats:
    """Average each row with so many before and after it; at the ends, with those there are."""
    count = len(rows)
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0, dtype=np.float64)])
    first = np.maximum(0, np.arange(count) - around)
    last = np.minimum(count, np.arange(count) + around + 1)
    means = (sums[last] - sums[first]) / (last - first)[:, None]
    averaged: Floats = means.astype(np.float32)
    return averaged


def _is_varied(rows: Floats) -> NDArray[np.bool_]:
    """Mark the frames that lie in some stretch of sufficient variety, bool (n,)."""
    varied = np.zeros(len(rows), bool)
    for start in range(0, max(1, len(rows) - _VARIETY_FRAMES // 2), _VARIETY_FRAMES // 2):
        stretch = slice(start, start + _VARIETY_FRAMES)
        if _variety(rows[stretch]) >= _MIN_VARIETY:
            varied[stretch] = True
    return varied


def _variety(rows: Floats) -> float:
    """Count the spectra that make up a stretch: the participation ratio of its principal parts.

    1 where every frame is a multiple of one spectrum, 62 for noise.
    """
    products = rows.T @ rows
    square = float((products**2).sum())
    return float(np.trace(products)) ** 2 / square if square > 0 else 0.0
