"""Measure what each network costs: `python -m tests.benchmarks.measure_models`.

CPU time of one call on one thread, the median of twenty after three: neighbours hardly distort it.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from gpu_kernels.faces import SIDE, load_face_engine
from gpu_kernels.nudity import load_nudity_engine
from gpu_kernels.registry import FACES, NUDITY, SPEECH_DETECTOR, VOICE
from gpu_kernels.resemblyzer import FRAMES
from gpu_kernels.voice import load_voice_engine
from tests.gpu_kernels.vowels import vowels
from tests.weights import pulled_cache

RUNTIMES = ("openvino", "onnxruntime")
Row = tuple[str, Callable[[], object]]


def milliseconds(call: Callable[[], object]) -> float:
    """Return the CPU time of one call."""
    spent = []
    for _ in range(23):
        started = time.process_time()
        call()
        spent.append(time.process_time() - started)
    return statistics.median(spent[3:]) * 1000


def rows(runtime: str, cache_dir: Path) -> Iterator[Row]:
    """Give what is measured, by name."""
    portrait = np.asarray(data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]
    scene = np.zeros((720, 1280, 3), np.uint8)
    scene[100:612, 300:812] = portrait
    empty = np.asarray(cv2.resize(data.coffee(), (1280, 720)), np.uint8)  # type: ignore[no-untyped-call]
    for side in (320, 640):
        faces = load_face_engine(runtime, cache_dir, long_side=side)
        yield f"1280 x 720 without a face, YuNet at {side}", partial(faces.find, empty)
        yield f"1280 x 720 with one face, YuNet at {side}", partial(faces.find, scene)
        upright = [np.zeros((1, 3, SIDE, SIDE), np.float32)]
        yield "SFace alone", partial(faces._embedder.run, upright)
    voice, speech = load_voice_engine(runtime, cache_dir), vowels(120, 20, seed=3)
    yield "20 s of speech: Silero alone", partial(voice.find_speech, speech)
    yield f"20 s of speech: all, {len(voice.embed(speech))} windows", partial(voice.embed, speech)
    for count in (1, 16):
        mels = [np.zeros((count, FRAMES, 40), np.float32)]
        yield f"Resemblyzer alone, {count} at once", partial(voice._encoder.run, mels)
    nudity = load_nudity_engine(runtime, cache_dir)
    yield "512 x 512, open_nsfw", partial(nudity.estimate, portrait)


def main() -> None:
    """Print a table, a column a runtime."""
    caches = [pulled_cache(one) for one in (FACES, SPEECH_DETECTOR, VOICE, NUDITY)]
    table: dict[str, dict[str, str]] = {}
    for runtime in RUNTIMES:
        for name, call in rows(runtime, caches[0]):
            table.setdefault(name, {})[runtime] = f"{milliseconds(call):.1f}"
    print("| ms of CPU, one thread |", " | ".join(RUNTIMES), "|\n| --- | --- | --- |")
    for name, figures in table.items():
        print(f"| {name} |", " | ".join(figures.values()), "|")


if __name__ == "__main__":
    main()
