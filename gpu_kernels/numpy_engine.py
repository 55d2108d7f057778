"""The ONNX standard's own NumPy implementation: slow, and what the other engines answer to."""

from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from gpu_kernels.engine import Embeddings, PictureBatch, at_unit_length, check_batch, space_of
from gpu_kernels.models import Model
from gpu_kernels.network import Inputs, Outputs

_Array = NDArray[Any]


def _along(axis: int, vector: _Array, rank: int) -> _Array:
    """Shape a per-channel vector so that it applies along one axis; a scalar stays."""
    return vector.reshape([-1 if i == axis else 1 for i in range(rank)]) if vector.ndim else vector


class QuantizeLinear(OpRun):
    """As ONNX defines it for opsets 10 to 18, which onnx itself no longer implements."""

    def _run(
        self, x: _Array, scale: _Array, zero: _Array, *, axis: int = 1, **_later_opsets: object
    ) -> tuple[_Array]:
        steps = np.rint(x / _along(axis, scale, x.ndim)) + _along(axis, zero, x.ndim)
        limits = np.iinfo(zero.dtype)
        return (np.clip(steps, limits.min, limits.max).astype(zero.dtype),)


class DequantizeLinear(OpRun):
    """The way back."""

    def _run(
        self,
        x: _Array,
        scale: _Array,
        zero: _Array | None = None,
        *,
        axis: int = 1,
        **_later_opsets: object,
    ) -> tuple[_Array]:
        offset = 0 if zero is None else _along(axis, zero.astype(np.float32), x.ndim)
        return ((x.astype(np.float32) - offset) * _along(axis, scale, x.ndim),)


def _operators(graph: onnx.ModelProto) -> list[type[OpRun]]:
    opset = max(entry.version for entry in graph.opset_import if not entry.domain)
    return [QuantizeLinear, DequantizeLinear] if opset < 19 else []


def _read(content: bytes) -> onnx.ModelProto:
    try:
        graph = onnx.load_from_string(content)
    except DecodeError as error:
        raise RuntimeError("not an ONNX file") from error
    if not graph.graph.node:
        raise RuntimeError("an empty ONNX file")
    return graph


class NumpyEngine:
    """Evaluates the graph node by node, for checks only."""

    def __init__(self, content: bytes, model: Model) -> None:
        graph = _read(content)
        self._evaluator: Any = ReferenceEvaluator(graph, new_ops=_operators(graph))
        self._input = graph.graph.input[0].name
        self.space = space_of(model, "numpy", "f32")
        self.side = model.side
        self._dimensions = model.dimensions

    def infer(self, images: PictureBatch, /) -> Embeddings:
        check_batch(images, self.side)
        rows = np.empty((len(images), self._dimensions), np.float32)
        for i in range(len(images)):
            rows[i] = self._evaluator.run(None, {self._input: images[i : i + 1]})[0][0]
        return at_unit_length(rows)

    def close(self) -> None:
        self._evaluator = None


class NumpyNetwork:
    """Evaluates a network as its file has it, node by node, for checks only."""

    def __init__(self, content: bytes) -> None:
        graph = _read(content)
        self._evaluator: Any = ReferenceEvaluator(graph, new_ops=_operators(graph))
        self._names = [one.name for one in graph.graph.input]

    def run(self, inputs: Inputs, /) -> Outputs:
        named = dict(zip(self._names, inputs, strict=True))
        return [np.asarray(one) for one in self._evaluator.run(None, named)]

    def close(self) -> None:
        self._evaluator = None
