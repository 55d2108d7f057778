"""`gpu_kernels.hamming`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_kernels.hamming import hamming

HASHES = st.binary(min_size=32, max_size=32)


@given(HASHES, HASHES)
def test_it_counts_the_differing_bits(one: bytes, other: bytes) -> None:
    expected = (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()
    packed = [np.frombuffer(content, np.uint8)[None] for content in (one, other)]
    assert hamming(*packed).tolist() == [[expected]]


def test_every_query_meets_every_reference() -> None:
    zeros, ones = np.zeros((1, 32), np.uint8), np.full((2, 32), 255, np.uint8)
    assert hamming(zeros, ones).tolist() == [[256, 256]]
    assert hamming(ones, np.concatenate([zeros, ones])).shape == (2, 3)


def test_a_narrow_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        hamming(np.zeros((1, 8), np.uint8), np.zeros((1, 32), np.uint8))
