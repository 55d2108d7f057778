"""Published weights as networks that every runtime loads.

The pulled file stays as it was published and verified; what is made of it lives in memory only.
A second file beside it would need a hash of its own, and would change with the version of the
library that wrote it; making it takes 0.1 s (docs/models.md).
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from gpu_kernels.errors import ModelError

Sizes: TypeAlias = tuple[int | str, ...]
"""A shape; a word where any length will do."""


def fold_dequantization(content: bytes, shapes: Mapping[str, Sizes]) -> bytes:
    """Write weights that are stored in blocks of int8 as the floats that they stand for.

    OpenCV's quantiser gives a block size even where one scale covers a whole tensor, which ONNX
    Runtime refuses.

    Args:
        content: an ONNX file.
        shapes: of the network's inputs by name, in place of the file's; shapes of its outputs and
            in between are left to the runtime.

    Raises:
        ModelError: it is no ONNX file.
    """
    try:
        model = onnx.load_from_string(content)
    except DecodeError as error:
        raise ModelError("not an ONNX file") from error
    graph = model.graph
    stored = {one.name: one for one in graph.initializer}
    folded = [node for node in graph.node if _is_foldable(node, stored)]
    used = {name for node in folded for name in node.input}
    floats = [numpy_helper.from_array(_to_floats(node, stored), node.output[0]) for node in folded]
    _replace(graph.node, [node for node in graph.node if node not in folded])
    kept = [one for one in graph.initializer if one.name not in used]
    _replace(graph.initializer, kept + floats)
    _replace(graph.input, [_declared(name, shape) for name, shape in shapes.items()])
    _replace(graph.output, [_declared(one.name, None) for one in graph.output])
    del graph.value_info[:]
    return bytes(model.SerializeToString())


def _is_foldable(node: Any, stored: Mapping[str, Any]) -> bool:
    return node.op_type == "DequantizeLinear" and all(name in stored for name in node.input)


def _to_floats(node: Any, stored: Mapping[str, Any]) -> NDArray[np.float32]:
    """Evaluate a DequantizeLinear of opset 21: (x - zero) * scale, both by blocks of one axis."""
    values, scale, zero = (numpy_helper.to_array(stored[name]) for name in node.input)
    fields = {field.name: field.i for field in node.attribute}
    axis, block = fields.get("axis", 1), fields.get("block_size", 0)

    def spread(parameter: NDArray[Any]) -> NDArray[np.float32]:
        if parameter.ndim == values.ndim and block:
            parameter = np.repeat(parameter, block, axis).take(range(values.shape[axis]), axis)
        elif parameter.ndim == 1:
            parameter = parameter.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
        return parameter.astype(np.float32)

    floats: NDArray[np.float32] = (values.astype(np.float32) - spread(zero)) * spread(scale)
    return floats


def _replace(field: Any, entries: list[Any]) -> None:
    entries = list(entries)
    del field[:]
    field.extend(entries)


def _declared(name: str, shape: Sizes | None) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
