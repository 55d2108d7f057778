"""`gpu_kernels.pdq` against `pdqhash`, bit for bit."""

import cv2
import numpy as np
import pdqhash
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpu_kernels.hamming import hamming
from gpu_kernels.pdq import Picture, pdq, pdq_dihedral


def soft_picture(height: int, width: int, blobs: int, seed: int) -> Picture:
    rough = np.random.default_rng(seed).integers(0, 256, (blobs, blobs, 3), np.uint8)
    picture = cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(picture, np.uint8)


def noise(height: int, width: int) -> Picture:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def packed(bits: NDArray[np.integer]) -> list[int]:
    return [int(byte) for byte in np.packbits(bits.astype(np.uint8))]


def assert_equal_to_pdqhash(picture: Picture) -> None:
    bits, quality = pdqhash.compute(picture)
    ours, our_quality = pdq(picture)
    assert (ours.tolist(), our_quality) == (packed(bits), quality)
    turned, quality = pdqhash.compute_dihedral(picture)
    ours, our_quality = pdq_dihedral(picture)
    assert (ours.tolist(), our_quality) == ([packed(bits) for bits in turned], quality)


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    blobs=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_size_hashes_as_pdqhash_does(height: int, width: int, blobs: int, seed: int) -> None:
    assert_equal_to_pdqhash(soft_picture(height, width, blobs, seed))


@pytest.mark.parametrize(
    "size",
    [
        (64, 64),
        (63, 64),
        (65, 64),
        (128, 128),
        (129, 127),
        (5, 5),
        (5, 300),
        (777, 1023),
        (1200, 31),
    ],
    ids=str,
)
def test_sizes_at_the_edges_of_its_windows_hash_as_pdqhash_does(size: tuple[int, int]) -> None:
    assert_equal_to_pdqhash(noise(*size))


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_pictures_hash_as_pdqhash_does(value: int) -> None:
    assert_equal_to_pdqhash(np.full((90, 120, 3), value, np.uint8))


def test_grey_gradients_hash_as_pdqhash_does() -> None:
    ramp = np.tile(np.linspace(0, 255, 333).astype(np.uint8), (200, 1))
    assert_equal_to_pdqhash(np.ascontiguousarray(np.repeat(ramp[..., None], 3, axis=2)))


@pytest.mark.parametrize("size", [(1, 1), (4, 500), (500, 4)], ids=str)
def test_a_picture_under_five_pixels_has_no_hash(size: tuple[int, int]) -> None:
    hashed, quality = pdq(noise(*size))
    assert not hashed.any()
    assert quality == 0


def test_a_mirror_image_is_among_the_eight_orientations() -> None:
    picture = soft_picture(512, 512, 40, seed=4)
    mirrored, _ = pdq(np.ascontiguousarray(picture[:, ::-1]))
    turned, _ = pdq_dihedral(picture)
    assert hamming(mirrored[None], turned).min() <= 31


def test_a_strided_view_hashes_as_its_copy_does() -> None:
    picture = soft_picture(200, 300, 9, seed=4)[10:150, 20:250]
    assert pdq(picture)[0].tolist() == pdq(picture.copy())[0].tolist()
