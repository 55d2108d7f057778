"""`gpu_kernels.texts`."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpu_kernels.texts import from_arrays, to_arrays

WORDS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9), max_size=5
)


@given(WORDS)
def test_texts_come_back_as_they_went(words: list[str]) -> None:
    assert from_arrays(to_arrays(words), most=5, longest=9) == words


@pytest.mark.parametrize(
    ("utf8", "ends"),
    [
        (b"abc", [2]),
        (b"abc", [4]),
        (b"abc", [2, 1, 3]),
        (b"abc", [0, 3]),
        (b"abc", [-1, 3]),
        (b"abc", []),
        ("해".encode(), [1, 3]),
        (b"\xff", [1]),
        (b"abcdef", [6]),
        (b"abc", [1, 2, 3]),
    ],
)
def test_what_is_no_list_of_texts_is_refused(utf8: bytes, ends: list[int]) -> None:
    arrays: dict[str, NDArray[Any]] = {
        "utf8": np.frombuffer(utf8, np.uint8),
        "ends": np.array(ends, np.int64),
    }
    with pytest.raises(ValueError):  # noqa: PT011 - UnicodeDecodeError is one
        from_arrays(arrays, most=2, longest=5)


def test_a_missing_array_is_refused() -> None:
    with pytest.raises(ValueError, match="utf8"):
        from_arrays({"ends": np.zeros(0, np.int64)}, most=2, longest=5)
