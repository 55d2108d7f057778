"""Resemblyzer's encoder as an ONNX network, out of its published file.

Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018: three layers of
LSTM over 1.6 s of a mel spectrogram, a linear layer over the last state, negatives cut to 0.

The file is a pickle of PyTorch's older kind, which would run what it says if it were unpickled. It
is not: its hash is known, therefore so is the place of every number in it.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from gpu_kernels.errors import ModelError
from gpu_kernels.mel import CHANNELS

Floats: TypeAlias = NDArray[np.float32]

HIDDEN = 256
LAYERS = 3
FRAMES = 160
"""Of one window: 1.6 s, as it was trained."""

_LSTM = (269_883, 1_357_824)
"""Byte at which the layers' numbers begin, and how many there are: for each layer the weights of
its input and of its state, then for each layer the biases of both."""
_LINEAR_WEIGHT = (7_731, HIDDEN * HIDDEN)
_LINEAR_BIAS = (6_699, HIDDEN)


def read_encoder(content: bytes) -> dict[str, Floats]:
    """Read the encoder's numbers out of the verified file, named as PyTorch names them.

    Raises:
        ModelError: the file is too short.
    """
    numbers = _numbers(content, *_LSTM)
    shapes = [*_shapes("weight", (CHANNELS, HIDDEN)), *_shapes("bias", None)]
    encoder, at = {}, 0
    for name, shape in shapes:
        size = int(np.prod(shape))
        encoder[name] = numbers[at : at + size].reshape(shape)
        at += size
    encoder["linear.weight"] = _numbers(content, *_LINEAR_WEIGHT).reshape(HIDDEN, HIDDEN)
    encoder["linear.bias"] = _numbers(content, *_LINEAR_BIAS)
    return encoder


def _shapes(kind: str, widths: tuple[int, int] | None) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name the tensors of a kind, layer by layer, input before state: gates are rows."""
    for layer in range(LAYERS):
        for i, of in enumerate(("ih", "hh")):
            width = () if widths is None else (widths[0 if layer == i == 0 else 1],)
            yield f"lstm.{kind}_{of}_l{layer}", (4 * HIDDEN, *width)


def _numbers(content: bytes, start: int, count: int) -> Floats:
    try:
        return np.frombuffer(content, "<f4", count, start)
    except ValueError as error:
        raise ModelError("the encoder of voices is cut short") from error


def build_network(encoder: dict[str, Floats]) -> bytes:
    """Write mel (n, 160, 40) -> embedding (n, 256), not of unit length, as ONNX."""
    nodes = [helper.make_node("Transpose", ["mel"], ["steps_0"], perm=[1, 0, 2])]
    stored = [numpy_helper.from_array(np.array([1], np.int64), "direction")]
    for layer in range(LAYERS):
        names = [f"{name}_{layer}" for name in ("weights", "states", "biases")]
        tensors = _onnx_lstm(encoder, layer)
        stored += [numpy_helper.from_array(*one) for one in zip(tensors, names, strict=True)]
        nodes += _lstm_nodes(layer, names)
    stored.append(numpy_helper.from_array(encoder["linear.weight"], "linear"))
    stored.append(numpy_helper.from_array(encoder["linear.bias"], "bias"))
    nodes += [
        helper.make_node("Squeeze", [f"last_{LAYERS}", "first_axis"], ["last"]),
        helper.make_node("Gemm", ["last", "linear", "bias"], ["raw"], transB=1),
        helper.make_node("Relu", ["raw"], ["embedding"]),
    ]
    stored.append(numpy_helper.from_array(np.array([0], np.int64), "first_axis"))
    graph = helper.make_graph(
        nodes,
        "resemblyzer",
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["n", FRAMES, CHANNELS])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", HIDDEN])],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def _lstm_nodes(layer: int, names: list[str]) -> list[Any]:
    """One layer: (steps, n, width) to the states of all steps, and to the last one."""
    outputs = [f"states_of_{layer + 1}", f"last_{layer + 1}"]
    return [
        helper.make_node("LSTM", [f"steps_{layer}", *names], outputs, hidden_size=HIDDEN),
        helper.make_node("Squeeze", [outputs[0], "direction"], [f"steps_{layer + 1}"]),
    ]


def _onnx_lstm(encoder: dict[str, Floats], layer: int) -> tuple[Floats, Floats, Floats]:
    """Reorder gates: PyTorch has input, forget, cell, output; ONNX input, output, forget, cell."""

    def reordered(name: str) -> Floats:
        gates = np.split(encoder[f"lstm.{name}_l{layer}"], 4)
        return np.concatenate([gates[i] for i in (0, 3, 1, 2)])

    biases = np.concatenate([reordered("bias_ih"), reordered("bias_hh")])
    return reordered("weight_ih")[None], reordered("weight_hh")[None], biases[None]
