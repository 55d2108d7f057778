"""`gpu_kernels.search`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpu_kernels import search
from gpu_kernels.alignment import Alignment, align
from gpu_kernels.films import MIN_PLAIN_FRAMES
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.hamming import hamming
from gpu_kernels.index import INDEXES
from gpu_kernels.search import MIN_ALIGNED, FrameGallery

SPACE = "toy/1/numpy/f32"


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("f4")
    return result


def a_print(
    seed: int,
    *,
    views: int = 3,
    detail: float = 5.0,
    space: str = SPACE,
    near: NDArray[np.float32] | None = None,
    pdq: NDArray[np.uint8] | None = None,
    quality: int = 100,
    at_seconds: float = 0.0,
) -> ImageFingerprint:
    """Random directions and hashes; `near` makes the last view point almost there."""
    random = np.random.default_rng(seed)
    embeddings = random.standard_normal((views, 16))
    if near is not None:
        embeddings[-1] = near + 0.05 * random.standard_normal(16)
    hashes = random.integers(0, 256, (views, 32), np.uint8) if pdq is None else pdq
    boxes = np.array([[0, 0, 1, 1], *[[0.1 * i, 0, 1, 1] for i in range(1, views)]], np.float32)
    return ImageFingerprint(
        width=10,
        height=10,
        space=space,
        boxes=boxes,
        embeddings=unit(embeddings),
        pdq=hashes,
        pdq_quality=np.full(len(hashes), quality, np.uint8),
        detail=detail,
        at_seconds=at_seconds,
    )


@pytest.fixture(params=sorted(INDEXES))
def gallery(request: pytest.FixtureRequest) -> FrameGallery:
    gallery = FrameGallery(request.param)
    for ordinal in range(20):
        gallery.add(ordinal, a_print(ordinal))
    return gallery


def test_the_most_similar_reference_comes_first_with_the_view_that_shows_it(
    gallery: FrameGallery,
) -> None:
    query = a_print(99, near=a_print(7).embeddings[1])
    best = gallery.search(query, 5)[0]
    assert best.ordinal == 7
    assert best.similarity > 0.9
    assert best.query_box == pytest.approx((0.2, 0, 1, 1))
    assert best.detail == 5.0


@given(seed=st.integers(0, 10**6), limit=st.integers(1, 25), below=st.integers(0, 21))
def test_it_equals_comparing_everything_with_everything(seed: int, limit: int, below: int) -> None:
    references = [a_print(n, views=1 + n % 4) for n in range(20)]
    gallery, query = FrameGallery("exact"), a_print(seed + 1000)
    for ordinal, reference in enumerate(references):
        gallery.add(ordinal, reference)
    expected = sorted(
        (
            (-float((query.embeddings @ one.embeddings.T).max()), ordinal)
            for ordinal, one in enumerate(references[:below])
        ),
    )
    found = gallery.search(query, limit, below=below)
    assert [one.ordinal for one in found] == [ordinal for _, ordinal in expected[:limit]]
    for one in found:
        least = hamming(query.pdq, references[one.ordinal].pdq).min()
        assert one.pdq_distance == least


def test_a_near_hash_is_found_whatever_the_embedding_says(gallery: FrameGallery) -> None:
    hashes = a_print(13).pdq.copy()
    hashes[0, 0] ^= 0b111
    found = gallery.search(a_print(500, pdq=hashes), 3)
    assert found[0].ordinal == 13
    assert found[0].pdq_distance == 0
    assert found[0].similarity == pytest.approx(
        float((a_print(500).embeddings @ a_print(13).embeddings.T).max()), abs=1e-5
    )


def test_hashes_of_low_quality_are_not_compared(gallery: FrameGallery) -> None:
    query = a_print(500, pdq=a_print(13).pdq, quality=49)
    assert {one.pdq_distance for one in gallery.search(query, 3)} == {None}


def test_a_flat_picture_matches_nothing_even_itself(gallery: FrameGallery) -> None:
    flat = a_print(3, views=1, detail=0.2)
    assert gallery.search(flat, 5) == []


def test_a_flat_page_is_still_searched_by_its_parts(gallery: FrameGallery) -> None:
    page = a_print(99, detail=0.2, near=a_print(7).embeddings[1])
    assert gallery.search(page, 1)[0].ordinal == 7
    assert gallery.search(a_print(3, detail=0.2), 1)[0].query_box != (0, 0, 1, 1)


def test_several_fingerprints_may_share_an_ordinal() -> None:
    gallery = FrameGallery()
    gallery.add(4, a_print(1))
    gallery.add(4, a_print(2))
    gallery.add(5, a_print(3))
    assert len(gallery) == 2
    found = gallery.search(a_print(2), 5)
    assert [one.ordinal for one in found] == [4, 5]
    assert found[0].pdq_distance == 0


def test_an_empty_gallery_finds_nothing() -> None:
    gallery = FrameGallery()
    assert gallery.space is None
    assert gallery.search(a_print(1), 5) == []


def test_without_leaves_the_original_as_it_is(gallery: FrameGallery) -> None:
    rest = gallery.without({7})
    assert (len(gallery), len(rest)) == (20, 19)
    assert gallery.search(a_print(7), 1)[0].ordinal == 7
    assert 7 not in {one.ordinal for one in rest.search(a_print(7), 20)}


def test_another_vector_space_is_refused(gallery: FrameGallery) -> None:
    stranger = a_print(1, space="toy/2/numpy/f32")
    with pytest.raises(ValueError, match="in a gallery of"):
        gallery.add(9, stranger)
    with pytest.raises(ValueError, match="in a gallery of"):
        gallery.search(stranger, 1)


def test_additions_and_searches_of_two_threads_do_not_disturb_each_other() -> None:
    gallery, stop = FrameGallery(), threading.Event()
    gallery.add(0, a_print(0))

    def search() -> int:
        count = 0
        while not stop.is_set():
            assert gallery.search(a_print(0), 3)[0].ordinal == 0
            count += 1
        return count

    with ThreadPoolExecutor(1) as pool:
        searching = pool.submit(search)
        for ordinal in range(1, 300):
            gallery.add(ordinal, a_print(ordinal))
        stop.set()
        assert searching.result() > 0


def film_of(
    seed: int, count: int, *, detail: float = 5.0, step: float = 1.0, space: str = SPACE
) -> list[ImageFingerprint]:
    """Frames one after the other, of which each has two or three views."""
    return [
        a_print(
            1000 * seed + n,
            views=2 + n % 2,
            detail=detail,
            space=space,
            quality=0,
            at_seconds=n * step,
        )
        for n in range(count)
    ]


def likest(query: ImageFingerprint, reference: ImageFingerprint, views: int | None = None) -> float:
    """Compare each view with each view."""
    return max(
        float(one @ other) for one in query.embeddings[:views] for other in reference.embeddings
    )


def affinity_of(
    queries: list[ImageFingerprint], references: list[ImageFingerprint], views: int | None = None
) -> NDArray[np.float32]:
    rows = [[likest(one, other, views) for other in references] for one in queries]
    return np.array(rows, np.float32)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), counts=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_a_films_lines_are_those_of_each_reference_alone(seed: int, counts: list[int]) -> None:
    """Every reference is a candidate: all that are near enough are aligned."""
    references = [film_of(50 + n, count) for n, count in enumerate(counts)]
    gallery = FrameGallery("exact")
    for ordinal, frames in enumerate(references):
        for one in reversed(frames):  # they may come in any order
            gallery.add(ordinal, one)
    queries = film_of(seed + 100, 5, step=0.5)
    found = {one.ordinal: one for one in gallery.search_film(queries, len(counts))}
    for ordinal, frames in enumerate(references):
        itself = affinity_of(frames, frames, views=1)
        affinity = affinity_of(queries, frames)
        times = [np.array([one.at_seconds for one in some]) for some in (queries, frames)]
        expected = align(affinity, itself, times[0], times[1])
        assert (ordinal in found) == (affinity.max() >= MIN_ALIGNED)
        if ordinal not in found:
            continue
        film = found[ordinal]
        assert film.alignment.similarity == pytest.approx(expected.similarity, abs=1e-5)
        assert film.alignment.pairs == expected.pairs
        assert film.moves == (len(frames) > 1)
        assert film.nearest is not None
        assert film.nearest.similarity == pytest.approx(float(affinity.max()), abs=1e-5)
        assert film.nearest_frame == int(affinity.max(axis=1).argmax())
        np.testing.assert_array_equal(gallery.seconds_of(ordinal), times[1])


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), limit=st.integers(1, 4), below=st.integers(0, 40))
def test_a_film_finds_in_each_frame_what_the_frame_finds_alone(
    seed: int, limit: int, below: int
) -> None:
    """Some frames must look further: one reference has many views, others are left out."""
    gallery = FrameGallery()
    for ordinal in range(40):
        for one in film_of(ordinal, 60 if ordinal == 3 else 1):
            gallery.add(ordinal, one)
    near = film_of(3, 60)[7]
    queries = [*film_of(seed + 100, 3), near]
    found = gallery.search_film(queries, 40, below=below)
    alone = [gallery.search(one, 40, below=below) for one in queries]
    for film in found:
        nearest = film.nearest
        assert nearest is not None
        assert nearest.similarity == pytest.approx(
            max(one.similarity for some in alone for one in some if one.ordinal == film.ordinal),
            abs=1e-5,
        )
    few = gallery.search_film(queries, limit, below=below)
    likest = sorted((one.nearest.similarity for one in found if one.nearest), reverse=True)
    kept = sorted((one.nearest.similarity for one in few if one.nearest), reverse=True)
    assert kept == pytest.approx(likest[:limit], abs=1e-5)


def test_a_copied_film_comes_first_with_its_place_and_time() -> None:
    gallery = FrameGallery()
    for ordinal in range(6):
        for one in film_of(ordinal, 20):
            gallery.add(ordinal, one)
    copy = [replace(one, at_seconds=n * 1.0) for n, one in enumerate(film_of(4, 20)[6:16])]
    found = gallery.search_film(copy, 3)
    assert found[0].ordinal == 4
    assert found[0].moves
    assert found[0].alignment.similarity == pytest.approx(1, abs=1e-5)
    assert found[0].alignment.reference_span_seconds == (6.0, 15.0)
    assert (found[0].alignment.pattern or 0) > 0.6
    assert max(one.alignment.pattern or 0 for one in found[1:]) < 0.5
    assert [one.alignment.similarity for one in found] == sorted(
        (one.alignment.similarity for one in found), reverse=True
    )


def test_others_search_and_add_while_one_aligns(monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = FrameGallery()
    for ordinal in range(3):
        for one in film_of(ordinal, 6):
            gallery.add(ordinal, one)
    expected = gallery.search_film(film_of(1, 6), 3)
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slowly(*arguments: Any) -> Alignment:
        begun.release()
        assert go_on.wait(20)
        return align(*arguments)

    monkeypatch.setattr(search, "align", slowly)
    with ThreadPoolExecutor(4) as pool:
        aligning = [pool.submit(gallery.search_film, film_of(1, 6), 3) for _ in range(2)]
        try:
            assert all(begun.acquire(timeout=10) for _ in aligning)
            found = pool.submit(gallery.search, film_of(2, 6)[3], 1).result(5)
            pool.submit(gallery.add, 1, a_print(77, at_seconds=6.0)).result(5)
        finally:
            go_on.set()
        assert [one.result(20) for one in aligning] == [expected, expected]
    assert found[0].ordinal == 2
    assert len(gallery.seconds_of(1)) == 7


def test_a_film_of_plain_frames_is_found_by_their_order() -> None:
    """None of them is compared alone."""
    gallery = FrameGallery()
    for one in film_of(1, 12, detail=0.5):
        gallery.add(0, replace(one, boxes=one.boxes * 0 + np.array([0, 0, 1, 1], np.float32)))
    copy = [
        replace(one, boxes=one.boxes * 0 + np.array([0, 0, 1, 1], np.float32))
        for one in film_of(1, 12, detail=0.5)[2:10]
    ]
    (found,) = gallery.search_film(copy, 5)
    assert found.nearest is None
    assert found.tells
    assert found.alignment.frames == 8
    assert found.alignment.reference_span_seconds == (2.0, 9.0)
    assert gallery.search_film(copy, 5, below=0) == []


def test_a_film_of_plain_frames_is_aligned_though_a_part_of_one_is_like_nothing() -> None:
    """In 16 dimensions the copy is turned so that no part of it is near, but for its order."""
    gallery = FrameGallery()
    whole = np.array([[0, 0, 1, 1]], np.float32)
    for n, one in enumerate(film_of(1, 12, detail=0.5)):
        boxes = one.boxes if n == 0 else np.repeat(whole, len(one.boxes), axis=0)
        gallery.add(0, replace(one, boxes=boxes))
    copy = [replace(one, boxes=np.repeat(whole, len(one.boxes), axis=0)) for one in film_of(1, 12)]
    part = gallery._kept[0][0].embeddings[1:]
    away = unit(np.random.default_rng(1).standard_normal((2, 16)) @ across(part))
    odd = replace(copy[5], boxes=np.array([[0, 0, 1, 1], [0.5, 0, 1, 1]], np.float32))
    copy = [replace(one, detail=0.5) for one in copy]
    copy[5] = replace(
        odd, embeddings=away, detail=0.5, pdq=odd.pdq[:2], pdq_quality=odd.pdq_quality[:2]
    )
    (found,) = gallery.search_film(copy, 5)
    assert found.nearest is not None
    assert found.nearest.similarity < MIN_ALIGNED
    assert found.alignment.frames == 12


def across(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Project onto what is at right angles to some rows."""
    basis, _ = np.linalg.qr(rows.T.astype(np.float64))
    return np.asarray(np.eye(rows.shape[1]) - basis @ basis.T)


def test_a_line_of_plain_frames_without_a_pattern_says_nothing() -> None:
    gallery = FrameGallery()
    for n in range(8):
        gallery.add(0, a_print(5, views=1, detail=0.0, at_seconds=float(n)))
        gallery.add(1, a_print(5, views=1, at_seconds=float(n)))
    found = {}
    for detail in (0.0, 5.0):
        query = [a_print(5, views=1, detail=detail, at_seconds=float(n)) for n in range(12)]
        for one in gallery.search_film(query, 5):
            assert one.alignment.pattern is None
            assert one.alignment.similarity == pytest.approx(1, abs=1e-5)
            found[one.ordinal, detail] = one.tells
    assert found == {(0, 0.0): False, (0, 5.0): False, (1, 5.0): True}


def test_a_few_plain_frames_have_no_order_worth_looking_at() -> None:
    gallery = FrameGallery()
    for one in film_of(1, MIN_PLAIN_FRAMES - 1, detail=0.5):
        gallery.add(0, replace(one, boxes=one.boxes * 0 + np.array([0, 0, 1, 1], np.float32)))
    assert gallery.search_film(film_of(1, 5), 5) == []


def test_a_reference_of_several_frames_moves_even_where_it_hardly_changes() -> None:
    gallery = FrameGallery()
    for n in range(8):
        gallery.add(0, a_print(5, at_seconds=float(n)))
        gallery.add(1, a_print(60 + n, at_seconds=float(n)))
    gallery.add(2, a_print(7))
    found = {one.ordinal: one.moves for one in gallery.search_film(film_of(1, 3), 5)}
    assert found == {0: True, 1: True, 2: False}


def test_frames_of_another_vector_space_are_never_aligned() -> None:
    """Frames too plain to be searched alone are refused like all others."""
    gallery = FrameGallery()
    for one in film_of(1, 8, detail=0.5):
        gallery.add(0, one)
    flat = np.array([0, 0, 1, 1], np.float32)
    strangers = [
        replace(one, boxes=one.boxes * 0 + flat)
        for one in film_of(1, 8, detail=0.5, space="toy/2/numpy/f32")
    ]
    with pytest.raises(ValueError, match="in a gallery of"):
        gallery.search_film(strangers, 5)


def test_no_frames_and_no_references_are_no_film() -> None:
    assert FrameGallery().search_film(film_of(1, 3), 5) == []
    gallery = FrameGallery()
    gallery.add(0, a_print(1))
    assert gallery.search_film([], 5) == []


def test_a_film_that_grows_is_aligned_anew() -> None:
    gallery = FrameGallery()
    frames = film_of(1, 10)
    for one in frames[:5]:
        gallery.add(0, one)
    assert gallery.search_film(frames, 1)[0].alignment.reference_span_seconds == (0.0, 4.0)
    for one in frames[5:]:
        gallery.add(0, one)
    for grown in (gallery, gallery.without({9})):
        assert grown.search_film(frames, 1)[0].alignment.reference_span_seconds == (0.0, 9.0)


def test_what_was_added_under_an_ordinal_is_given_back(gallery: FrameGallery) -> None:
    one, two = a_print(31), a_print(32)
    gallery.add(31, one)
    gallery.add(31, two)
    assert gallery.prints_of(31) == (one, two)
    assert gallery.prints_of(99) == ()
