"""`gpu_kernels.mel`: against slow loops over its definition, and numbers that librosa publishes."""

import cmath
import math

import numpy as np
import pytest

from gpu_kernels.mel import CHANNELS, FRAME, HOP, mel_filters, mel_frequencies, mel_spectrogram


def test_the_scale_is_the_one_that_librosa_publishes() -> None:
    # The example of librosa.mel_frequencies(n_mels=40), from 0 to 11025 Hz, in its documentation.
    found = mel_frequencies(40, 11025.0)
    expected = [0, 85.317, 170.635, 255.952, 341.269, 426.586, 511.904, 597.221, 682.538, 767.855]
    np.testing.assert_allclose(found[:10], expected, atol=1e-3)
    np.testing.assert_allclose(found[12:16], [1024.856, 1119.114, 1222.042, 1334.436], atol=1e-3)
    assert found[-1] == pytest.approx(11025)


def hz_of(mel: float) -> float:
    return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def slow_filter(channel: int, frequency: float) -> float:
    """Slaney's triangle of a channel at a frequency; 42 corners from 0 Hz to 8 kHz."""
    top = 15 + 27 * math.log(8) / math.log(6.4)
    low, middle, high = (hz_of(top * (channel + k) / (CHANNELS + 1)) for k in range(3))
    if not low < frequency < high:
        return 0.0
    up, down = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
    return min(up, down) * 2 / (high - low)


def test_the_filters_are_slaneys_triangles() -> None:
    expected = [[slow_filter(c, 40.0 * k) for k in range(201)] for c in range(CHANNELS)]
    np.testing.assert_allclose(mel_filters(), expected, atol=1e-7)


def slow_power(frame: np.ndarray, k: int) -> float:
    total = 0j
    for n, sample in enumerate(frame):
        window = 0.5 - 0.5 * math.cos(2 * math.pi * n / FRAME)
        total += float(sample) * window * cmath.exp(-2j * math.pi * k * n / FRAME)
    return abs(total) ** 2


@pytest.mark.parametrize("index", [0, 3, 9])
def test_a_frame_is_the_power_under_each_filter(index: int) -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 9 * HOP).astype(np.float32)
    padded = np.pad(samples, FRAME // 2)
    powers = [slow_power(padded[index * HOP : index * HOP + FRAME], k) for k in range(201)]
    expected = [
        sum(slow_filter(channel, 40.0 * k) * power for k, power in enumerate(powers))
        for channel in range(CHANNELS)
    ]
    np.testing.assert_allclose(mel_spectrogram(samples)[index], expected, rtol=1e-4)


@pytest.mark.parametrize("length", [0, 1, 159, 160, 5000])
def test_there_is_a_frame_every_ten_milliseconds(length: int) -> None:
    assert mel_spectrogram(np.zeros(length, np.float32)).shape == (1 + length // HOP, CHANNELS)


def test_a_long_recording_is_the_same_in_blocks() -> None:
    samples = np.random.default_rng(2).uniform(-1, 1, 2100 * HOP).astype(np.float32)
    whole, end = mel_spectrogram(samples), mel_spectrogram(samples[1900 * HOP :])
    np.testing.assert_allclose(whole[1905:], end[5:], rtol=1e-4)
