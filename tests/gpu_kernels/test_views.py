"""`gpu_kernels.views`."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_kernels.views import (
    MAX_REGIONS,
    SAME_BOX,
    WHOLE,
    Box,
    Picture,
    corners,
    crops,
    cut,
    detail,
    distinct,
    overlap,
    query_boxes,
    regions,
    shrink,
    tilted,
    to_square,
    trim,
    within,
)


def photo(height: int, width: int, seed: int = 0, blobs: int = 24) -> Picture:
    """Draw something with the detail of a photograph."""
    random = np.random.default_rng(seed)
    rough = random.integers(0, 256, (blobs, blobs, 3), np.uint8)
    soft = cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(soft, np.uint8)


def on_page(picture: Picture, height: int, width: int, y: int, x: int, grey: int = 255) -> Picture:
    page = np.full((height, width, 3), grey, np.uint8)
    page[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return page


def box_of(picture: Picture, height: int, width: int, y: int, x: int) -> Box:
    return Box(
        x / width, y / height, (x + picture.shape[1]) / width, (y + picture.shape[0]) / height
    )


HOSTILE = [(1, 1), (1, 900), (900, 1), (2, 3000), (3, 3), (7, 640), (1200, 5)]


@pytest.mark.parametrize("size", HOSTILE, ids=str)
@pytest.mark.parametrize("kind", ["noise", "flat"])
def test_no_shape_of_picture_raises(size: tuple[int, int], kind: str) -> None:
    picture = np.full((*size, 3), 200, np.uint8)
    if kind == "noise":
        picture = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    boxes = query_boxes(picture)
    assert boxes[0] == WHOLE
    for box in boxes:
        assert to_square(cut(picture, box), 32).shape == (32, 32, 3)
    assert detail(picture) >= 0
    assert all(turned.size for turned in tilted(picture))


@settings(deadline=None, max_examples=40)
@given(height=st.integers(1, 200), width=st.integers(1, 200), seed=st.integers(0, 999))
def test_boxes_lie_in_the_picture_and_show_different_parts(
    height: int, width: int, seed: int
) -> None:
    boxes = query_boxes(photo(height, width, seed))
    for box in boxes:
        assert -1e-9 <= box.x0 < box.x1 <= 1 + 1e-9
        assert -1e-9 <= box.y0 < box.y1 <= 1 + 1e-9
    assert all(overlap(one, other) < SAME_BOX for i, one in enumerate(boxes) for other in boxes[:i])
    assert len(boxes) <= MAX_REGIONS + 2


@pytest.mark.parametrize("grey", [0, 255, 90])
def test_bars_around_a_picture_are_trimmed(grey: int) -> None:
    picture = photo(300, 400)
    page = on_page(picture, 500, 400, 120, 0, grey)
    assert overlap(trim(page), box_of(picture, 500, 400, 120, 0)) > 0.97


def test_a_picture_without_a_frame_is_not_trimmed() -> None:
    assert trim(photo(300, 400)) == WHOLE
    assert trim(np.full((50, 60, 3), 7, np.uint8)) == WHOLE


def test_a_picture_on_a_page_is_a_region() -> None:
    picture = photo(260, 380)
    page = on_page(picture, 900, 500, 200, 60)
    cv2.putText(page, "some words", (40, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (0, 0, 0), 3)
    found = regions(page)
    assert max(overlap(box, box_of(picture, 900, 500, 200, 60)) for box in found) > 0.95


def test_a_picture_pasted_on_another_is_a_region() -> None:
    backdrop = photo(600, 800, seed=1, blobs=4)
    picture = photo(330, 480, seed=20, blobs=4)
    page = backdrop.copy()
    page[150:480, 170:650] = picture
    found = regions(page)
    assert max(overlap(box, box_of(picture, 600, 800, 150, 170)) for box in found) > 0.9


def test_black_bars_within_a_region_are_trimmed_too() -> None:
    picture = photo(240, 120)
    player = on_page(picture, 240, 420, 0, 150, grey=0)
    page = on_page(player, 600, 700, 200, 100)
    assert max(overlap(box, box_of(picture, 600, 700, 200, 250)) for box in regions(page)) > 0.9


def test_icons_and_lines_of_text_are_no_regions() -> None:
    page = np.full((800, 600, 3), 255, np.uint8)
    cv2.rectangle(page, (20, 20), (70, 70), (200, 0, 0), -1)
    cv2.rectangle(page, (20, 200), (580, 240), (0, 0, 0), -1)
    assert regions(page) == []


def test_detail_tells_a_photo_from_what_has_none() -> None:
    ramp = np.repeat(np.tile(np.linspace(0, 255, 300).astype(np.uint8), (200, 1))[..., None], 3, 2)
    assert detail(np.full((200, 300, 3), 128, np.uint8)) == 0
    assert detail(ramp) < 1.5
    assert detail(photo(200, 300)) > 3


def test_shrinking_keeps_the_shape_and_leaves_the_small_alone() -> None:
    picture = photo(300, 600)
    assert shrink(picture, 200).shape == (100, 200, 3)
    assert shrink(picture, 600) is picture
    assert shrink(photo(1, 900), 10).shape == (1, 10, 3)


def test_a_box_within_a_box_is_told_in_the_whole() -> None:
    assert within(Box(0.5, 0, 1, 0.5), Box(0, 0.5, 0.5, 1)) == Box(0.5, 0.25, 0.75, 0.5)


def test_of_boxes_that_show_the_same_the_first_stays() -> None:
    near = Box(0.01, 0, 1, 1)
    part = Box(0, 0, 0.5, 0.5)
    assert distinct([WHOLE, near, part]) == [WHOLE, part]


def test_crops_cover_half_of_the_area_each() -> None:
    assert len(set(crops())) == 9
    for crop in crops():
        assert crop.area == pytest.approx(0.49)
        assert crop.x1 <= 1
        assert crop.y1 <= 1


def test_corners_and_the_middle_are_five_of_the_crops() -> None:
    assert len(set(corners())) == 5
    for corner in corners():
        assert any(overlap(corner, crop) > 0.999 for crop in crops())
    assert {(box.x0, box.y0) for box in corners()} >= {(0, 0)}
    assert any(box.x1 == pytest.approx(1) == box.y1 for box in corners())
