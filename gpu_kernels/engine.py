"""What an inference engine is, and how one is chosen by name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.errors import ModelError
from gpu_kernels.models import Model
from gpu_kernels.weights import read_verified

PictureBatch: TypeAlias = NDArray[np.uint8]
"""Shape (n, side, side, 3), RGB, 0..255."""
Embeddings: TypeAlias = NDArray[np.float32]
"""Shape (n, dimensions), rows of unit length."""


class Engine(Protocol):
    """One network, loaded and warm. Not thread-safe."""

    @property
    def space(self) -> str:
        """The vector space, "model/version/runtime/precision": only equal spaces compare."""
        ...

    @property
    def side(self) -> int:
        """Pictures must be side x side pixels."""
        ...

    def infer(self, images: PictureBatch, /) -> Embeddings:
        """Embed a batch of any size, 0 included; the result is the caller's own copy."""
        ...

    def close(self) -> None:
        """Free what the runtime holds. Idempotent; `infer` afterwards is an error."""
        ...


Loader: TypeAlias = Callable[[bytes, Model, int], Engine]
"""Takes the model's bytes, what they are, and how many threads to use."""


def _openvino(content: bytes, model: Model, threads: int) -> Engine:
    from gpu_kernels.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(content, model, threads)


def _onnxruntime(content: bytes, model: Model, threads: int) -> Engine:
    from gpu_kernels.onnx_engine import OnnxEngine

    return OnnxEngine(content, model, threads)


def _numpy(content: bytes, model: Model, _threads: int) -> Engine:
    from gpu_kernels.numpy_engine import NumpyEngine

    return NumpyEngine(content, model)


ENGINES: Mapping[str, Loader] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
    "numpy": _numpy,
}
"""Each loader imports its runtime when it is called."""

DEFAULT_ENGINE = "openvino"


def load_engine(name: str, model_path: Path, *, model: Model, threads: int = 1) -> Engine:
    """Read the model's file, verify it, and load it into a runtime.

    The bytes that were verified are the bytes that are loaded.

    Args:
        name: a key of `ENGINES`.
        model_path: see `gpu_kernels.models.locate`.
        model: what the file must be.
        threads: for one inference.

    Raises:
        ModelError: no such engine, its runtime is missing, or the file is missing, altered or
            cannot be loaded.
    """
    if name not in ENGINES:
        raise ModelError(f"no engine {name!r}; there are {', '.join(ENGINES)}")
    content = read_verified(model_path, model.sha256)
    try:
        return ENGINES[name](content, model, threads)
    except ImportError as error:
        raise ModelError(f"engine {name} needs the package {error.name}: install it") from error
    except RuntimeError as error:  # what OpenVINO, ONNX Runtime and ONNX raise on unusable files
        raise ModelError(f"engine {name} cannot load {model_path}") from error


def space_of(model: Model, runtime: str, precision: str) -> str:
    """Name a vector space."""
    return f"{model.name}/{model.version}/{runtime}/{precision}"


def check_batch(images: PictureBatch, side: int) -> None:
    """Refuse what is not a batch of pictures of the right size.

    Raises:
        ValueError: wrong shape or dtype.
    """
    if images.ndim != 4 or images.shape[1:] != (side, side, 3) or images.dtype != np.uint8:
        raise ValueError(
            f"expected uint8 (n, {side}, {side}, 3), got {images.dtype} {images.shape}"
        )


def at_unit_length(rows: NDArray[np.floating]) -> Embeddings:
    """Scale rows to length 1; a zero row stays zero."""
    rows = rows.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Embeddings = (rows / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return unit
