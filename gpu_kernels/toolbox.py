"""What an engine child can do, by task.

Each network, and the library that runs it, is loaded when it is first asked for.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.arrays import Arrays
from gpu_kernels.engine import Engine
from gpu_kernels.fingerprint import (
    fingerprint_moving_reference,
    fingerprint_query,
    fingerprint_reference,
)
from gpu_kernels.keypoints import find_keypoints
from gpu_kernels.network import load_network
from gpu_kernels.registry import SPEECH, TEXT_DETECTOR
from gpu_kernels.sound import fingerprint_sound
from gpu_kernels.weights import locate_weights, read_weights
from gpu_kernels.wire import Request, Task

if TYPE_CHECKING:
    from gpu_kernels.faces import FaceEngine
    from gpu_kernels.lettering import LetteringEngine
    from gpu_kernels.nudity import NudityEngine
    from gpu_kernels.speech import SpeechEngine
    from gpu_kernels.voice import VoiceEngine

Given = NDArray[Any]
"""uint8 (height, width, 3), RGB; or int16 (samples,), 16 kHz, mono."""


class Toolbox:
    """One child's networks. Not thread-safe.

    Args:
        engine: the embedder of pictures, loaded.
        runtime: which runs the other networks, a key of `gpu_kernels.network.NETWORKS`.
        weights: the folder of pulled weights.
    """

    def __init__(self, engine: Engine, runtime: str, weights: Path) -> None:
        self._engine = engine
        self._runtime = runtime
        self._weights = weights
        self._tasks: Mapping[Task, Callable[[Given, float], Arrays]] = {
            Task.QUERY: lambda given, _: fingerprint_query(given, engine).to_arrays(),
            Task.REFERENCE: lambda given, _: fingerprint_reference(given, engine).to_arrays(),
            Task.MOVING_REFERENCE: (
                lambda given, _: fingerprint_moving_reference(given, engine).to_arrays()
            ),
            Task.KEYPOINTS: lambda given, _: find_keypoints(given).to_arrays(),
            Task.FACES: lambda given, _: self._faces.find(given).to_arrays(),
            Task.LETTERING: self._read,
            Task.NUDITY: lambda given, _: {"nudity": np.array([self._nudity.estimate(given)])},
            Task.SOUND: lambda given, _: fingerprint_sound(as_samples(given)).to_arrays(),
            Task.VOICES: lambda given, _: self._voices.embed(as_samples(given)).to_arrays(),
            Task.SPEECH: self._write_down,
        }

    def do(self, request: Request, given: Given) -> Arrays:
        """Do what is asked.

        Raises:
            ModelError: a model's file or library is missing; the message says the way out.
        """
        return self._tasks[request.task](given, request.budget_seconds)

    @cached_property
    def _faces(self) -> "FaceEngine":
        from gpu_kernels.faces import load_face_engine

        return load_face_engine(self._runtime, self._weights)

    @cached_property
    def _voices(self) -> "VoiceEngine":
        from gpu_kernels.voice import load_voice_engine

        return load_voice_engine(self._runtime, self._weights)

    @cached_property
    def _nudity(self) -> "NudityEngine":
        from gpu_kernels.nudity import load_nudity_engine

        return load_nudity_engine(self._runtime, self._weights)

    @cached_property
    def _lettering(self) -> "LetteringEngine":
        from gpu_kernels.lettering import LetteringEngine

        (detector,) = read_weights(TEXT_DETECTOR, self._weights).values()
        return LetteringEngine(load_network(self._runtime, detector))

    @cached_property
    def _speech(self) -> "SpeechEngine":
        from gpu_kernels.speech import SpeechEngine

        return SpeechEngine(locate_weights(SPEECH, self._weights))

    def _read(self, given: Given, budget_seconds: float) -> Arrays:
        return self._lettering.read(given, budget_seconds=budget_seconds or None).to_arrays()

    def _write_down(self, given: Given, budget_seconds: float) -> Arrays:
        heard = self._speech.transcribe(as_samples(given), budget_seconds=budget_seconds or None)
        return heard.to_arrays()


def as_samples(given: Given) -> NDArray[np.float32]:
    """Scale 16-bit samples to -1..1."""
    samples: NDArray[np.float32] = given.astype(np.float32) / np.float32(32768)
    return samples
