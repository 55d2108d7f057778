"""Plain arrays as bytes: what crosses between processes, and what is stored of a reference.

    count, then for each: name, dtype by its place in `_TYPES`, dimensions, shape, content

Nothing in it can run, and a reader never makes more than it was handed: what it reads came from a
process that strangers' media may have taken over, or from a disk.
"""

import struct
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
"""By name: lower case, at most 32 letters."""

_TYPES = tuple(
    np.dtype(name) for name in ("u1", "i1", "<u2", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8")
)
_COUNT = struct.Struct("<H")
_ENTRY = struct.Struct("<BBB")
_SIZE = struct.Struct("<Q")
_MOST = 64
_MOST_DIMENSIONS = 4
_LONGEST_NAME = 32


def pack(arrays: Arrays) -> bytes:
    """Write arrays of numbers.

    Raises:
        ValueError: a type, a name or a number, of arrays or dimensions, that `unpack` would refuse.
    """
    if len(arrays) > _MOST:
        raise ValueError("too many arrays")
    parts = [_COUNT.pack(len(arrays))]
    for name, array in arrays.items():
        letters, values = name.encode("ascii"), np.ascontiguousarray(array)
        fits = len(letters) <= _LONGEST_NAME and values.ndim <= _MOST_DIMENSIONS
        if not fits or values.dtype not in _TYPES:
            raise ValueError(f"{name}: {values.dtype} {values.shape}")
        parts.append(_ENTRY.pack(len(letters), _TYPES.index(values.dtype), array.ndim))
        parts.append(letters)
        parts += [_SIZE.pack(length) for length in array.shape]
        parts.append(values.tobytes())
    return b"".join(parts)


def unpack(content: bytes) -> dict[str, NDArray[Any]]:
    """Read what `pack` wrote; the arrays are views into `content`, read-only.

    Raises:
        ValueError: it is something else.
    """
    reader = _Reader(content)
    (count,) = reader.read(_COUNT)
    if count > _MOST:
        raise ValueError("too many arrays")
    arrays = dict(reader.array() for _ in range(count))
    if reader.rest or len(arrays) != count:
        raise ValueError("no packed arrays")
    return arrays


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    @property
    def rest(self) -> int:
        """Bytes that were not read yet."""
        return len(self._content) - self._at

    def read(self, form: struct.Struct) -> tuple[Any, ...]:
        return form.unpack(self._bytes(form.size))

    def array(self) -> tuple[str, NDArray[Any]]:
        letters, place, dimensions = self.read(_ENTRY)
        if letters > _LONGEST_NAME or place >= len(_TYPES) or dimensions > _MOST_DIMENSIONS:
            raise ValueError("no packed array")
        name = self._bytes(letters).decode("ascii")
        shape = tuple(int(self.read(_SIZE)[0]) for _ in range(dimensions))
        length = _TYPES[place].itemsize
        for one in shape:  # Python's integers: a shape cannot wrap around
            length *= one
        return name, np.frombuffer(self._bytes(length), _TYPES[place]).reshape(shape)

    def _bytes(self, length: int) -> bytes:
        if length > self.rest:
            raise ValueError("packed arrays are cut short")
        self._at += length
        return self._content[self._at - length : self._at]


def take(
    arrays: Arrays, name: str, dtype: DTypeLike, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """Return an array of a known type and shape.

    Args:
        arrays: of `unpack`.
        name: which.
        dtype: its type.
        shape: its lengths; None where any will do.

    Raises:
        ValueError: there is none such.
    """
    array = arrays.get(name)
    if array is None or array.dtype != np.dtype(dtype) or array.ndim != len(shape):
        raise ValueError(f"no array {name!r} of {np.dtype(dtype)} {shape}")
    if any(
        want is not None and want != have for want, have in zip(shape, array.shape, strict=True)
    ):
        raise ValueError(f"{name!r} has the shape {array.shape}, not {shape}")
    return array


def as_text(text: str) -> NDArray[np.uint8]:
    """Put text into an array."""
    return np.frombuffer(text.encode(), np.uint8)


def to_text(array: NDArray[Any]) -> str:
    """Read text out of an array.

    Raises:
        ValueError: it is no UTF-8.
    """
    return bytes(array.astype(np.uint8)).decode()
