"""Measure `SpeechEngine`.

`PYTHONPATH=. .venv/bin/python tests/benchmarks/measure_speech.py [FILE…]`

Prints CPU time and what is written down of an English and a Korean sentence that espeak-ng says,
of silence and noise, and of files: raw, signed 16-bit mono at 16 kHz.
"""

import sys
import time
from pathlib import Path

import numpy as np

from agents.benchmarks.spoken import say
from gpu_kernels.registry import SPEECH
from gpu_kernels.speech import RATE_HZ, Samples, SpeechEngine
from tests.weights import pulled_cache

SENTENCES = {
    "en-us": "The blue chair livestream was recorded in a small house. Please do not share it.",
    "ko": "안녕하세요. 오늘은 서울에서 친구를 만나서 점심을 먹었습니다. 영상은 공유하지 마세요.",
}


def silence_and_noise() -> dict[str, Samples]:
    rng, seconds = np.random.default_rng(3), 20
    times = np.arange(seconds * RATE_HZ) / RATE_HZ
    noise = rng.normal(0, 1, len(times)).astype(np.float32)
    music = (
        sum(np.sin(2 * np.pi * f * times) for f in (220, 277, 330)) / 6 * (1 + np.sin(7 * times))
    )
    return {
        "silence": np.zeros(len(times), np.float32),
        "white noise": 0.2 * noise,
        "brown noise": (np.cumsum(noise) / 2000).clip(-1, 1).astype(np.float32),
        "tones": np.asarray(music, np.float32) / 2,
        "clicks": (0.9 * (rng.random(len(times)) > 0.9995)).astype(np.float32),
    }


def main() -> None:
    engine = SpeechEngine(SPEECH.folder_in(pulled_cache(SPEECH)))
    sounds = {voice: say(voice, text, RATE_HZ) for voice, text in SENTENCES.items()}
    sounds |= silence_and_noise()
    for name in sys.argv[1:]:
        pcm = np.frombuffer(Path(name).read_bytes(), np.int16)
        sounds[name] = pcm.astype(np.float32) / np.float32(32768)
    for name, samples in sounds.items():
        started = time.process_time()
        found = engine.transcribe(samples)
        spent = time.process_time() - started
        seconds = len(samples) / RATE_HZ
        print(f"{name}: {seconds:.1f} s, real-time factor {spent / seconds:.3f}")
        for segment in found.segments:
            print("   ", segment)


if __name__ == "__main__":
    main()
