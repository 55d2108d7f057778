"""YuNet: where faces are, with five landmarks each.

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research
2023; decoded as OpenCV's `FaceDetectorYN` does.
"""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_kernels.network import Network, Outputs
from gpu_kernels.views import Picture

Floats: TypeAlias = NDArray[np.float32]

LONG_SIDE = 640
"""Pixels to which the longer side is shrunk; the size that the network was published with. 320
costs a third, and misses faces below 60 pixels' height of 720 (docs/models.md)."""

MIN_CONFIDENCE = 0.7
"""Of a face. OpenCV's sample takes 0.9, which misses faces under bars and at the edge."""

MAX_OVERLAP = 0.3
"""Intersection over union from which two boxes are one face: OpenCV's own default."""

MAX_FACES = 64
"""Of one picture, the most confident: a crowd costs a second of embedding, not a minute."""

_STRIDES = (8, 16, 32)
_STEP = 32
"""The network's sides are multiples of the largest stride."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections:
    """Faces in pixels of the picture, the most confident first.

    Args:
        boxes: float32 (n, 4), x0 y0 x1 y1; may reach beyond the picture.
        confidence: float32 (n,), 0..1.
        landmarks: float32 (n, 5, 2), x y: the eye on the left of the picture, the other, the nose,
            the corner of the mouth on the left of the picture, the other.
    """

    boxes: Floats
    confidence: Floats
    landmarks: Floats


def detect(picture: Picture, network: Network, *, long_side: int = LONG_SIDE) -> Detections:
    """Find faces.

    Args:
        picture: uint8 (h, w, 3), RGB, of any size; a small one is not enlarged.
        network: float32 (1, 3, h, w), BGR, 0..255, to twelve maps.
        long_side: to which the picture is shrunk.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)[..., ::-1]
    padded = np.zeros((*(-(-n // _STEP) * _STEP for n in small.shape[:2]), 3), np.float32)
    padded[: size[1], : size[0]] = small
    maps = network.run([np.ascontiguousarray(padded.transpose(2, 0, 1)[None])])
    found = decode(maps, padded.shape[1])
    return Detections(
        boxes=found.boxes / np.float32(scale),
        confidence=found.confidence,
        landmarks=found.landmarks / np.float32(scale),
    )


def decode(maps: Outputs, width: int) -> Detections:
    """Read the twelve maps: class, objectness, box and landmarks, each at three strides.

    Args:
        maps: (1, cells, 1, 1, 4 or 10 numbers), in the network's order.
        width: of the network's input, in pixels.
    """
    levels = [_level([maps[i + 3 * k] for k in range(4)], s, width) for i, s in enumerate(_STRIDES)]
    confidence, boxes, landmarks = (np.concatenate(one) for one in zip(*levels, strict=True))
    kept = suppress(boxes, confidence)[:MAX_FACES]
    return Detections(boxes=boxes[kept], confidence=confidence[kept], landmarks=landmarks[kept])


def _level(maps: Outputs, stride: int, width: int) -> tuple[Floats, Floats, Floats]:
    """Decode one stride; only cells that may be faces are looked at further."""
    class_, objectness, offsets, points = (one[0] for one in maps)
    confidence = np.sqrt(np.clip(class_[:, 0], 0, 1) * np.clip(objectness[:, 0], 0, 1))
    cells = np.flatnonzero(confidence >= MIN_CONFIDENCE)
    at = np.stack([cells % (width // stride), cells // (width // stride)], axis=1)
    at = at.astype(np.float32)
    centre = (at + offsets[cells, :2]) * stride
    half = np.exp(np.minimum(offsets[cells, 2:], 10)) * stride / 2
    landmarks = (at[:, None] + points[cells].reshape(-1, 5, 2)) * stride
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    return confidence[cells], boxes.astype(np.float32), landmarks.astype(np.float32)


def suppress(boxes: Floats, confidence: Floats) -> NDArray[np.intp]:
    """Return which boxes stay, the most confident first: none overlaps a better one."""
    order = np.argsort(-confidence, kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[overlaps(boxes[best], boxes[rest]) <= MAX_OVERLAP]
    return np.array(kept, np.intp)


def overlaps(box: Floats, others: Floats) -> Floats:
    """Return the intersection over union of one box (4,) with others (n, 4)."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.clip(sides, 0, None), axis=1)
    united = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - shared
    ratio: Floats = (shared / np.maximum(united, 1e-9)).astype(np.float32)
    return ratio
