"""Measure how alike recordings are: `python -m tests.benchmarks.measure_voices FOLDER…`.

A folder a speaker, of WAV files (mono, 8 or 16 kHz), such as Debian's asterisk-core-sounds-fr-wav,
-it-wav and -ru-wav unpack to. Files are joined, in a shuffled order, to eight recordings of 20 s.
"""

import argparse
import itertools
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gpu_kernels.mel import RATE_HZ, Samples
from gpu_kernels.registry import VOICE
from gpu_kernels.voice import Voices, load_voice_engine, match_voices
from tests.weights import pulled_cache

_RECORDINGS = 8
_SAMPLES = 20 * RATE_HZ


def read(path: Path) -> Samples:
    """Read a file as 16 kHz."""
    with wave.open(str(path)) as file:
        rate, content = file.getframerate(), file.readframes(file.getnframes())
    samples = np.frombuffer(content, "<i2").astype(np.float32) / 32768
    at = np.arange(len(samples) * RATE_HZ // rate) * rate / RATE_HZ
    return np.asarray(np.interp(at, np.arange(len(samples)), samples), np.float32)


def recordings(folder: Path) -> Iterator[Samples]:
    """Join a speaker's files; those under a second are left out."""
    files = sorted(folder.rglob("*.wav"))
    np.random.default_rng(1).shuffle(files)
    joined = np.empty(0, np.float32)
    for samples in map(read, files):
        joined = np.concatenate([joined, samples if len(samples) >= RATE_HZ else joined[:0]])
        if len(joined) >= _SAMPLES:
            yield joined
            joined = joined[:0]


def similarity(one: Voices, other: Voices) -> float:
    """Return 0 where there is too little speech."""
    match = match_voices(one, other)
    return match.similarity if match is not None else 0.0


def main() -> None:
    """Print how alike one speaker's recordings are, and two speakers'."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    engine = load_voice_engine("openvino", pulled_cache(VOICE))
    heard = [
        (folder, engine.embed(samples))
        for folder in parser.parse_args().folders
        for samples in itertools.islice(recordings(folder), _RECORDINGS)
    ]
    pairs = [
        (one[0] == other[0], similarity(one[1], other[1]))
        for one, other in itertools.combinations(heard, 2)
    ]
    for same, name in ((True, "one speaker"), (False, "two speakers")):
        found = np.array([value for of_one, value in pairs if of_one is same])
        low, high = np.percentile(found, [5, 95])
        print(f"{name}: {len(found)} pairs, {found.min():.3f} least, {low:.3f} at 5%, ", end="")
        print(f"{found.mean():.3f} mean, {high:.3f} at 95%, {found.max():.3f} most")


if __name__ == "__main__":
    main()
