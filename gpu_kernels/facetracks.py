"""Faces over time: one track a person, and how like a reference's faces it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.arrays import take
from gpu_kernels.faces import DIMENSIONS, Faces, check_range, check_unit_length
from gpu_kernels.yunet import overlaps

Floats: TypeAlias = NDArray[np.float32]

REVIEW_SIMILARITY = 0.45
"""Cosine from which people should look. Of 420 pairs of strangers .40 was the highest, of ten pairs
of one man's photographs .68 the lowest (docs/models.md); OpenCV's own sample takes .363."""

SAME_PERSON = 0.5
"""Cosine from which faces of two frames are one person wherever they stand: above every pair of
strangers of that measurement."""

SAME_PLACE = 0.3
"""Intersection over union from which a face stayed where it was."""

_NOT_ANOTHER = 0.2
"""Cosine below which a face in the same place is another person: a cut."""

MAX_GAP_SECONDS = 30.0
"""After which a face begins a new track."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceTrack:
    """One person's face over time.

    Args:
        span_seconds: of the first and of the last frame.
        embedding: float32 (128,), of unit length: the mean of its faces, weighted by confidence.
        frames: how many show it.
        box: x0 y0 x1 y1 in 0..1, where it was found most confidently.
        box_at_seconds: when that was.
    """

    span_seconds: tuple[float, float]
    embedding: Floats
    frames: int
    box: Floats
    box_at_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceMatch:
    """The likest pair of a track and a reference's face.

    Args:
        similarity: cosine; 0..1, what is opposed counts as unlike.
        track: which.
        reference: which row.
    """

    similarity: float
    track: int
    reference: int


@dataclass(kw_only=True)
class _Open:
    sum: Floats
    first: float
    last: float
    last_box: Floats
    best: float
    best_box: Floats
    best_at: float
    frames: int = field(default=1)

    @classmethod
    def begin(cls, at: float, faces: Faces, i: int) -> Self:
        confidence, box = float(faces.confidence[i]), faces.boxes[i]
        return cls(
            sum=faces.embeddings[i] * confidence,
            first=at,
            last=at,
            last_box=box,
            best=confidence,
            best_box=box,
            best_at=at,
        )

    def add(self, at: float, faces: Faces, i: int) -> None:
        confidence, box = float(faces.confidence[i]), faces.boxes[i]
        self.sum = self.sum + faces.embeddings[i] * confidence
        self.last, self.last_box = at, box
        self.frames += 1
        if confidence > self.best:
            self.best, self.best_box, self.best_at = confidence, box, at

    @property
    def embedding(self) -> Floats:
        length = np.linalg.norm(self.sum)
        unit: Floats = (self.sum / (length if length > 0 else 1)).astype(np.float32)
        return unit

    def close(self) -> FaceTrack:
        return FaceTrack(
            span_seconds=(self.first, self.last),
            embedding=self.embedding,
            frames=self.frames,
            box=self.best_box,
            box_at_seconds=self.best_at,
        )


def track_faces(
    frames: Sequence[tuple[float, Faces]], *, max_gap_seconds: float = MAX_GAP_SECONDS
) -> list[FaceTrack]:
    """Join the faces of frames into tracks, in the order in which they begin.

    A face joins the likest track that nobody else of its frame has joined: by its embedding alone,
    or in the same place by an embedding that at least is not a stranger's.

    Args:
        frames: seconds and faces, in order of time.
        max_gap_seconds: how long a track waits for its face.
    """
    tracks: list[_Open] = []
    for at, faces in frames:
        recent = [track for track in tracks if at - track.last <= max_gap_seconds]
        joined = _pair(recent, faces)
        for i in range(len(faces)):
            if i in joined:
                joined[i].add(at, faces, i)
            else:
                tracks.append(_Open.begin(at, faces, i))
    return [track.close() for track in tracks]


def _pair(tracks: list[_Open], faces: Faces) -> dict[int, _Open]:
    """Return a track for each face that joins one; the surest pairs choose first."""
    if not tracks or not len(faces):
        return {}
    cosine = np.stack([track.embedding for track in tracks]) @ faces.embeddings.T
    place = np.stack([overlaps(track.last_box, faces.boxes) for track in tracks])
    allowed = (cosine >= SAME_PERSON) | ((place >= SAME_PLACE) & (cosine >= _NOT_ANOTHER))
    likeness = np.where(allowed, cosine + place, -np.inf)
    pairs: dict[int, _Open] = {}
    while np.isfinite(likeness).any():
        track, face = np.unravel_index(int(likeness.argmax()), likeness.shape)
        pairs[int(face)] = tracks[track]
        likeness[track] = -np.inf
        likeness[:, face] = -np.inf
    return pairs


def match_faces(tracks: Sequence[FaceTrack], references: Floats) -> FaceMatch | None:
    """Return the likest pair, or None where either side has no face.

    Args:
        tracks: of the query.
        references: float32 (n, 128), rows of unit length.
    """
    if not tracks or not len(references):
        return None
    cosine = np.stack([track.embedding for track in tracks]) @ references.T
    track, reference = np.unravel_index(int(cosine.argmax()), cosine.shape)
    similarity = min(1.0, max(0.0, float(cosine[track, reference])))
    return FaceMatch(similarity=similarity, track=int(track), reference=int(reference))


def tracks_to_arrays(tracks: Sequence[FaceTrack]) -> dict[str, NDArray[Any]]:
    """Return `spans` (n, 2) s, `embeddings` (n, 128), `frames`, `boxes` (n, 4), `box_seconds`."""
    return {
        "spans": np.array([track.span_seconds for track in tracks], np.float64).reshape(-1, 2),
        "embeddings": np.array([track.embedding for track in tracks], np.float32).reshape(
            -1, DIMENSIONS
        ),
        "frames": np.array([track.frames for track in tracks], np.int32),
        "boxes": np.array([track.box for track in tracks], np.float32).reshape(-1, 4),
        "box_seconds": np.array([track.box_at_seconds for track in tracks], np.float64),
    }


def tracks_from_arrays(arrays: Mapping[str, NDArray[Any]]) -> list[FaceTrack]:
    """Read what `tracks_to_arrays` gave.

    Raises:
        ValueError: it is something else, or not all of it is numbers in their ranges.
    """
    spans = take(arrays, "spans", np.float64, (None, 2))
    count = len(spans)
    embeddings = take(arrays, "embeddings", np.float32, (count, DIMENSIONS))
    frames = take(arrays, "frames", np.int32, (count,))
    boxes = take(arrays, "boxes", np.float32, (count, 4))
    at = take(arrays, "box_seconds", np.float64, (count,))
    check_range(boxes)
    check_unit_length(embeddings)
    if not (np.isfinite(spans).all() and np.isfinite(at).all()) or (frames < 1).any():
        raise ValueError("a track is of no time or of no frame")
    return [
        FaceTrack(
            span_seconds=(float(spans[i, 0]), float(spans[i, 1])),
            embedding=embeddings[i],
            frames=int(frames[i]),
            box=boxes[i],
            box_at_seconds=float(at[i]),
        )
        for i in range(count)
    ]
