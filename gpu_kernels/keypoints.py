"""Local features of a picture, and how many of them agree with another's on where they are.

An embedding says that two pictures are of one kind; only geometry says that they show the same
thing: drawings of one style are alike to SSCD and share no points. SIFT: Lowe, "Distinctive Image
Features from Scale-Invariant Keypoints", IJCV 2004. RootSIFT: Arandjelovic and Zisserman, "Three
things everyone should know to improve object retrieval", CVPR 2012.
"""

from dataclasses import dataclass
from typing import Any, Self, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_kernels.arrays import Arrays, take
from gpu_kernels.views import Picture, shrink

SPACE = "keypoints/1/sift"
"""Features of other settings are not compared."""

SIDE = 640
"""Pictures are shrunk to this first."""
MAX_POINTS = 800
"""The strongest are kept: 105 kB a picture."""

_CONTRAST = 0.01
"""A quarter of Lowe's floor: strongly compressed copies have few strong points."""
_RATIO = 0.8
"""Lowe's: the nearest neighbour must be nearer than the next by this."""
_LEAST = 5
"""Correspondences, below which no transform is looked for."""
_TOLERANCE = 5.0
"""Pixels within which a point agrees with a transform."""
_TRIES = 1000
_CELL = 4
"""Points within so many pixels of each other count as one: SIFT gives one corner several."""
_STRAY = 0.15
"""Share of the agreeing points, at either end, that may lie far from the rest by chance."""
_LARGEST, _SMALLEST = 100.0, 0.003
"""Change of area that an edit makes; transforms beyond it are degenerate."""

_MIRRORED = np.arange(128).reshape(4, 4, 8)[::-1][:, :, (8 - np.arange(8)) % 8].reshape(-1)
"""Where a descriptor's bins stand in the mirrored picture: rows and angles turn around."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Keypoints:
    """What is kept of a picture.

    Args:
        width: in pixels, of the picture at most `SIDE` long.
        height: likewise.
        points: float32 (n, 2), x and y in those pixels.
        descriptors: uint8 (n, 128), SIFT's.
        at_seconds: position in its medium; 0 of a still picture.
    """

    width: int
    height: int
    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    at_seconds: float = 0.0

    def to_arrays(self) -> Arrays:
        """Give plain arrays."""
        size = np.array([self.width, self.height], np.int64)
        return {
            "size": size,
            "points": self.points,
            "descriptors": self.descriptors,
            "at": np.array([self.at_seconds], np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what `to_arrays` gave.

        Raises:
            ValueError: it is something else.
        """
        size = take(arrays, "size", np.int64, (2,))
        points = take(arrays, "points", np.float32, (None, 2))
        descriptors = take(arrays, "descriptors", np.uint8, (len(points), 128))
        at = take(arrays, "at", np.float64, (1,))
        if not np.isfinite(points).all() or not np.isfinite(at).all():
            raise ValueError("keypoints that are nowhere")
        if len(points) > MAX_POINTS or not 0 < size.min() <= size.max() <= SIDE:
            raise ValueError("no keypoints")
        width, height = (int(one) for one in size)
        return cls(
            width=width,
            height=height,
            points=points,
            descriptors=descriptors,
            at_seconds=float(at[0]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How two pictures fit onto each other.

    Args:
        points: places in which they agree; unrelated pictures reach about 4.
        box: around those places in the query: x0, y0, x1, y1 in 0..1; None where there are none.
        share: of the reference's area that they span, 0..1: what two pictures have in common in
            one corner is a logo or a caption.
        mirrored: whether the query is the mirror image.
    """

    points: int = 0
    box: tuple[float, float, float, float] | None = None
    share: float = 0.0
    mirrored: bool = False


def find_keypoints(picture: Picture) -> Keypoints:
    """Find the strongest points of a picture, uint8 (height, width, 3)."""
    small = np.ascontiguousarray(shrink(picture, SIDE))
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    finder: Any = cast("Any", cv2).SIFT_create(MAX_POINTS, contrastThreshold=_CONTRAST)
    found, descriptors = finder.detectAndCompute(grey, None)
    kept = found[:MAX_POINTS]  # of equal strength it gives more
    rows = np.zeros((0, 128)) if descriptors is None else descriptors[:MAX_POINTS]
    return Keypoints(
        width=grey.shape[1],
        height=grey.shape[0],
        points=np.array([one.pt for one in kept], np.float32).reshape(-1, 2),
        descriptors=np.clip(rows, 0, 255).astype(np.uint8),
    )


def agree(query: Keypoints, reference: Keypoints) -> Agreement:
    """Count the places that one affine transform, or one of the mirror image, explains."""
    straight = _agree(query, reference, mirrored=False)
    mirrored = _agree(query, reference, mirrored=True)
    return max(straight, mirrored, key=lambda one: one.points)


def _agree(query: Keypoints, reference: Keypoints, *, mirrored: bool) -> Agreement:
    if len(query.points) < _LEAST or len(reference.points) < _LEAST:
        return Agreement()
    theirs = reference.descriptors[:, _MIRRORED] if mirrored else reference.descriptors
    rows, columns = _correspondences(_root(query.descriptors), _root(theirs))
    if len(rows) < _LEAST:
        return Agreement()
    turned = np.array([-1 if mirrored else 1, 1], np.float32)
    start, end = reference.points[columns] * turned, query.points[rows]
    transform, inside = cv2.estimateAffine2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=_TOLERANCE, maxIters=_TRIES
    )
    if not _is_an_edit(transform):
        return Agreement()
    agreeing = cast("NDArray[Any]", inside).ravel().astype(bool)
    start, end = start[agreeing], end[agreeing]
    places = min(len(np.unique(np.round(side / _CELL), axis=0)) for side in (start, end))
    return Agreement(
        points=places,
        box=_box(end, query),
        share=_share(start * turned, reference),
        mirrored=mirrored,
    )


def _root(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    sums = np.maximum(descriptors.sum(axis=1, keepdims=True, dtype=np.float32), 1)
    rooted: NDArray[np.float32] = np.sqrt(descriptors / sums, dtype=np.float32)
    return rooted


def _correspondences(
    queries: NDArray[np.float32], references: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair each query's descriptor with the nearest where the second nearest is much farther."""
    cosines = queries @ references.T
    two = np.argpartition(-cosines, 1, axis=1)[:, :2]
    values = np.take_along_axis(cosines, two, axis=1)
    first = values.argmax(axis=1)
    rows = np.arange(len(queries))
    near, next_ = values[rows, first], values[rows, 1 - first]
    # Distances of unit vectors: d^2 = 2 - 2 cos
    good = np.flatnonzero(1 - near < _RATIO**2 * (1 - next_))
    return good, two[good, first[good]]


def _is_an_edit(transform: Any) -> bool:
    if transform is None:
        return False
    area = abs(float(np.linalg.det(transform[:, :2])))
    return _SMALLEST < area < _LARGEST


def _share(places: NDArray[np.float32], reference: Keypoints) -> float:
    """Tell how much of a reference's area points span, strays at either end left out."""
    low, high = np.quantile(places, [_STRAY, 1 - _STRAY], axis=0)
    spanned = (high - low) / (1 - 2 * _STRAY) / [reference.width, reference.height]
    return float(np.clip(spanned, 0, 1).prod())


def _box(places: NDArray[np.float32], query: Keypoints) -> tuple[float, float, float, float]:
    size = np.array([query.width, query.height], np.float32)
    low, high = places.min(axis=0) / size, places.max(axis=0) / size
    x0, y0, x1, y1 = (float(v) for v in np.clip(np.concatenate([low, high]), 0, 1))
    return x0, y0, x1, y1
