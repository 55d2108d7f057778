"""`agents.steps.remembering`."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.steps.remembering import (
    FILM_FRAMES,
    STILL_VIEWS,
    is_worth_remembering,
    seen_of,
    views_of,
)
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.search import MIN_PDQ_QUALITY
from streams.types import MediaItem, MediaKind
from tests.agents.pipeline import a_post
from tests.fakes import FakeClock, fingerprint_of, unit_rows

URL = "https://host.example/1"


def a_picture(number: int, views: int) -> ImageFingerprint:
    """A query's fingerprint: whole, and parts of it."""
    boxes = np.array([[0, 0, 1, 1], *([[0, 0, 0.5, 0.5]] * (views - 1))], np.float32)
    return replace(
        fingerprint_of(number),
        boxes=boxes,
        embeddings=unit_rows(number, views, 128),
        pdq=np.full((views, 32), number, np.uint8),
        pdq_quality=np.array([MIN_PDQ_QUALITY - row % 2 for row in range(views)], np.uint8),
    )


def test_of_a_picture_the_whole_and_its_largest_parts_are_kept() -> None:
    picture = a_picture(3, 7)
    views = views_of([picture], MediaKind.IMAGE)
    assert np.array_equal([view.vector for view in views], picture.embeddings[:STILL_VIEWS])
    assert [view.pdq for view in views] == [bytes([3]) * 32, None, bytes([3]) * 32, None]
    assert len(views_of([a_picture(3, 2)], MediaKind.IMAGE)) == 2


def test_of_a_flat_picture_its_parts_alone_are_kept_and_of_a_flat_frame_nothing() -> None:
    flat = replace(a_picture(3, 3), detail=0.1)
    kept = views_of([flat], MediaKind.IMAGE)
    assert np.array_equal([view.vector for view in kept], flat.embeddings[1:])
    assert views_of([flat], MediaKind.VIDEO) == ()
    assert views_of([], MediaKind.VIDEO) == ()
    assert views_of([], MediaKind.AUDIO) == ()


@given(st.lists(st.booleans(), max_size=60), st.randoms())
def test_of_a_film_few_frames_are_kept_spread_over_it(flat, random) -> None:  # type: ignore[no-untyped-def]
    prints = [
        replace(a_picture(place, 2), at_seconds=float(place), detail=0.1 if is_flat else 5.0)
        for place, is_flat in enumerate(flat)
    ]
    telling = [float(place) for place, is_flat in enumerate(flat) if not is_flat]
    random.shuffle(prints)
    kept = [view.at_seconds for view in views_of(prints, MediaKind.VIDEO)]
    assert len(kept) == min(FILM_FRAMES, len(telling))
    assert kept == sorted(set(kept))
    assert set(kept) <= set(telling)
    if kept:
        assert (kept[0], kept[-1]) == (telling[0], telling[-1] if len(kept) > 1 else telling[0])


def test_a_view_holds_no_more_than_itself() -> None:
    (view, *_) = views_of([a_picture(1, 3)], MediaKind.IMAGE)
    assert view.vector.base is None


def test_it_is_said_whose_views_they_are(clock: FakeClock) -> None:
    post = a_post(clock)
    views = views_of([a_picture(1, 2)], MediaKind.IMAGE)
    seen = seen_of(post, 4, views)
    assert {(one.post, one.medium, one.observed_at) for one in seen} == {
        (post.key, 4, post.observed_at)
    }
    assert [one.vector is view.vector for one, view in zip(seen, views, strict=True)] == [True] * 2


@pytest.mark.parametrize(
    ("kinds", "worth"),
    [
        ([], False),
        ([MediaKind.LINK, MediaKind.LINK], False),
        ([MediaKind.LINK, MediaKind.IMAGE], True),
        ([MediaKind.UNKNOWN], True),
        ([MediaKind.PAGE], True),
    ],
)
def test_a_post_of_links_alone_is_not_kept(
    clock: FakeClock, kinds: list[MediaKind], worth: bool
) -> None:
    media = tuple(MediaItem(url=URL, kind=kind) for kind in kinds)
    assert is_worth_remembering(a_post(clock, media=media)) is worth
