"""`gpu_kernels.sound_search`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest

from gpu_kernels import sound_search
from gpu_kernels.sound import SoundFingerprint, fingerprint_sound
from gpu_kernels.sound_align import match_sound
from gpu_kernels.sound_search import SoundGallery

SECOND = 16_000


@cache
def a_print(seed: int, *, start: int = 0, seconds: int = 15) -> SoundFingerprint:
    random, parts = np.random.default_rng(seed), []
    time = np.arange(SECOND // 4) / SECOND
    for pitches in random.integers(0, 36, (60, 2)):
        hertz = 140 * 2 ** (pitches[:, None, None] / 12) * np.arange(1, 6)[:, None]
        parts.append(np.sin(2 * np.pi * hertz * time).sum(axis=(0, 1)) * np.exp(-4 * time))
    part = np.concatenate(parts)[start * SECOND : (start + seconds) * SECOND]
    return fingerprint_sound((0.05 * part).astype(np.float32))


@pytest.fixture
def gallery() -> SoundGallery:
    made = SoundGallery()
    for ordinal in range(8):
        made.add(ordinal, a_print(ordinal, seconds=15 if ordinal % 2 else 9))
    return made


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("seed", [3, 77])
def test_it_equals_matching_one_by_one(gallery: SoundGallery, seed: int, *, thorough: bool) -> None:
    query = a_print(seed, start=2, seconds=6)
    alone = {
        ordinal: match
        for ordinal in range(8)
        for one in [a_print(ordinal, seconds=15 if ordinal % 2 else 9)]
        if (match := match_sound(query, one, thorough=thorough)) is not None
    }
    found = gallery.search(query, 8, thorough=thorough)
    assert {one.ordinal for one in found} == set(alone)
    for one in found:
        assert one.match.similarity == pytest.approx(alone[one.ordinal].similarity, abs=1e-4)
    likeness = [one.match.similarity for one in found]
    assert likeness == sorted(likeness, reverse=True)


def test_the_excerpts_source_comes_first(gallery: SoundGallery) -> None:
    best = gallery.search(a_print(5, start=4, seconds=6), 3)[0]
    assert best.ordinal == 5
    assert best.match.reference_span_seconds == pytest.approx((4, 10), abs=0.5)


def test_below_leaves_out_what_came_later(gallery: SoundGallery) -> None:
    assert gallery.search(a_print(5), 1)[0].ordinal == 5
    assert 5 not in {one.ordinal for one in gallery.search(a_print(5), 8, below=5)}


def test_no_more_than_the_limit_come_back() -> None:
    gallery = SoundGallery()
    for ordinal in range(4):
        gallery.add(ordinal, a_print(1))
    assert [one.ordinal for one in gallery.search(a_print(1), 2)] == [0, 1]


def test_several_sounds_may_share_an_ordinal() -> None:
    gallery = SoundGallery()
    gallery.add(4, a_print(1))
    gallery.add(4, a_print(2))
    assert len(gallery) == 1
    for seed in (1, 2):
        found = gallery.search(a_print(seed), 5)
        assert [one.ordinal for one in found] == [4]
        assert found[0].match.similarity > 0.5


def test_an_empty_gallery_finds_nothing() -> None:
    gallery = SoundGallery()
    assert gallery.space is None
    assert gallery.search(a_print(1), 5) == []


def test_without_leaves_the_original_as_it_is(gallery: SoundGallery) -> None:
    rest = gallery.without({3})
    assert (len(gallery), len(rest)) == (8, 7)
    assert gallery.search(a_print(3), 1)[0].ordinal == 3
    assert 3 not in {one.ordinal for one in rest.search(a_print(3), 8)}


def test_what_was_forgotten_is_made_again(
    gallery: SoundGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = gallery.search(a_print(5), 3)
    monkeypatch.setattr(sound_search, "_KEPT_SEGMENTS", 2)
    monkeypatch.setattr(sound_search, "_BATCH_SEGMENTS", 3)
    fresh = gallery.without(set())
    for _ in range(2):
        after = fresh.search(a_print(5), 3)
        assert [one.ordinal for one in after] == [one.ordinal for one in before]
        assert len(fresh._prepared) <= 2


def test_another_space_is_refused(gallery: SoundGallery) -> None:
    one = a_print(1)
    stranger = SoundFingerprint(space="sound/9", bands=one.bands, weights=one.weights)
    with pytest.raises(ValueError, match="in a gallery of"):
        gallery.add(9, stranger)
    with pytest.raises(ValueError, match="in a gallery of"):
        gallery.search(stranger, 1)


def test_additions_and_searches_of_two_threads_do_not_disturb_each_other() -> None:
    gallery, stop = SoundGallery(), threading.Event()
    gallery.add(0, a_print(0))

    def search() -> int:
        count = 0
        while not stop.is_set():
            assert gallery.search(a_print(0), 3)[0].ordinal == 0
            count += 1
        return count

    with ThreadPoolExecutor(1) as pool:
        searching = pool.submit(search)
        for ordinal in range(1, 40):
            gallery.add(ordinal, a_print(ordinal % 8))
        stop.set()
        assert searching.result() >= 0
