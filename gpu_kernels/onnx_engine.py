"""ONNX Runtime on the CPU: runs everywhere. The only file that knows it."""

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as state

from gpu_kernels.engine import Embeddings, PictureBatch, at_unit_length, check_batch, space_of
from gpu_kernels.models import Model

_UNLOADABLE = (
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NotImplemented,
    state.RuntimeException,
)
"""They have no class in common below `Exception`."""


class OnnxEngine:
    """One inference session."""

    def __init__(self, content: bytes, model: Model, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        providers = ["CPUExecutionProvider"]
        try:
            self._session = ort.InferenceSession(content, options, providers=providers)
        except _UNLOADABLE as error:
            raise RuntimeError("ONNX Runtime cannot load the model") from error
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
