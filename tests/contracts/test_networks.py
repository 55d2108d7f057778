"""What every runtime must do with a network: on a toy of two inputs and two outputs."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from gpu_kernels.engine import ENGINES
from gpu_kernels.errors import ModelError
from gpu_kernels.network import NETWORKS, Network, load_network


def toy_network() -> bytes:
    """Build a (n, w) and b (n, w) -> their sum and their difference."""
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["a", "b"], ["sum"]),
            helper.make_node("Sub", ["a", "b"], ["off"]),
        ],
        "toy",
        [helper.make_tensor_value_info(name, floats, ["n", "w"]) for name in ("a", "b")],
        [helper.make_tensor_value_info(name, floats, ["n", "w"]) for name in ("sum", "off")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture(params=sorted(NETWORKS))
def network(request: pytest.FixtureRequest) -> Network:
    return load_network(request.param, toy_network())


def floats(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_inputs_and_outputs_keep_the_networks_order(network: Network) -> None:
    a, b = floats(2, 3), floats(2, 3, seed=1)
    added, taken = network.run([a, b])
    np.testing.assert_allclose(added, a + b, atol=1e-6)
    np.testing.assert_allclose(taken, a - b, atol=1e-6)


def test_a_length_that_the_network_leaves_open_may_change(network: Network) -> None:
    for rows, columns in ((1, 4), (3, 2), (1, 4)):
        assert network.run([floats(rows, columns)] * 2)[0].shape == (rows, columns)


def test_results_outlive_the_next_run(network: Network) -> None:
    first = network.run([floats(1, 4), floats(1, 4)])[0]
    kept = first.copy()
    network.run([floats(1, 4, seed=2), floats(1, 4, seed=3)])
    np.testing.assert_array_equal(first, kept)


def test_closing_twice_is_allowed(network: Network) -> None:
    network.close()
    network.close()


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_what_is_no_network_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=f"engine {name} cannot load"):
        load_network(name, b"no network")


def test_an_unknown_engine_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="no engine 'abacus'"):
        load_network("abacus", toy_network())


def test_networks_run_wherever_embedders_do() -> None:
    assert set(NETWORKS) == set(ENGINES)


def test_the_toy_is_a_network() -> None:
    onnx.checker.check_model(onnx.load_from_string(toy_network()))


SIGNALLED_AFTER = """
import faulthandler, gc, os, signal
from gpu_kernels.network import load_network
from tests.contracts.test_networks import toy_network
faulthandler.enable()
first, second = (load_network({name!r}, toy_network()) for _ in range(2))
del first
gc.collect()
del second
gc.collect()
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGUSR1)
"""


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_signal_is_handled_after_networks_went_in_the_order_in_which_they_came(name: str) -> None:
    # In a process of its own: OpenVINO's cores once left the signals' stack unmapped.
    code = SIGNALLED_AFTER.format(name=name)
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "handled\n"), ended.stderr
