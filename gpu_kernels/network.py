"""What a network is: arrays in, arrays out, in whichever runtime; chosen by name.

An `Engine` embeds pictures and is what the image index compares; everything else that learnt its
weights is a `Network` with its own pre- and postprocessing around it (`faces`, `voice`, `nudity`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from numpy.typing import NDArray

from gpu_kernels.errors import ModelError

Inputs: TypeAlias = Sequence[NDArray[Any]]
"""In the network's own order."""
Outputs: TypeAlias = list[NDArray[Any]]
"""Likewise."""


class Network(Protocol):
    """One network, loaded, on one thread. Not thread-safe."""

    def run(self, inputs: Inputs, /) -> Outputs:
        """Infer; the results are the caller's own copies."""
        ...

    def close(self) -> None:
        """Free what the runtime holds. Idempotent; `run` afterwards is an error."""
        ...


NetworkLoader: TypeAlias = Callable[[bytes], Network]


def _openvino(content: bytes) -> Network:
    from gpu_kernels.openvino_engine import OpenVinoNetwork

    return OpenVinoNetwork(content)


def _onnxruntime(content: bytes) -> Network:
    from gpu_kernels.onnx_engine import OnnxNetwork

    return OnnxNetwork(content)


def _numpy(content: bytes) -> Network:
    from gpu_kernels.numpy_engine import NumpyNetwork

    return NumpyNetwork(content)


NETWORKS: Mapping[str, NetworkLoader] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
    "numpy": _numpy,
}
"""The same runtimes, by the same names, as `gpu_kernels.engine.ENGINES`."""


def load_network(engine: str, content: bytes) -> Network:
    """Load an ONNX file's verified bytes into a runtime, in f32.

    Raises:
        ModelError: no such engine, its runtime is missing, or it cannot load the network.
    """
    if engine not in NETWORKS:
        raise ModelError(f"no engine {engine!r}; there are {', '.join(NETWORKS)}")
    try:
        return NETWORKS[engine](content)
    except ImportError as error:
        raise ModelError(f"engine {engine} needs the package {error.name}: install it") from error
    except RuntimeError as error:  # what OpenVINO, ONNX Runtime and ONNX raise on unusable files
        raise ModelError(f"engine {engine} cannot load the network") from error
