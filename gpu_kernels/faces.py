"""Faces: found by YuNet, set upright by their landmarks, embedded by SFace.

They rank pictures for people to look at. How well, and on whom that was not tested: docs/models.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_kernels.arrays import take
from gpu_kernels.engine import at_unit_length
from gpu_kernels.network import Network, load_network
from gpu_kernels.preparing import fold_dequantization
from gpu_kernels.registry import FACES
from gpu_kernels.views import Picture
from gpu_kernels.weights import read_weights
from gpu_kernels.yunet import LONG_SIDE, Detections, detect

Floats: TypeAlias = NDArray[np.float32]

DIMENSIONS = 128
"""Of an embedding."""

SIDE = 112
"""Pixels of an upright face."""

MIN_SIDE = 24
"""Pixels of a face's shorter side in the picture. Below, landmarks are noise. In a picture
that the detector shrinks by half that is so below 32 already (docs/models.md)."""

MIN_BRIGHTNESS = 12.0
"""Mean of an upright face, 0..255: below, it is black, and its embedding that of any black."""

_TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float64,
)
"""Where the landmarks of an upright face of 112 x 112 stand. Deng et al., "ArcFace: Additive
Angular Margin Loss for Deep Face Recognition", CVPR 2019; OpenCV's `FaceRecognizerSF` takes the
same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """The faces of one picture, the most confident first.

    Args:
        boxes: float32 (n, 4), x0 y0 x1 y1 in 0..1 of the picture.
        confidence: float32 (n,), 0..1: that it is a face.
        landmarks: float32 (n, 5, 2), x y in 0..1 of the picture, as far as they are inside: eyes,
            nose, corners of the mouth.
        embeddings: float32 (n, 128), of unit length.
    """

    boxes: Floats
    confidence: Floats
    landmarks: Floats
    embeddings: Floats

    def __len__(self) -> int:
        return len(self.boxes)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the four arrays by name."""
        return {
            "boxes": self.boxes,
            "confidence": self.confidence,
            "landmarks": self.landmarks,
            "embeddings": self.embeddings,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Read what `to_arrays` gave.

        Raises:
            ValueError: it is something else, or not all of it is numbers in their ranges.
        """
        boxes = take(arrays, "boxes", np.float32, (None, 4))
        count = len(boxes)
        confidence = take(arrays, "confidence", np.float32, (count,))
        landmarks = take(arrays, "landmarks", np.float32, (count, 5, 2))
        embeddings = take(arrays, "embeddings", np.float32, (count, DIMENSIONS))
        check_range(boxes, confidence)
        if not np.isfinite(landmarks).all():
            raise ValueError("a landmark is no number")
        check_unit_length(embeddings)
        return cls(boxes=boxes, confidence=confidence, landmarks=landmarks, embeddings=embeddings)


NO_FACES = Faces(
    boxes=np.empty((0, 4), np.float32),
    confidence=np.empty(0, np.float32),
    landmarks=np.empty((0, 5, 2), np.float32),
    embeddings=np.empty((0, DIMENSIONS), np.float32),
)


def check_range(*arrays: Floats) -> None:
    """Refuse numbers outside 0..1.

    Raises:
        ValueError: there is one, or it is no number.
    """
    for array in arrays:
        if not ((array >= 0) & (array <= 1)).all():
            raise ValueError("a number is outside 0..1")


def check_unit_length(rows: Floats) -> None:
    """Refuse rows that are not of length 1.

    Raises:
        ValueError: there is one, or it is no row of numbers.
    """
    if not (np.abs(np.linalg.norm(rows, axis=1) - 1) < 1e-3).all():
        raise ValueError("an embedding is not of length 1")


class FaceEngine:
    """Finds and embeds faces. Not thread-safe.

    Args:
        detector: YuNet.
        embedder: SFace, float32 (n, 3, 112, 112), RGB, 0..255, to (n, 128).
        space: of the embeddings: only equal spaces compare.
        long_side: to which pictures are shrunk for the detector.
    """

    def __init__(
        self, detector: Network, embedder: Network, *, space: str, long_side: int = LONG_SIDE
    ) -> None:
        self._detector = detector
        self._embedder = embedder
        self._long_side = long_side
        self.space = space

    def find(self, picture: Picture) -> Faces:
        """Find the faces of a picture, uint8 (h, w, 3), RGB; small and black ones are left out.

        Raises:
            ValueError: it is no picture.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(f"expected uint8 (h, w, 3), got {picture.dtype} {picture.shape}")
        found = detect(picture, self._detector, long_side=self._long_side)
        upright = [set_upright(picture, landmarks) for landmarks in found.landmarks]
        kept = [i for i, face in enumerate(upright) if _is_usable(found, i, face)]
        if not kept:
            return NO_FACES
        height, width = picture.shape[:2]
        size = np.array([width, height], np.float32)
        return Faces(
            boxes=np.clip(found.boxes[kept] / np.tile(size, 2), 0, 1),
            confidence=found.confidence[kept],
            landmarks=found.landmarks[kept] / size,
            embeddings=self._embed([upright[i] for i in kept]),
        )

    def _embed(self, upright: list[Picture]) -> Floats:
        """Embed one at a time: on a CPU a batch gains nothing, and every shape costs a warm-up."""
        rows = [
            self._embedder.run([face.transpose(2, 0, 1)[None].astype(np.float32)])[0]
            for face in upright
        ]
        return at_unit_length(np.concatenate(rows))

    def close(self) -> None:
        """Free both networks."""
        self._detector.close()
        self._embedder.close()


def _is_usable(found: Detections, i: int, upright: Picture) -> bool:
    x0, y0, x1, y1 = found.boxes[i]
    return bool(min(x1 - x0, y1 - y0) >= MIN_SIDE and upright.mean() >= MIN_BRIGHTNESS)


def set_upright(picture: Picture, landmarks: Floats) -> Picture:
    """Turn, scale and shift a picture so that a face's landmarks meet the template; 112 x 112."""
    turn = similarity_transform(landmarks)
    upright = cv2.warpAffine(picture, turn, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return np.asarray(upright, np.uint8)


def similarity_transform(landmarks: Floats) -> NDArray[np.float64]:
    """Return the (2, 3) turn, scale and shift that brings points nearest to the template.

    Umeyama, "Least-Squares Estimation of Transformation Parameters Between Two Point Patterns",
    IEEE TPAMI 1991, in two dimensions, where complex numbers say it: template = a * point + b.
    """
    points = landmarks.astype(np.float64) @ np.array([1, 1j])
    wanted = _TEMPLATE @ np.array([1, 1j])
    centred = points - points.mean()
    spread = (np.abs(centred) ** 2).sum()
    turn = (np.conj(centred) * (wanted - wanted.mean())).sum() / max(spread, 1e-9)
    shift = wanted.mean() - turn * points.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def load_face_engine(engine: str, cache_dir: Path, *, long_side: int = LONG_SIDE) -> FaceEngine:
    """Load both networks out of the cache into a runtime.

    Raises:
        ModelError: a file is missing or altered, or the runtime cannot load it.
    """
    contents = read_weights(FACES, cache_dir)
    detector, embedder = (contents[file.name] for file in FACES.files)
    return FaceEngine(
        load_network(engine, fold_dequantization(detector, {"input": (1, 3, "h", "w")})),
        load_network(engine, fold_dequantization(embedder, {"data": (1, 3, SIDE, SIDE)})),
        space=f"{FACES.name}/{FACES.version}/{engine}/f32",
        long_side=long_side,
    )
