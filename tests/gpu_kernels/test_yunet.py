"""`gpu_kernels.yunet`: the decoder against slow loops over its definition."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.network import Outputs
from gpu_kernels.yunet import MAX_FACES, MAX_OVERLAP, MIN_CONFIDENCE, decode, overlaps, suppress

WIDTH, HEIGHT = 96, 64
STRIDES = (8, 16, 32)


def floats(*shape: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-0.4, 0.4, shape).astype(np.float32)


def quiet_maps() -> Outputs:
    """Twelve maps of a 96 x 64 picture that shows no face."""
    cells = [(WIDTH // s) * (HEIGHT // s) for s in STRIDES]
    return [floats(1, n, k, seed=n + k) * (k > 1) for k in (1, 1, 4, 10) for n in cells]


def put(maps: Outputs, level: int, cell: int, class_: float, objectness: float = 1.0) -> None:
    maps[level][0, cell, 0] = class_
    maps[3 + level][0, cell, 0] = objectness


@pytest.mark.parametrize(("level", "cell"), [(0, 0), (0, 17), (1, 9), (2, 5)])
def test_a_face_is_decoded_as_it_is_defined(level: int, cell: int) -> None:
    maps, stride = quiet_maps(), STRIDES[level]
    put(maps, level, cell, 0.81)
    found = decode(maps, WIDTH)
    row, column = divmod(cell, WIDTH // stride)
    dx, dy, w, h = (float(one) for one in maps[6 + level][0, cell])
    x, y = (column + dx) * stride, (row + dy) * stride
    half = math.exp(w) * stride / 2, math.exp(h) * stride / 2
    expected = [x - half[0], y - half[1], x + half[0], y + half[1]]
    np.testing.assert_allclose(found.boxes, [expected], rtol=1e-5)
    assert found.confidence == pytest.approx([0.9])
    points = maps[9 + level][0, cell]
    for i in range(5):
        wanted = (column + points[2 * i]) * stride, (row + points[2 * i + 1]) * stride
        np.testing.assert_allclose(found.landmarks[0, i], wanted, rtol=1e-5)


def test_what_is_hardly_a_face_is_none() -> None:
    maps = quiet_maps()
    put(maps, 0, 3, 1.0, (MIN_CONFIDENCE - 0.01) ** 2)
    assert decode(maps, WIDTH).boxes.shape == (0, 4)
    put(maps, 0, 3, 1.0, (MIN_CONFIDENCE + 0.01) ** 2)
    assert decode(maps, WIDTH).boxes.shape == (1, 4)


def test_faces_come_the_most_confident_first() -> None:
    maps = quiet_maps()
    put(maps, 0, 0, 0.6)
    put(maps, 0, 40, 0.9)
    put(maps, 1, 21, 0.7)
    np.testing.assert_allclose(decode(maps, WIDTH).confidence ** 2, [0.9, 0.7, 0.6], rtol=1e-5)


def test_a_crowd_is_cut_to_its_surest_faces() -> None:
    maps = quiet_maps()
    maps[6][..., 2:] = -3  # tiny boxes: none overlaps another
    maps[0][0, :, 0], maps[3][0, :, 0] = np.linspace(0.5, 1, 96), 1
    found = decode(maps, WIDTH)
    assert len(found.boxes) == MAX_FACES
    assert found.confidence.min() > math.sqrt(0.65)


def test_an_absurd_size_stays_a_number() -> None:
    maps = quiet_maps()
    maps[6][0, 0, 2:] = 1000
    put(maps, 0, 0, 1.0)
    assert np.isfinite(decode(maps, WIDTH).boxes).all()


def slow_overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(width * height / (sum(areas) - width * height))


@pytest.mark.parametrize("seed", range(5))
def test_suppression_equals_the_slow_one(seed: int) -> None:
    generator = np.random.default_rng(seed)
    corners = generator.uniform(0, 60, (40, 2))
    boxes = np.hstack([corners, corners + generator.uniform(5, 40, (40, 2))]).astype(np.float32)
    confidence = generator.uniform(0.5, 1, 40).astype(np.float32)
    kept: list[int] = []
    for i in sorted(range(40), key=lambda i: -confidence[i]):
        if all(slow_overlap(boxes[i], boxes[k]) <= MAX_OVERLAP for k in kept):
            kept.append(i)
    assert suppress(boxes, confidence).tolist() == kept
    expected = [slow_overlap(boxes[0], other) for other in boxes]
    np.testing.assert_allclose(overlaps(boxes[0], boxes), expected, rtol=1e-4)
