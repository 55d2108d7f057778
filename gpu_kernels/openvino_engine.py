"""OpenVINO on the CPU: the default engine. The only file that knows it."""

from typing import Any

import numpy as np
import openvino as ov
from openvino import properties
from openvino.properties import hint

from gpu_kernels.engine import Embeddings, PictureBatch, at_unit_length, check_batch, space_of
from gpu_kernels.models import Model
from gpu_kernels.network import Inputs, Outputs

_CORE = ov.Core()
"""The only one of a process, never let go. Each core's CPU plugin gives signals a stack of its own
and, when it goes, puts back the one that it found: of two that go in the order in which they came,
the second leaves a stack that is unmapped, and the next signal kills the process."""


def _compile(network: Any, threads: int) -> Any:
    """Compile for the CPU and return a request.

    The precision is stated, f32, because OpenVINO would otherwise take bf16 wherever the CPU
    prefers it, and vectors of two machines would differ. Quantised layers run in int8 all the same.
    """
    compiled = _CORE.compile_model(
        network,
        "CPU",
        {
            hint.inference_precision(): ov.Type.f32,
            hint.performance_mode(): hint.PerformanceMode.LATENCY,
            hint.enable_cpu_pinning(): False,
            properties.inference_num_threads(): threads,
        },
    )
    return compiled.create_infer_request()


class OpenVinoEngine:
    """One compiled network of batch 1: on a CPU a larger batch gains nothing."""

    def __init__(self, content: bytes, model: Model, threads: int) -> None:
        network = _CORE.read_model(content)
        network.reshape({0: [1, model.side, model.side, 3]})
        self._request = _compile(network, threads)
        self.space = space_of(model, "openvino", "f32")
        self.side = model.side
        self._dimensions = model.dimensions

    def infer(self, images: PictureBatch, /) -> Embeddings:
        check_batch(images, self.side)
        rows = np.empty((len(images), self._dimensions), np.float32)
        for i in range(len(images)):
            rows[i] = self._request.infer([images[i : i + 1]])[0][0]
        return at_unit_length(rows)

    def close(self) -> None:
        self._request = None


class OpenVinoNetwork:
    """One compiled network as its file has it, on one thread."""

    def __init__(self, content: bytes) -> None:
        self._request = _compile(_CORE.read_model(content), 1)

    def run(self, inputs: Inputs, /) -> Outputs:
        results = self._request.infer(list(inputs))
        return [np.array(results[i]) for i in range(len(results))]

    def close(self) -> None:
        self._request = None
