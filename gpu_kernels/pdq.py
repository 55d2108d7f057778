"""PDQ, the 256-bit perceptual hash, in NumPy: the reference that kernels answer to.

Algorithm: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", Meta, 2019.
Equal bit for bit to `pdqhash` 0.2.8, which wraps Meta's C++: sums therefore run in float32 and in
the order of that code (`cumsum` adds one by one, so it rounds as a C loop does).
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[np.uint8]
"""Shape (height, width, 3), RGB, 0..255."""
_Plane: TypeAlias = NDArray[np.float32]

HASH_BYTES = 32
MIN_SIDE = 5
"""Smaller pictures hash to zeros with quality 0 (Meta's MIN_HASHABLE_DIM)."""
ORIENTATIONS = 8
"""As is, turned by 90, 180 and 270 degrees, and the four mirror images, in pdqhash's order."""

_SIDE = 64
_FREQUENCIES = 16
_PASSES = 2
_LUMA = (0.299, 0.587, 0.114)
_QUALITY_DIVISOR = 90
"""Heuristic of Meta's quality metric, which ends at 100."""


def pdq(image: Picture) -> tuple[NDArray[np.uint8], int]:
    """Hash a picture.

    Returns:
        The packed hash, shape (32,), most significant bit first, and the quality 0..100; below 50
        the hash says little (ThreatExchange's floor).
    """
    if min(image.shape[:2]) < MIN_SIDE:
        return np.zeros(HASH_BYTES, np.uint8), 0
    luma = _luma(image)
    block = luma if luma.shape == (_SIDE, _SIDE) else _shrink(luma)
    return _to_bits(_dct(block)), _quality(block)


def pdq_dihedral(image: Picture) -> tuple[NDArray[np.uint8], int]:
    """Hash a picture's eight orientations at the price of one.

    Returns:
        The packed hashes, shape (8, 32), and the quality 0..100.
    """
    if min(image.shape[:2]) < MIN_SIDE:
        return np.zeros((ORIENTATIONS, HASH_BYTES), np.uint8), 0
    block = _shrink(_luma(image))  # a 64 x 64 picture too: here Meta's code makes no exception
    return np.stack([_to_bits(turned) for turned in _orientations(_dct(block))]), _quality(block)


def _luma(image: Picture) -> _Plane:
    red, green, blue = (
        weight * np.arange(256) for weight in _LUMA
    )  # pdqhash multiplies in double, then rounds once
    plane: _Plane = red[image[..., 0]]
    plane = plane + green[image[..., 1]]
    plane = plane + blue[image[..., 2]]
    return plane.astype(np.float32)


def _shrink(luma: _Plane) -> _Plane:
    """Blur with two box passes along each axis (a tent), then pick 64 x 64 samples."""
    rows, columns = (_samples(size) for size in luma.shape)
    across, down = (_window(luma.shape[axis]) for axis in (1, 0))
    blurred = _box(_box(luma, across).T, down).T
    blurred = _box(blurred, across)[:, columns]  # what is not sampled need not be blurred
    return np.ascontiguousarray(_box(blurred.T, down).T[rows])


def _window(size: int) -> int:
    return (size + 2 * _SIDE - 1) // (2 * _SIDE)


def _samples(size: int) -> NDArray[np.intp]:
    return (((np.arange(_SIDE) + 0.5) * size) / _SIDE).astype(np.intp)


def _box(plane: _Plane, window: int) -> _Plane:
    """Average along the last axis over a window that shrinks at both ends.

    The C++ keeps one running sum: first it only adds, then adds one and subtracts one, at last it
    only subtracts. Those terms, in that order, are laid out and accumulated.
    """
    length, half = plane.shape[-1], (window + 2) // 2
    full = length - window
    terms = np.empty((*plane.shape[:-1], window + 2 * full + half - 1), np.float32)
    terms[..., :window] = plane[..., :window]
    terms[..., window : window + 2 * full : 2] = plane[..., window:]
    np.negative(plane[..., :full], out=terms[..., window + 1 : window + 2 * full : 2])
    np.negative(plane[..., full : full + half - 1], out=terms[..., window + 2 * full :])
    sums = np.cumsum(terms, axis=-1, dtype=np.float32)
    picks, counts = _picks(window, half, full)
    averages: _Plane = sums[..., picks] / counts
    return averages


def _picks(window: int, half: int, full: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Where in the running sum each output is read, and how many values that sum holds."""
    growing = np.arange(half - 1, window)
    sliding = window + 1 + 2 * np.arange(full)
    shrinking = window + 2 * full + np.arange(half - 1)
    counts = [growing + 1, np.full(full, window), window - 1 - np.arange(half - 1)]
    return np.concatenate([growing, sliding, shrinking]), np.concatenate(counts).astype(np.float32)


def _quality(block: _Plane) -> int:
    """Count significant gradients of the 64 x 64 picture."""
    steps = [block[:-1] - block[1:], block[:, :-1] - block[:, 1:]]
    total = sum(
        int(np.abs((s * np.float32(100) / np.float32(255)).astype(int)).sum()) for s in steps
    )
    return min(100, total // _QUALITY_DIVISOR)


def _dct_matrix() -> _Plane:
    i, j = np.arange(_FREQUENCIES)[:, None], np.arange(_SIDE)[None, :]
    scale = np.float64(np.float32(np.sqrt(2.0 / _SIDE)))
    matrix = scale * np.cos((np.pi / 2.0 / _SIDE) * (i + 1) * (2 * j + 1))
    return np.asarray(matrix, np.float32)


_DCT = _dct_matrix()


def _dct(block: _Plane) -> _Plane:
    """Frequencies 1..16 of both axes, shape (16, 16); summed in the order of the C++ loop."""
    return _product(_product(_DCT, block), _DCT.T)


def _product(left: _Plane, right: _Plane) -> _Plane:
    """Matrix product whose every sum runs from the first term to the last, in float32."""
    total = np.zeros((left.shape[0], right.shape[1]), np.float32)
    for k in range(left.shape[1]):
        total += left[:, k, None] * right[None, k]
    return total


def _orientations(dct: _Plane) -> list[_Plane]:
    """Turns and mirrors are sign changes and a transposition of the frequencies."""
    odd = np.arange(_FREQUENCIES) & 1
    rows = np.where(odd, 1, -1).astype(np.float32)[:, None]  # - + - + down the rows
    columns = rows.T
    both = rows * columns
    return [
        dct,
        (dct * columns).T,
        dct * both,
        (dct * rows).T,
        dct * rows,
        dct * columns,
        dct.T,
        (dct * both).T,
    ]


def _to_bits(dct: _Plane) -> NDArray[np.uint8]:
    """One bit for each frequency above the (lower) median; the first is the last bit."""
    flat = dct.ravel()
    median = np.partition(flat, flat.size // 2 - 1)[flat.size // 2 - 1]
    return np.packbits((flat > median)[::-1])
