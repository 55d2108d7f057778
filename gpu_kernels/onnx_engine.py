"""ONNX Runtime on the CPU: runs everywhere. The only file that knows it."""

from typing import Any

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as state

from gpu_kernels.engine import Embeddings, PictureBatch, at_unit_length, check_batch, space_of
from gpu_kernels.models import Model
from gpu_kernels.network import Inputs, Outputs

_UNLOADABLE = (
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NotImplemented,
    state.RuntimeException,
)
"""They have no class in common below `Exception`."""


def _open(content: bytes, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    try:
        return ort.InferenceSession(content, options, providers=providers)
    except _UNLOADABLE as error:
        raise RuntimeError("ONNX Runtime cannot load the model") from error


class OnnxEngine:
    """One inference session."""

    def __init__(self, content: bytes, model: Model, threads: int) -> None:
        self._session = _open(content, threads)
        self._input = self._session.get_inputs()[0].name
        self.space = space_of(model, "onnxruntime", "f32")
        self.side = model.side
        self._dimensions = model.dimensions

    def infer(self, images: PictureBatch, /) -> Embeddings:
        check_batch(images, self.side)
        rows = np.empty((len(images), self._dimensions), np.float32)
        for i in range(len(images)):  # one at a time: a network may fold its batch into a shape
            rows[i] = self._session.run(None, {self._input: images[i : i + 1]})[0][0]
        return at_unit_length(rows)

    def close(self) -> None:
        self._session = None


class OnnxNetwork:
    """One inference session of a network as its file has it, on one thread."""

    def __init__(self, content: bytes) -> None:
        self._session = _open(content, 1)
        self._names = [one.name for one in self._session.get_inputs()]

    def run(self, inputs: Inputs, /) -> Outputs:
        return list(self._session.run(None, dict(zip(self._names, inputs, strict=True))))

    def close(self) -> None:
        self._session = None
