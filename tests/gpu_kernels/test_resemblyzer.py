"""`gpu_kernels.resemblyzer`: every runtime against a slow LSTM in NumPy."""

import io
import pickle
import struct
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.engine import at_unit_length
from gpu_kernels.errors import ModelError
from gpu_kernels.network import load_network
from gpu_kernels.registry import VOICE
from gpu_kernels.resemblyzer import FRAMES, HIDDEN, LAYERS, build_network, read_encoder
from gpu_kernels.weights import read_weights
from tests.weights import pulled_cache

Floats = NDArray[np.float32]
WIDTHS = (40, HIDDEN, HIDDEN)


def made_up() -> dict[str, Floats]:
    """Return an encoder of random numbers, named as the real one."""
    generator = np.random.default_rng(7)

    def draw(*shape: int) -> Floats:
        return generator.uniform(-0.1, 0.1, shape).astype(np.float32)

    encoder = {"linear.weight": draw(HIDDEN, HIDDEN), "linear.bias": draw(HIDDEN)}
    for layer, width in enumerate(WIDTHS):
        encoder[f"lstm.weight_ih_l{layer}"] = draw(4 * HIDDEN, width)
        encoder[f"lstm.weight_hh_l{layer}"] = draw(4 * HIDDEN, HIDDEN)
        encoder[f"lstm.bias_ih_l{layer}"] = draw(4 * HIDDEN)
        encoder[f"lstm.bias_hh_l{layer}"] = draw(4 * HIDDEN)
    return encoder


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x)))


def slow_encode(encoder: dict[str, Floats], mel: Floats) -> NDArray[np.float64]:
    """Encode one window (160, 40) step by step, as PyTorch documents its LSTM."""
    steps = mel.astype(np.float64)
    for layer in range(LAYERS):
        of = {name: encoder[f"lstm.{name}_l{layer}"].astype(np.float64) for name in NAMES}
        state, cell, states = np.zeros(HIDDEN), np.zeros(HIDDEN), []
        for step in steps:
            gates = of["weight_ih"] @ step + of["bias_ih"] + of["weight_hh"] @ state + of["bias_hh"]
            into, forget, new, out = np.split(gates, 4)
            cell = sigmoid(forget) * cell + sigmoid(into) * np.tanh(new)
            state = sigmoid(out) * np.tanh(cell)
            states.append(state)
        steps = np.array(states)
    raw = encoder["linear.weight"] @ steps[-1] + encoder["linear.bias"]
    return np.asarray(np.maximum(raw, 0))


NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def windows(count: int) -> Floats:
    return np.random.default_rng(count).uniform(0, 1, (count, FRAMES, 40)).astype(np.float32)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "numpy"])
def test_every_runtime_equals_the_slow_lstm(engine: str) -> None:
    encoder, mels = made_up(), windows(2)
    (found,) = load_network(engine, build_network(encoder)).run([mels])
    expected = [slow_encode(encoder, mel) for mel in mels]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.max(expected) > 0.01


@pytest.mark.models
def test_the_published_encoder_is_read_as_published() -> None:
    (content,) = read_weights(VOICE, pulled_cache(VOICE)).values()
    encoder = read_encoder(content)
    assert {name: array.shape for name, array in encoder.items()} == {
        name: array.shape for name, array in made_up().items()
    }
    mels = windows(1)
    (found,) = load_network("openvino", build_network(encoder)).run([mels])
    expected = at_unit_length(slow_encode(encoder, mels[0])[None])
    assert expected[0] @ at_unit_length(found)[0] > 0.99999


class Tensors(pickle.Unpickler):
    """Reads a checkpoint's table of tensors, and can call nothing but what it holds."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, *_: (storage[2], offset, shape)
        assert (module, name) == ("torch", "FloatStorage")
        return name

    def persistent_load(self, pid: Any) -> Any:
        return pid


@pytest.mark.models
def test_every_number_is_where_the_file_itself_says() -> None:
    (content,) = read_weights(VOICE, pulled_cache(VOICE)).values()
    file = io.BytesIO(content)
    for _ in range(3):  # magic number, version of the protocol, sizes of types
        pickle.load(file)
    table, keys = Tensors(file).load()["model_state"], Tensors(file).load()
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        storages[key] = np.frombuffer(file.read(4 * count), "<f4")
    for name, array in read_encoder(content).items():
        key, offset, shape = table[name]
        expected = storages[key][offset : offset + array.size].reshape(shape)
        np.testing.assert_array_equal(array, expected)


def test_a_file_cut_short_is_refused() -> None:
    with pytest.raises(ModelError, match="cut short"):
        read_encoder(b"\0" * 1000)
