"""Which parts of a picture are looked at: the whole, the whole without its frame, its regions.

A copy seldom fills the picture that it is found in: it stands in a screenshot, a collage, a page.
Regions are the bounding boxes of an edge map's outer contours. On samples of the development set
they took web-page screenshots from 4% to over 96% of recall (shared research, "Matching", 7) at
about two embeddings a picture. Boxes are x0, y0, x1, y1 in 0..1 of the whole picture.

Pictures come from strangers: one pixel wide, flat, a hundred times wider than high. Every function
here takes any uint8 (height, width, 3) with at least one pixel.
"""

from typing import NamedTuple, TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[np.uint8]
"""Shape (height, width, 3), RGB, 0..255."""


class Box(NamedTuple):
    """A part of a picture, in fractions of its width and height."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def area(self) -> float:
        """Share of the picture, 0..1."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)


WHOLE = Box(0.0, 0.0, 1.0, 1.0)

MAX_REGIONS = 12
"""More regions than this are not looked at, the smallest first."""
MIN_REGION_AREA = 0.03
"""Of the picture; smaller regions are icons."""
MAX_REGION_AREA = 0.95
"""Of the picture; larger regions are the picture."""
MAX_ASPECT = 5.0
"""Longer strips are lines of text and bars."""
MIN_INNER_AREA = 0.1
"""Of the picture; smaller inner contours are things in a photograph, not photographs."""
MAX_INNER = 2
"""Inner contours looked at. All of them find .96 of collages at similarity .37, at 2.7 more
embeddings a picture; these two .93 at 0.6 (none: .88)."""
SAME_BOX = 0.8
"""Intersection over union from which two boxes show the same."""

_WORK_SIDE = 320
"""Edges are looked for at this size."""
_MIN_REGION_PIXELS = 24
"""Of the original; less holds nothing to recognise."""
_CANNY = (50, 150)
_FLAT_SPREAD = 16
"""Range of brightness, of 255, within which a row is a frame's, JPEG noise included."""
_ODD_SHARE = 0.02
"""Share of a row's pixels, at either end, that may lie outside of that range."""
_TRIM_SIDE = 240
"""Frames are looked for at this size."""
_CROP = 0.7
"""Side of a reference's crops: half of its area."""
_TILT_DEGREES = 15.0
_TILT_BOX = Box(0.12, 0.12, 0.88, 0.88)


def _pixels(array: object) -> NDArray[np.uint8]:
    """Tell the type checker what OpenCV returns for a uint8 picture."""
    return cast("NDArray[np.uint8]", array)


def shrink(image: Picture, side: int) -> Picture:
    """Return the picture with no side longer than `side`; itself where it is small enough."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return _pixels(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def cut(image: Picture, box: Box) -> Picture:
    """Return the box's pixels, at least one; a view into `image`."""
    height, width = image.shape[:2]
    x0, y0 = min(round(box.x0 * width), width - 1), min(round(box.y0 * height), height - 1)
    x1, y1 = max(round(box.x1 * width), x0 + 1), max(round(box.y1 * height), y0 + 1)
    return image[y0:y1, x0:x1]


def to_square(image: Picture, side: int) -> Picture:
    """Squeeze a picture into side x side pixels, as SSCD was trained to see it."""
    large = min(image.shape[:2]) > side
    method = cv2.INTER_AREA if large else cv2.INTER_LINEAR
    return _pixels(cv2.resize(np.ascontiguousarray(image), (side, side), interpolation=method))


def detail(image: Picture) -> float:
    """Measure how much there is to recognise: 0 for a flat picture, about 3 to 6 for a photograph.

    Entropy in bits of the brightness differences between neighbours, at 64 x 64 pixels: gradients,
    flat colours and blank pages are near 0.
    """
    grey = cv2.cvtColor(to_square(image, 64), cv2.COLOR_RGB2GRAY).astype(np.int16)
    steps = np.concatenate([np.diff(grey, axis=0).ravel(), np.diff(grey, axis=1).ravel()])
    counts = np.bincount(steps + 255, minlength=511)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def trim(image: Picture) -> Box:
    """Find the picture inside a plain frame: bars above, below or beside it.

    Returns:
        The box without the frame; `WHOLE` where there is none, or where hardly anything would stay.
    """
    small = np.ascontiguousarray(shrink(image, _TRIM_SIDE))
    grey = _pixels(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
    height, width = grey.shape
    y0, y1 = _inner(_flat_rows(grey))
    x0, x1 = _inner(_flat_rows(grey[y0:y1].T))
    box = Box(x0 / width, y0 / height, x1 / width, y1 / height)
    return box if box.area >= MIN_REGION_AREA else WHOLE


def _flat_rows(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Say of each row whether nearly all of its pixels are nearly as bright."""
    ordered = np.sort(grey, axis=1).astype(np.int16)
    few = int(ordered.shape[1] * _ODD_SHARE)
    flat: NDArray[np.bool_] = ordered[:, -1 - few] - ordered[:, few] <= _FLAT_SPREAD
    return flat


def _inner(flat: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the range left by the flat rows at both ends; everything where all are flat."""
    lively = np.flatnonzero(~flat)
    return (int(lively[0]), int(lively[-1]) + 1) if lively.size else (0, len(flat))


def regions(image: Picture) -> list[Box]:
    """Propose the pictures within a picture, largest first, each without its own frame.

    An edge map's outer contours are what stands apart on a page; its two largest inner contours
    are what was pasted onto another photograph, whose own edges run into it.
    """
    small = shrink(image, _WORK_SIDE)
    height, width = small.shape[:2]
    edges = cv2.dilate(cv2.Canny(small, *_CANNY), np.ones((3, 3), np.uint8))
    contours, tree = cv2.findContours(edges, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    outer: list[Box] = []
    inner: list[Box] = []
    if not contours:
        return []
    for contour, links in zip(contours, tree[0], strict=True):
        x, y, w, h = cv2.boundingRect(contour)  # one pixel too large on each side: dilated
        box = Box((x + 1) / width, (y + 1) / height, (x + w - 1) / width, (y + h - 1) / height)
        if _is_region(box, image):
            (outer if links[3] < 0 else inner).append(box)
    large = [box for box in inner if box.area >= MIN_INNER_AREA]
    found = [_unframed(box, image) for box in [*outer, *_largest(large, MAX_INNER)]]
    return _largest([box for box in found if _is_region(box, image)], MAX_REGIONS)


def _largest(boxes: list[Box], count: int) -> list[Box]:
    """Return the largest boxes that show different parts, largest first."""
    return distinct(sorted(boxes, key=lambda box: -box.area))[:count]


def _unframed(box: Box, image: Picture) -> Box:
    return within(box, trim(cut(image, box)))


def _is_region(box: Box, image: Picture) -> bool:
    width, height = (box.x1 - box.x0) * image.shape[1], (box.y1 - box.y0) * image.shape[0]
    return (
        MIN_REGION_AREA <= box.area <= MAX_REGION_AREA
        and min(width, height) >= _MIN_REGION_PIXELS
        and max(width, height) <= MAX_ASPECT * min(width, height)
    )


def within(outer: Box, inner: Box) -> Box:
    """Express a box of a part of the picture in the whole picture."""
    width, height = outer.x1 - outer.x0, outer.y1 - outer.y0
    return Box(
        outer.x0 + inner.x0 * width,
        outer.y0 + inner.y0 * height,
        outer.x0 + inner.x1 * width,
        outer.y0 + inner.y1 * height,
    )


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, 0..1."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (one.area + other.area - shared)


def distinct(boxes: list[Box]) -> list[Box]:
    """Drop every box that shows what an earlier one shows."""
    kept: list[Box] = []
    for box in boxes:
        if all(overlap(box, other) < SAME_BOX for other in kept):
            kept.append(box)
    return kept


def query_boxes(image: Picture) -> list[Box]:
    """What is embedded of a picture that may hold a copy: whole, without frame, regions."""
    return distinct([WHOLE, trim(image), *regions(image)])


def crops() -> list[Box]:
    """Return a reference's further views: a grid of nine crops, half of its area each."""
    starts = (0.0, (1 - _CROP) / 2, 1 - _CROP)
    return [Box(x, y, x + _CROP, y + _CROP) for y in starts for x in starts]


def corners() -> list[Box]:
    """Return a moving reference's further views: its four corners and its middle."""
    starts = (0.0, 1 - _CROP)
    middle = (1 - _CROP) / 2
    places = [*((x, y) for y in starts for x in starts), (middle, middle)]
    return [Box(x, y, x + _CROP, y + _CROP) for x, y in places]


def tilted(image: Picture) -> list[Picture]:
    """Return a reference turned by 15 degrees either way, without the corners that it lacks."""
    height, width = image.shape[:2]
    turned = []
    for degrees in (-_TILT_DEGREES, _TILT_DEGREES):
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        whole = cv2.warpAffine(np.ascontiguousarray(image), matrix, (width, height))
        turned.append(cut(_pixels(whole), _TILT_BOX))
    return turned
