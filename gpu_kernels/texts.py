"""Strings as plain arrays, as they leave an engine child."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.arrays import Arrays, take


def to_arrays(texts: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return `utf8`, uint8 (bytes,), all texts joined, and `ends`, int64 (n,), where each ends."""
    encoded = [text.encode() for text in texts]
    return {
        "utf8": np.frombuffer(b"".join(encoded), np.uint8),
        "ends": np.cumsum([len(one) for one in encoded], dtype=np.int64),
    }


def from_arrays(arrays: Arrays, most: int, longest: int) -> list[str]:
    """Read what `to_arrays` gave.

    Args:
        arrays: may hold others, too.
        most: how many texts there may be.
        longest: characters that each may have.

    Raises:
        ValueError: it is anything else; more or longer texts, an empty one included.
    """
    utf8 = take(arrays, "utf8", np.uint8, (None,))
    ends = take(arrays, "ends", np.int64, (None,)).tolist()
    bounds = [0, *ends]
    if len(ends) > most or bounds != sorted(bounds) or bounds[-1] != len(utf8):
        raise ValueError("the ends do not divide the text")
    content = utf8.tobytes()
    texts = [content[start:end].decode() for start, end in pairwise(bounds)]
    if any(not 0 < len(text) <= longest for text in texts):
        raise ValueError("a text is empty or too long")
    return texts
