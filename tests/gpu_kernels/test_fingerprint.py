"""`gpu_kernels.fingerprint`, with an engine that needs no weights."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpu_kernels.engine import Embeddings, PictureBatch, at_unit_length
from gpu_kernels.fingerprint import (
    MIN_DETAIL,
    ImageFingerprint,
    fingerprint_moving_reference,
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
    for make in (fingerprint_query, fingerprint_reference, fingerprint_moving_reference):
        fingerprint = make(picture, Thumbnails())
        assert np.isfinite(fingerprint.embeddings).all()


def test_a_moving_reference_has_fewer_views_mirrored_and_eight_hashes() -> None:
    frame = fingerprint_moving_reference(photo(300, 400), Thumbnails())
    assert len(frame.embeddings) == len(frame.boxes) == 2 * (1 + 5)
    assert len(frame.pdq) == len(frame.pdq_quality) == 8
    assert frame.boxes[0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("edit", ["mirror", "corner"])
def test_edited_frames_are_nearer_than_other_frames(edit: str) -> None:
    picture = photo(300, 400, seed=1, blobs=8)
    copy = {"mirror": picture[:, ::-1], "corner": picture[90:, 120:]}[edit]
    reference = fingerprint_moving_reference(picture, Thumbnails())
    query = fingerprint_query(np.ascontiguousarray(copy), Thumbnails())
    other = fingerprint_query(photo(300, 400, seed=2, blobs=8), Thumbnails())
    assert best(query, reference) > 0.9
    assert best(other, reference) < 0.6


FIELDS = ("boxes", "embeddings", "pdq", "pdq_quality")


def assert_same(read: ImageFingerprint, stored: ImageFingerprint) -> None:
    for name in ("width", "height", "space", "detail", "at_seconds"):
        assert getattr(read, name) == getattr(stored, name)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(read, name), getattr(stored, name))


@pytest.mark.parametrize(
    "make", [fingerprint_query, fingerprint_reference, fingerprint_moving_reference]
)
def test_what_is_stored_is_read_again(make: Callable[..., ImageFingerprint]) -> None:
    stored = replace(make(photo(300, 400), Thumbnails()), at_seconds=12.25)
    assert_same(from_bytes(to_bytes(stored)), stored)


def archive(**fields: object) -> bytes:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in fields.items()}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def of_format_1(stored: ImageFingerprint, **changes: object) -> bytes:
    """Store as the first version did: an .npz archive."""
    fields: dict[str, object] = {
        "format": np.array(1),
        "size": np.array([stored.width, stored.height]),
        "space": np.frombuffer(stored.space.encode(), np.uint8),
        "boxes": stored.boxes,
        "embeddings": stored.embeddings,
        "pdq": stored.pdq,
        "pdq_quality": stored.pdq_quality,
        "detail": np.array(stored.detail),
    }
    return archive(**(fields | changes))


@pytest.mark.parametrize("make", [fingerprint_query, fingerprint_reference])
def test_what_the_first_version_stored_is_still_read(
    make: Callable[..., ImageFingerprint],
) -> None:
    stored = make(photo(300, 400), Thumbnails())
    assert_same(from_bytes(of_format_1(stored)), stored)


WHOLE = fingerprint_query(photo(64, 64), Thumbnails())
UNEQUAL: dict[str, dict[str, Any]] = {
    "no boxes": {"boxes": WHOLE.boxes[:0]},
    "no view": {"boxes": WHOLE.boxes[:0], "embeddings": WHOLE.embeddings[:0]},
    "three corners": {"boxes": WHOLE.boxes[:, :3]},
    "one long row": {"embeddings": WHOLE.embeddings.ravel()},
    "doubles": {"embeddings": WHOLE.embeddings.astype(np.float64)},
    "no number": {"embeddings": WHOLE.embeddings * np.float32(np.nan)},
    "a box without end": {"boxes": WHOLE.boxes + np.float32(np.inf)},
    "half a hash": {"pdq": WHOLE.pdq[:, :16]},
    "no quality": {"pdq_quality": WHOLE.pdq_quality[:0]},
    "too many hashes": {
        "pdq": np.zeros((257, 32), np.uint8),
        "pdq_quality": np.zeros(257, np.uint8),
    },
    "too many views": {
        "boxes": np.zeros((257, 4), np.float32),
        "embeddings": np.zeros((257, 2), np.float32),
    },
    "no text": {"space": np.array([255], np.uint8)},
}


@pytest.mark.parametrize("changes", UNEQUAL.values(), ids=UNEQUAL)
def test_arrays_that_do_not_fit_together_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no |not |utf-8"):
        ImageFingerprint.from_arrays({**WHOLE.to_arrays(), **changes})
    with pytest.raises(ValueError, match=r"no |not |utf-8"):
        from_bytes(of_format_1(WHOLE, **changes))


@pytest.mark.parametrize("numbers", [[np.nan, 0], [np.inf, 0], [3, np.nan], [3, np.inf], [3]])
def test_a_detail_or_a_time_that_is_no_number_is_refused(numbers: list[float]) -> None:
    with pytest.raises(ValueError, match="number"):
        ImageFingerprint.from_arrays(
            {**WHOLE.to_arrays(), "numbers": np.array(numbers, np.float64)}
        )


@pytest.mark.parametrize("name", WHOLE.to_arrays())
def test_an_array_that_is_missing_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        ImageFingerprint.from_arrays({k: v for k, v in WHOLE.to_arrays().items() if k != name})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk" * 100,
        b"PK" + b"junk" * 100,
        archive(format=1),
        archive(format=np.array([object()])),
        of_format_1(WHOLE, detail=np.array([object()])),
        of_format_1(WHOLE)[:-200],
        to_bytes(WHOLE)[:-200],
        to_bytes(WHOLE) + b"0",
    ],
    ids=[
        "empty",
        "junk",
        "junk archive",
        "fields",
        "pickled",
        "pickled detail",
        "short archive",
        "short",
        "long",
    ],
)
def test_what_is_no_fingerprint_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"fingerprint|pickle|packed|too many"):
        from_bytes(content)
