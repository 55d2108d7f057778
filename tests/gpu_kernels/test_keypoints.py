"""`gpu_kernels.keypoints`, on scikit-image's packaged pictures."""

from dataclasses import replace
from functools import cache
from itertools import combinations

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from gpu_kernels import keypoints
from gpu_kernels.arrays import Arrays, pack, unpack
from gpu_kernels.keypoints import MAX_POINTS, SIDE, Agreement, Keypoints, agree, find_keypoints
from gpu_kernels.views import Picture
from tests.gpu_kernels.test_views import HOSTILE

NAMES = ("astronaut", "camera", "coffee", "chelsea", "coins", "page")
UNRELATED = 6
"""Places that pictures have in common by chance, at most."""


@cache
def picture(name: str) -> Picture:
    found = np.asarray(getattr(skimage.data, name)(), np.uint8)
    return np.dstack([found] * 3) if found.ndim == 2 else found


@cache
def points_of(name: str) -> Keypoints:
    return find_keypoints(picture(name))


def compared(copy: NDArray[np.uint8], name: str) -> Agreement:
    return agree(find_keypoints(np.ascontiguousarray(copy)), points_of(name))


def middle(whole: Picture) -> Picture:
    height, width = whole.shape[:2]
    return whole[height // 5 : height * 4 // 5, width // 5 : width * 4 // 5]


def half(whole: Picture) -> Picture:
    small = cv2.resize(whole, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def compressed(whole: Picture) -> Picture:
    _, content = cv2.imencode(".jpg", whole, [cv2.IMWRITE_JPEG_QUALITY, 30])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_a_crop_agrees_within_its_part_of_the_reference(name: str) -> None:
    found = compared(middle(picture(name)), name)
    assert found.points > 60
    assert not found.mirrored
    assert 0.2 < found.share < 0.4


@pytest.mark.parametrize("name", NAMES)
def test_a_smaller_copy_agrees(name: str) -> None:
    found = compared(half(picture(name)), name)
    assert found.points > 40
    assert found.share > 0.3


@pytest.mark.parametrize("name", NAMES)
def test_a_compressed_copy_agrees(name: str) -> None:
    found = compared(compressed(picture(name)), name)
    assert found.points > 100
    assert found.share > 0.3


@pytest.mark.parametrize("name", NAMES)
def test_a_mirrored_copy_agrees_and_is_told_apart(name: str) -> None:
    found = compared(picture(name)[:, ::-1], name)
    assert found.points > 150
    assert found.mirrored


def test_unrelated_pictures_agree_by_chance_alone() -> None:
    for one, other in combinations(NAMES, 2):
        assert agree(points_of(one), points_of(other)).points <= UNRELATED, (one, other)


def test_a_picture_in_a_page_is_boxed() -> None:
    page = np.full((900, 700, 3), 255, np.uint8)
    page[300:600, 100:551] = picture("chelsea")
    found = compared(page, "chelsea")
    assert found.points > 100
    assert found.box is not None
    x0, y0, x1, y1 = found.box
    assert 100 / 700 <= x0 <= 0.2
    assert 0.65 <= x1 <= 551 / 700
    assert 300 / 900 <= y0 <= 0.4
    assert 0.6 <= y1 <= 600 / 900


def test_the_box_is_the_mirrored_copys_own() -> None:
    """A picture's left half, mirrored, on the right of a page."""
    page = np.full((400, 900, 3), 255, np.uint8)
    page[50:350, 600:825] = picture("chelsea")[:, 225::-1][:, :225]
    found = compared(page, "chelsea")
    assert found.mirrored
    assert found.box is not None
    assert 600 / 900 <= found.box[0] < found.box[2] <= 825 / 900
    assert 0.2 < found.share <= 0.5


def test_a_logo_that_two_pictures_share_is_a_small_share() -> None:
    logo = half(half(picture("astronaut")))
    one, other = picture("coffee").copy(), picture("camera").copy()
    for page in (one, other):
        page[:128, -128:] = logo
    found = agree(find_keypoints(one), find_keypoints(other))
    assert found.points > UNRELATED
    assert 0 < found.share < 0.08


def test_mirrored_descriptors_are_those_of_the_mirrored_picture() -> None:
    """A picture and its mirror image have the same points; their descriptors turn around."""
    whole = picture("astronaut")
    ours, theirs = find_keypoints(whole), find_keypoints(np.ascontiguousarray(whole[:, ::-1]))
    x = whole.shape[1] - 0.5 - theirs.points[:, 0]  # OpenCV's points are a quarter off
    turned = np.stack([x, theirs.points[:, 1]], axis=1)
    gaps = np.linalg.norm(ours.points[:, None] - turned[None], axis=2)
    same = np.flatnonzero(gaps.min(axis=1) < 0.1)
    assert len(same) > 300
    turned_around = theirs.descriptors[:, keypoints._MIRRORED]
    np.testing.assert_array_equal(turned_around, bin_by_bin(theirs.descriptors))
    mirrored = unit(turned_around)
    straight, plain = unit(ours.descriptors), unit(theirs.descriptors)
    # A corner has several points, one for each direction: the likest is its own
    best = [(straight[i] @ mirrored[gaps[i] < 0.1].T).max() for i in same]
    without = [(straight[i] @ plain[gaps[i] < 0.1].T).max() for i in same]
    assert np.median(best) > 0.98
    assert np.median(without) < 0.9


def bin_by_bin(descriptors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn a 4 x 4 grid of 8 angles around."""
    turned = np.zeros_like(descriptors)
    for row in range(4):
        for column in range(4):
            for angle in range(8):
                target = ((3 - row) * 4 + column) * 8 + (8 - angle) % 8
                turned[:, (row * 4 + column) * 8 + angle] = descriptors[:, target]
    return turned


def unit(rows: NDArray[np.uint8]) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True))


@pytest.mark.parametrize("size", HOSTILE, ids=str)
@pytest.mark.parametrize("kind", ["noise", "flat"])
def test_no_shape_of_picture_raises(size: tuple[int, int], kind: str) -> None:
    hostile = np.full((*size, 3), 200, np.uint8)
    if kind == "noise":
        hostile = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    found = find_keypoints(hostile)
    assert len(found.points) == len(found.descriptors) <= MAX_POINTS
    assert max(found.width, found.height) <= SIDE
    for query, reference in ((found, points_of("coins")), (points_of("coins"), found)):
        assert agree(query, reference).points <= UNRELATED


def test_pictures_without_points_do_not_agree() -> None:
    flat = find_keypoints(np.full((200, 300, 3), 90, np.uint8))
    assert len(flat.points) == 0
    assert agree(flat, flat) == Agreement()


def test_the_same_points_over_and_over_are_no_transform() -> None:
    """All of one picture's points at one place: what is drawn through them is degenerate."""
    coins = points_of("coins")
    heap = replace(coins, points=np.full_like(coins.points, 50))
    assert agree(coins, heap).points <= 1
    assert agree(heap, coins).points <= 1


def test_what_is_packed_comes_back() -> None:
    sent = replace(points_of("coins"), at_seconds=12.5)
    read = Keypoints.from_arrays(unpack(pack(sent.to_arrays())))
    assert (read.width, read.height, read.at_seconds) == (384, 303, 12.5)
    np.testing.assert_array_equal(read.points, sent.points)
    np.testing.assert_array_equal(read.descriptors, sent.descriptors)


GOOD = Keypoints(
    width=40,
    height=30,
    points=np.ones((3, 2), np.float32),
    descriptors=np.ones((3, 128), np.uint8),
).to_arrays()


@pytest.mark.parametrize(
    "change",
    [
        {"size": np.array([40, 0])},
        {"size": np.array([-1, 30])},
        {"size": np.array([SIDE + 1, 30])},
        {"size": np.array([40, 30, 3])},
        {"points": np.ones((2, 2), np.float32)},
        {"points": np.ones((3, 3), np.float32)},
        {"points": np.full((3, 2), np.nan, np.float32)},
        {"points": np.ones((3, 2), np.float64)},
        {"descriptors": np.ones((3, 64), np.uint8)},
        {
            "points": np.ones((MAX_POINTS + 1, 2), np.float32),
            "descriptors": np.ones((MAX_POINTS + 1, 128), np.uint8),
        },
        {"at": np.array([np.inf])},
        {"at": np.array([1, 2.0])},
    ],
    ids=[
        "flat",
        "negative",
        "large",
        "deep",
        "fewer points",
        "3 axes",
        "nowhere",
        "doubles",
        "short",
        "too many",
        "never",
        "two times",
    ],
)
def test_what_no_picture_has_is_refused(change: Arrays) -> None:
    assert Keypoints.from_arrays(GOOD).width == 40
    with pytest.raises(ValueError, match=r"no |not |nowhere"):
        Keypoints.from_arrays({**GOOD, **change})


@pytest.mark.parametrize("name", GOOD)
def test_an_array_that_is_missing_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Keypoints.from_arrays({one: array for one, array in GOOD.items() if one != name})
