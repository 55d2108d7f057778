"""`gpu_kernels.preparing`: against ONNX's own definition, and against slow loops."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from gpu_kernels.errors import ModelError
from gpu_kernels.network import load_network
from gpu_kernels.preparing import fold_dequantization

GENERATOR = np.random.default_rng(3)


def quantised(
    shape: tuple[int, ...], *, axis: int, block: int | None, scales: tuple[int, ...]
) -> bytes:
    """Build x -> x + dequantised weights, the scale and zero in blocks where `block` is given."""
    dequantize = helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["floats"])
    fields = {"axis": axis} | ({} if block is None else {"block_size": block})
    dequantize.attribute.extend(helper.make_attribute(*field) for field in fields.items())
    stored = [
        numpy_helper.from_array(GENERATOR.integers(-90, 90, shape, np.int8), "w"),
        numpy_helper.from_array(GENERATOR.uniform(0.1, 2, scales).astype(np.float32), "scale"),
        numpy_helper.from_array(GENERATOR.integers(-20, 20, scales, np.int8), "zero"),
    ]
    graph = helper.make_graph(
        [
            dequantize,
            helper.make_node("Add", ["x", "floats"], ["y"]),
        ],
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return bytes(model.SerializeToString())


def weights_of(content: bytes) -> NDArray[np.float32]:
    graph = onnx.load_from_string(content).graph
    assert [node.op_type for node in graph.node] == ["Add"]
    assert [one.name for one in graph.initializer] == ["floats"]
    return numpy_helper.to_array(graph.initializer[0])


@pytest.mark.parametrize(
    ("shape", "axis", "block", "scales"),
    [
        ((4, 6), 1, 3, (4, 2)),
        ((4, 6), 0, 2, (2, 6)),
        ((8,), 0, 4, (2,)),
        ((4, 6), 1, None, (6,)),
        ((4, 6), 0, None, (4,)),
        ((4, 6), 1, None, ()),
    ],
)
def test_folded_weights_are_what_onnx_defines(
    shape: tuple[int, ...], axis: int, block: int | None, scales: tuple[int, ...]
) -> None:
    content = quantised(shape, axis=axis, block=block, scales=scales)
    zeros: dict[str, Any] = {"x": np.zeros(shape, np.float32)}
    (expected,) = list(ReferenceEvaluator(content).run(None, zeros))
    folded = weights_of(fold_dequantization(content, {"x": shape}))
    np.testing.assert_allclose(folded, expected, rtol=1e-6)


def test_the_last_block_may_be_a_short_one() -> None:
    content = quantised((2, 5), axis=1, block=3, scales=(2, 2))
    w, scale, zero = map(numpy_helper.to_array, onnx.load_from_string(content).graph.initializer)
    folded = weights_of(fold_dequantization(content, {"x": (2, 5)}))
    for row in range(2):
        for column in range(5):
            of = (row, column // 3)
            expected = (int(w[row, column]) - int(zero[of])) * scale[of]
            assert folded[row, column] == pytest.approx(expected, rel=1e-6)


def test_inputs_get_the_given_shape() -> None:
    content = quantised((1, 6), axis=1, block=3, scales=(1, 2))
    network = load_network("onnxruntime", fold_dequantization(content, {"x": ("n", 6)}))
    assert network.run([np.zeros((5, 6), np.float32)])[0].shape == (5, 6)


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ModelError, match="not an ONNX file"):
        fold_dequantization(b"no network", {})
