"""Nearest neighbours among unit vectors: what an index is, and the NumPy one."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]
"""Shape (n, dimensions), rows of unit length."""
Similarities: TypeAlias = NDArray[np.float32]
"""Cosines, shape (queries, k), falling along a row."""
Ids: TypeAlias = NDArray[np.int64]
"""Row numbers in order of addition, shape (queries, k)."""


class Index(Protocol):
    """An exact index by inner product. Not thread-safe."""

    def __len__(self) -> int:
        """Count the vectors."""
        ...

    def add(self, vectors: Vectors, /) -> None:
        """Append vectors; the first ever added has id 0. They are copied."""
        ...

    def search(self, queries: Vectors, k: int, /) -> tuple[Similarities, Ids]:
        """Find the `min(k, len(self))` nearest of each query, nearest first."""
        ...


def _exact(dimensions: int) -> Index:
    return ExactIndex(dimensions)


def _faiss(dimensions: int) -> Index:
    from gpu_kernels.faiss_index import FaissIndex

    return FaissIndex(dimensions)


INDEXES: Mapping[str, Callable[[int], Index]] = {"faiss": _faiss, "exact": _exact}
"""Each loader imports its library when it is called."""

DEFAULT_INDEX = "faiss"


def load_index(name: str, dimensions: int) -> Index:
    """Make an empty index, or raise `KeyError` where none has that name."""
    return INDEXES[name](dimensions)


class ExactIndex:
    """One matrix, one product: what other indexes answer to.

    Args:
        dimensions: of the vectors.
    """

    def __init__(self, dimensions: int) -> None:
        self._buffer = np.empty((0, dimensions), np.float32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, vectors: Vectors, /) -> None:
        total = self._count + len(vectors)
        if total > len(self._buffer):  # double, so that n additions copy 2n rows at most
            grown = np.empty((max(total, 2 * self._count), self._buffer.shape[1]), np.float32)
            grown[: self._count] = self._buffer[: self._count]
            self._buffer = grown
        self._buffer[self._count : total] = vectors
        self._count = total

    def search(self, queries: Vectors, k: int, /) -> tuple[Similarities, Ids]:
        similarities = queries @ self._buffer[: self._count].T
        k = min(k, self._count)
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :k].astype(np.int64)
        return np.take_along_axis(similarities, order, axis=1), order
