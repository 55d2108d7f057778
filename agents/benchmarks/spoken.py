"""Sentences that espeak-ng says, for measurements of speech."""

import shutil
import subprocess

import numpy as np
from numpy.typing import NDArray

from streams.errors import ConfigurationError

Samples = NDArray[np.float32]

_HEADER_BYTES, _RATE_HZ = 44, 22_050
"""Of the WAV files that espeak-ng writes."""


def say(voice: str, text: str, rate_hz: int) -> Samples:
    """Have a sentence said: mono in -1..1.

    Args:
        voice: one of espeak-ng's, such as `ko` or `en-us`.
        text: in its language.
        rate_hz: that the samples shall have.

    Raises:
        ConfigurationError: espeak-ng is not on this machine.
    """
    if shutil.which("espeak-ng") is None:
        raise ConfigurationError("espeak-ng is missing: apt-get install espeak-ng")
    command = ["espeak-ng", "-v", voice, "-s", "150", "--stdout", text]
    done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - our own words
    wave = done.stdout[_HEADER_BYTES:]
    samples = np.frombuffer(wave[: len(wave) // 2 * 2], np.int16) / np.float32(32768)
    places = np.arange(0, len(samples) - 1, _RATE_HZ / rate_hz)
    return np.asarray(np.interp(places, np.arange(len(samples)), samples), np.float32)
