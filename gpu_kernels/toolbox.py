"""What an engine child can do, by task: each network is loaded when it is first asked for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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
from gpu_kernels.wire import Request, Task

Given = NDArray[Any]
"""uint8 (height, width, 3), RGB; or int16 (samples,), 16 kHz, mono."""


class Toolbox:
    """One child's networks. Not thread-safe.

    Args:
        engine: the embedder of pictures, loaded.
        runtime: which runs the other networks, a key of `gpu_kernels.engine.ENGINES`.
        weights: the folder of pulled weights.
    """

    def __init__(self, engine: Engine, runtime: str, weights: Path) -> None:
        self._engine = engine
        self._runtime = runtime
        self._weights = weights
        self._do: Mapping[Task, Callable[[Given, float], Arrays]] = {
            Task.QUERY: lambda given, _: fingerprint_query(given, engine).to_arrays(),
            Task.REFERENCE: lambda given, _: fingerprint_reference(given, engine).to_arrays(),
            Task.MOVING_REFERENCE: (
                lambda given, _: fingerprint_moving_reference(given, engine).to_arrays()
            ),
            Task.KEYPOINTS: lambda given, _: find_keypoints(given).to_arrays(),
        }

    def do(self, request: Request, given: Given) -> Arrays:
        """Do what is asked.

        Raises:
            ModelError: a model's file or library is missing; the message says the way out.
        """
        return self._do[request.task](given, request.budget_seconds)


def as_samples(given: Given) -> NDArray[np.float32]:
    """Scale 16-bit samples to -1..1."""
    samples: NDArray[np.float32] = given.astype(np.float32) / np.float32(32768)
    return samples
