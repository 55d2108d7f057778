"""`agents.looking_back`."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from agents import looking_back
from agents.looking_back import look_back, queries_of
from gpu_kernels.fingerprint import ImageFingerprint
from monitors.gallery import Gallery, Owner
from monitors.lookback import MemoryLookBackStore, SeenFingerprint
from monitors.shelf import Shelf
from streams.types import CaseId, ContentId, PostKey, ReferenceId
from tests.fakes import FakeClock, fingerprint_of

NOW = FakeClock().now()
CASE = CaseId("case 1")
SPACE = fingerprint_of(1).space


def gallery_of(*references: tuple[int, list[ImageFingerprint]]) -> Gallery:
    """Make a gallery of references: whose case, and what frames."""
    shelf, owners = Shelf(), []
    for ordinal, (case, prints) in enumerate(references):
        for one in prints:
            shelf.frames.add(ordinal, one)
        reference = ReferenceId(f"reference {ordinal}")
        owners.append(
            Owner(case=CaseId(f"case {case}"), reference=reference, content=ContentId("c"))
        )
    return Gallery(version=1, owners=tuple(owners), shelf=shelf, keywords=())


def film(first: int, frames: int) -> list[ImageFingerprint]:
    return [replace(fingerprint_of(first + i), at_seconds=float(i)) for i in range(frames)]


def seen(number: int, hours: int = 0) -> SeenFingerprint:
    return SeenFingerprint(
        post=PostKey(f"{number:032x}"),
        medium=number % 3,
        at_seconds=0.0,
        vector=fingerprint_of(number).embeddings[1],
        pdq=None,
        observed_at=NOW - timedelta(hours=hours),
    )


def rows(queries: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in queries}


def test_a_case_is_asked_about_by_every_view_of_its_own_references() -> None:
    gallery = gallery_of((1, [fingerprint_of(1)]), (2, [fingerprint_of(2)]), (1, film(10, 3)))
    wanted = [fingerprint_of(number).embeddings for number in (1, 10, 11, 12)]
    assert rows(queries_of(gallery, CASE)) == rows(np.concatenate(wanted))


def test_a_flat_frame_asks_about_nothing() -> None:
    gallery = gallery_of((1, [fingerprint_of(1, detail=0.5)]), (1, [fingerprint_of(2)]))
    assert rows(queries_of(gallery, CASE)) == rows(fingerprint_of(2).embeddings)
    assert queries_of(gallery, CaseId("case 9")).shape == (0, 0)


def test_of_much_footage_each_reference_has_its_share_spread_over_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looking_back, "MOST_QUERIES", 20)
    gallery = gallery_of((1, film(100, 64)), (1, [fingerprint_of(1)]), (1, film(200, 64)))
    found = rows(queries_of(gallery, CASE))
    assert len(found) == 20
    assert found >= rows(fingerprint_of(1).embeddings)
    for first in (100, 200):
        places = [
            frame
            for frame in range(64)
            if fingerprint_of(first + frame).embeddings[0].tobytes() in found
        ]
        assert len(places) == 9
        assert max(np.diff([0, *places, 63])) <= 16


def test_no_more_is_asked_about_than_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking_back, "MOST_QUERIES", 5)
    gallery = gallery_of(*((1, [fingerprint_of(number)]) for number in range(9)))
    assert len(queries_of(gallery, CASE)) == 5


def test_what_was_seen_and_is_like_a_reference_is_found() -> None:
    store = MemoryLookBackStore()
    store.of(SPACE).add([seen(number, hours=number) for number in range(30)])
    gallery = gallery_of((1, [fingerprint_of(4), fingerprint_of(20)]), (2, [fingerprint_of(5)]))
    found = look_back(store, gallery, CASE)
    assert {(post, medium) for post, medium, cosine in found if cosine > 0.99} == {
        (seen(4).post, 1),
        (seen(20).post, 2),
    }
    late = look_back(store, gallery, CASE, since=NOW - timedelta(hours=10))
    assert [post for post, _, cosine in late if cosine > 0.99] == [seen(4).post]


def test_there_is_nothing_to_find_without_references_or_in_another_space() -> None:
    store = MemoryLookBackStore()
    store.of("other/1/numpy/f32").add([seen(1)])
    assert look_back(store, gallery_of((1, [fingerprint_of(1)])), CASE) == []
    assert look_back(store, gallery_of(), CASE) == []
