"""Mel spectrograms as Resemblyzer's front end takes them: the power of librosa's default.

McFee et al., "librosa: Audio and Music Signal Analysis in Python", SciPy 2015. Frames of 25 ms
every 10 ms, centred, silence beyond both ends; Hann's window; forty triangles, evenly spaced on
Slaney's mel scale from 0 Hz to 8 kHz, each of equal area (Slaney, "Auditory Toolbox", 1998).
"""

from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]
"""Shape (n,), mono, 16 kHz, -1..1."""

RATE_HZ = 16000
FRAME = 400
"""Samples of one frame: 25 ms."""
HOP = 160
"""Samples from one frame to the next: 10 ms."""
CHANNELS = 40

_LINEAR_HZ = 1000.0
"""Up to which Slaney's scale is linear."""
_HZ_PER_MEL = 200.0 / 3
_LOG_STEP = np.log(6.4) / 27
"""Growth of the frequency by a mel above."""
_BLOCK = 2000
"""Frames transformed at once: 20 s take 7 MB."""


def mel_spectrogram(samples: Samples) -> NDArray[np.float32]:
    """Return the power in each mel channel, float32 (1 + n // 160, 40), not its logarithm."""
    padded = np.pad(samples.astype(np.float32), FRAME // 2)
    frames = sliding_window_view(padded, FRAME)[::HOP]
    window, filters = _window(), mel_filters().T
    power = (
        np.abs(np.fft.rfft(frames[start : start + _BLOCK] * window)) ** 2 @ filters
        for start in range(0, len(frames), _BLOCK)
    )
    return np.concatenate([block.astype(np.float32) for block in power])


@cache
def _window() -> NDArray[np.float32]:
    """Return Hann's window, the periodic one."""
    turns = np.arange(FRAME) / FRAME
    return (0.5 - 0.5 * np.cos(2 * np.pi * turns)).astype(np.float32)


@cache
def mel_filters() -> NDArray[np.float32]:
    """Return the triangles over the bins of the transform, float32 (40, 201)."""
    corners = mel_frequencies(CHANNELS + 2, RATE_HZ / 2)
    bins = np.arange(FRAME // 2 + 1) * (RATE_HZ / FRAME)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    filters = np.clip(np.minimum(rising, falling), 0, None) * (2 / (high - low))
    return filters.astype(np.float32)


def mel_frequencies(count: int, highest_hz: float) -> NDArray[np.float64]:
    """Return frequencies in Hz that are evenly spaced on Slaney's mel scale from 0 Hz."""
    linear = _LINEAR_HZ / _HZ_PER_MEL
    highest = highest_hz / _HZ_PER_MEL
    if highest_hz > _LINEAR_HZ:
        highest = linear + np.log(highest_hz / _LINEAR_HZ) / _LOG_STEP
    mels = np.linspace(0, highest, count)
    above = _LINEAR_HZ * np.exp(_LOG_STEP * (mels - linear))
    return np.where(mels < linear, mels * _HZ_PER_MEL, above)
