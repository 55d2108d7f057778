"""Where a picture holds text: PP-OCR's detector, and lines made of what it marks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_kernels.network import Network
from gpu_kernels.views import Picture

Map: TypeAlias = NDArray[np.float32]
"""Shape (h, w): the probability that a pixel is text, 0..1."""
Points: TypeAlias = NDArray[np.float32]
"""Shape (n, 2): x and y in pixels."""

LONG_SIDE = 736
"""Pixels to which a picture is shrunk before it is looked at. PaddleOCR's own default."""

GLANCE_SIDE = 320
"""Likewise for the glance that tells pictures without text (docs/reading.md)."""

GLANCE_PIXELS = 24
"""So many pixels of a glance that look like text are worth a look: one letter of 6 x 4."""

PIXEL_THRESHOLD = 0.3
"""Above it a pixel is text; PaddleOCR's default."""

BOX_THRESHOLD = 0.5
"""Mean of a box's pixels from which it is text; RapidOCR's default for this network."""

UNCLIP = 1.6
"""How far a box is let out: the network marks the core of a line. RapidOCR's default."""

MAX_BOXES = 200
"""Of one picture, the largest: a page of print has fewer lines."""

_STEP = 32
"""The network's sides are multiples of it."""
_MIN_SIDE = 3.0
"""Pixels; smaller marks are noise."""
_MAX_TILT = 6.0
"""Degrees by which parts of one line may differ."""
_SQUARE = 1.5
"""A box less elongated than this may be a single letter: it is taken as upright."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBox:
    """A turned rectangle around text, in pixels.

    Args:
        x: of its centre.
        y: likewise.
        width: along the text.
        height: across it.
        angle: of the text's direction, degrees clockwise, above -90 up to 90.
        confidence: 0..1, mean probability of its pixels.
    """

    x: float
    y: float
    width: float
    height: float
    angle: float
    confidence: float

    def corners(self) -> Points:
        """Return the text's top left, top right, bottom right and bottom left."""
        turned = math.radians(self.angle)
        along = np.array([math.cos(turned), math.sin(turned)]) * self.width / 2
        across = np.array([-math.sin(turned), math.cos(turned)]) * self.height / 2
        middle = np.array([self.x, self.y])
        corners = [middle - along - across, middle + along - across]
        corners += [middle + along + across, middle - along + across]
        return np.array(corners, np.float32)

    def scaled(self, factor: float) -> "TextBox":
        """Return it on a picture `factor` times as large."""
        return TextBox(
            x=self.x * factor,
            y=self.y * factor,
            width=self.width * factor,
            height=self.height * factor,
            angle=self.angle,
            confidence=self.confidence,
        )


def may_hold_text(picture: Picture, network: Network) -> bool:
    """Glance at a small version of the picture, at about a third of the cost of `find_boxes`."""
    marked, _ = _probabilities(picture, network, GLANCE_SIDE)
    return int(np.count_nonzero(marked > PIXEL_THRESHOLD)) >= GLANCE_PIXELS


def find_boxes(picture: Picture, network: Network) -> list[TextBox]:
    """Find lines of text, from top to bottom, in pixels of the picture.

    Args:
        picture: uint8 (h, w, 3), RGB, of any size.
        network: PP-OCR's detector: float32 (1, 3, h, w), BGR, -1..1, to (1, 1, h, w), 0..1.
    """
    marked, scale = _probabilities(picture, network, LONG_SIDE)
    boxes = [box.scaled(1 / scale) for box in lines_of(boxes_in(marked))]
    return sorted(boxes, key=lambda box: (box.y, box.x))


def _probabilities(picture: Picture, network: Network, side: int) -> tuple[Map, float]:
    """Run the network; also give by how much the picture was scaled.

    The picture stands in the top left corner of one whose sides are multiples of 32: it is never
    squeezed, and there are few shapes for which the runtime has to prepare.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)[..., ::-1]
    padded = np.zeros((*(-(-n // _STEP) * _STEP for n in small.shape[:2]), 3), np.float32)
    padded[: size[1], : size[0]] = small / np.float32(127.5) - 1
    outputs = network.run([np.ascontiguousarray(padded.transpose(2, 0, 1)[None])])
    marked: Map = np.asarray(outputs[0], np.float32)[0, 0, : size[1], : size[0]]
    return marked, scale


def boxes_in(marked: Map) -> list[TextBox]:
    """Draw a box around each blob of a probability map: DB's post-processing.

    Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", AAAI 2020. A
    turned rectangle that is let out stays one, so its sides simply grow by twice the distance.
    """
    binary = cv2.dilate((marked > PIXEL_THRESHOLD).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours = cv2.findContours(binary, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]
    largest = sorted(contours, key=cv2.contourArea, reverse=True)[:MAX_BOXES]
    boxes = (_around(contour.reshape(-1, 2).astype(np.float32)) for contour in largest)
    return [
        _let_out(box, confidence)
        for box in boxes
        if min(box.width, box.height) >= _MIN_SIDE
        and (confidence := _mean_in(marked, box)) >= BOX_THRESHOLD
    ]


def _around(points: Points, confidence: float = 0.0) -> TextBox:
    """Draw the smallest turned rectangle around points; text runs along its longer side."""
    corners = cv2.boxPoints(cv2.minAreaRect(points))
    sides = [corners[1] - corners[0], corners[2] - corners[1]]
    lengths = [float(np.linalg.norm(side)) for side in sides]
    angles = [_direction(side) for side in sides]
    longer = int(lengths[1] > lengths[0])
    if max(lengths) < _SQUARE * min(lengths):
        longer = int(abs(angles[1]) < abs(angles[0]))
    middle = corners.mean(axis=0)
    return TextBox(
        x=float(middle[0]),
        y=float(middle[1]),
        width=lengths[longer],
        height=lengths[1 - longer],
        angle=angles[longer],
        confidence=confidence,
    )


def _direction(side: NDArray[np.float32]) -> float:
    """Give the angle of a line, above -90 up to 90 degrees."""
    degrees = math.degrees(math.atan2(float(side[1]), float(side[0])))
    return degrees - 180 * math.ceil((degrees - 90) / 180)


def _mean_in(marked: Map, box: TextBox) -> float:
    corners = box.corners()
    low = np.floor(np.clip(corners.min(axis=0), 0, None)).astype(int)
    high = np.ceil(corners.max(axis=0)).astype(int) + 1
    part = marked[low[1] : high[1], low[0] : high[0]]
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [np.round(corners - low).astype(np.int32)], 1)
    return float(part[mask > 0].mean()) if mask.any() else 0.0


def _let_out(box: TextBox, confidence: float) -> TextBox:
    distance = box.width * box.height * UNCLIP / (2 * (box.width + box.height))
    return TextBox(
        x=box.x,
        y=box.y,
        width=box.width + 2 * distance,
        height=box.height + 2 * distance,
        angle=box.angle,
        confidence=confidence,
    )


def lines_of(boxes: Iterable[TextBox]) -> list[TextBox]:
    """Merge boxes that stand beside each other on one line, at the distance of a space."""
    waiting = sorted(boxes, key=lambda box: box.x)
    lines: list[TextBox] = []
    while waiting:
        line = waiting.pop(0)
        while beside := next((box for box in waiting if _are_one_line(line, box)), None):
            waiting.remove(beside)
            line = _merged(line, beside)
        lines.append(line)
    return lines


def _are_one_line(one: TextBox, other: TextBox) -> bool:
    height = min(one.height, other.height)
    if max(one.height, other.height) > 1.6 * height:
        return False
    tilt = abs(one.angle - other.angle)
    if min(tilt, 180 - tilt) > _MAX_TILT:
        return False
    turned = math.radians(one.angle)
    right, down = other.x - one.x, other.y - one.y
    along = abs(right * math.cos(turned) + down * math.sin(turned))
    across = abs(down * math.cos(turned) - right * math.sin(turned))
    gap = along - (one.width + other.width) / 2
    return across < 0.4 * height and -height < gap < 0.8 * height


def _merged(one: TextBox, other: TextBox) -> TextBox:
    both = np.concatenate([one.corners(), other.corners()])
    return _around(both, min(one.confidence, other.confidence))
