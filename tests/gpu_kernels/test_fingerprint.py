"""`gpu_kernels.fingerprint`, with an engine that needs no weights."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpu_kernels.engine import Embeddings, PictureBatch, at_unit_length
from gpu_kernels.fingerprint import (
    MIN_DETAIL,
    ImageFingerprint,
    fingerprint_query,
    fingerprint_reference,
    from_bytes,
    to_bytes,
)
from gpu_kernels.hamming import hamming
from tests.gpu_kernels.test_views import HOSTILE, on_page, photo


class Thumbnails:
    """Embeds a picture as its 8 x 8 thumbnail, centred."""

    space = "thumbnail/1/numpy/f32"
    side = 64

    def infer(self, images: PictureBatch, /) -> Embeddings:
        small = images.reshape(len(images), 8, 8, 8, 8, 3).mean(axis=(2, 4)).reshape(-1, 192)
        return at_unit_length(small - small.mean(axis=1, keepdims=True))

    def close(self) -> None:
        pass


def best(query: ImageFingerprint, reference: ImageFingerprint) -> float:
    rows, columns = query.comparable(), reference.comparable()
    return float((query.embeddings[rows] @ reference.embeddings[columns].T).max())


def test_a_query_has_a_box_an_embedding_and_a_hash_for_each_view() -> None:
    page = on_page(photo(260, 380), 900, 500, 200, 60)
    query = fingerprint_query(page, Thumbnails())
    assert len(query.boxes) == len(query.embeddings) == len(query.pdq) == len(query.pdq_quality)
    assert len(query.boxes) >= 2
    assert query.boxes[0].tolist() == [0, 0, 1, 1]
    assert (query.width, query.height) == (500, 900)
    assert query.space == Thumbnails.space


def test_a_reference_has_its_views_mirrored_and_eight_hashes() -> None:
    reference = fingerprint_reference(photo(300, 400), Thumbnails())
    assert len(reference.embeddings) == 2 * (1 + 9 + 2)
    assert len(reference.pdq) == len(reference.pdq_quality) == 8


def test_a_framed_reference_has_the_hashes_of_what_is_inside_too() -> None:
    framed = on_page(photo(300, 400), 500, 400, 100, 0, grey=0)
    assert len(fingerprint_reference(framed, Thumbnails()).pdq) == 16


@pytest.mark.parametrize("edit", ["mirror", "crop", "page"])
def test_edited_copies_are_nearer_than_other_pictures(edit: str) -> None:
    picture = photo(300, 400, seed=1, blobs=8)
    copies = {
        "mirror": picture[:, ::-1],
        "crop": picture[:210, :280],
        "page": on_page(picture, 700, 600, 200, 90),
    }
    reference = fingerprint_reference(picture, Thumbnails())
    other = fingerprint_query(photo(300, 400, seed=2, blobs=8), Thumbnails())
    copy = fingerprint_query(np.ascontiguousarray(copies[edit]), Thumbnails())
    assert best(copy, reference) > 0.9
    assert best(other, reference) < 0.6


def test_a_mirrored_copy_has_a_near_hash() -> None:
    picture = photo(400, 400, blobs=32)
    copy = fingerprint_query(np.ascontiguousarray(picture[:, ::-1]), Thumbnails())
    assert hamming(copy.pdq, fingerprint_reference(picture, Thumbnails()).pdq).min() <= 31


def test_nothing_of_a_flat_picture_is_comparable() -> None:
    flat = np.full((100, 100, 3), 40, np.uint8)
    for make in (fingerprint_query, fingerprint_reference):
        fingerprint = make(flat, Thumbnails())
        assert fingerprint.detail < MIN_DETAIL
        assert len(fingerprint.comparable()) == 0


def test_of_a_flat_page_its_parts_are_comparable() -> None:
    page = on_page(photo(300, 300), 1500, 1500, 600, 600)
    query = fingerprint_query(page, Thumbnails())
    assert query.detail < MIN_DETAIL
    assert 0 not in query.comparable()
    assert len(query.comparable()) >= 1


@pytest.mark.parametrize("size", HOSTILE, ids=str)
def test_no_shape_of_picture_raises(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    for make in (fingerprint_query, fingerprint_reference):
        fingerprint = make(picture, Thumbnails())
        assert np.isfinite(fingerprint.embeddings).all()


def test_what_is_stored_is_read_again() -> None:
    stored = fingerprint_reference(photo(300, 400), Thumbnails())
    read = from_bytes(to_bytes(stored))
    assert (read.width, read.height, read.space, read.detail) == (
        stored.width,
        stored.height,
        stored.space,
        stored.detail,
    )
    for name in ("boxes", "embeddings", "pdq", "pdq_quality"):
        np.testing.assert_array_equal(getattr(read, name), getattr(stored, name))


def archive(**fields: object) -> bytes:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in fields.items()}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk" * 100,
        archive(format=1),
        archive(format=2),
        archive(format=np.array([object()])),
        to_bytes(fingerprint_query(photo(64, 64), Thumbnails()))[:-200],
    ],
    ids=["empty", "junk", "fields", "format", "pickled", "truncated"],
)
def test_what_is_no_fingerprint_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"fingerprint|format|pickle"):
        from_bytes(content)


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    whole = fingerprint_query(photo(64, 64), Thumbnails())
    with pytest.raises(ValueError, match="do not fit together"):
        from_bytes(to_bytes(replace(whole, boxes=whole.boxes[:0])))
    with pytest.raises(ValueError, match="do not fit together"):
        from_bytes(to_bytes(replace(whole, pdq_quality=whole.pdq_quality[:0])))
