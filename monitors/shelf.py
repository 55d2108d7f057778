"""The features of the references that may be matched, searchable by modality."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.arrays import take, unpack
from gpu_kernels.faces import DIMENSIONS
from gpu_kernels.fingerprint import ImageFingerprint, from_bytes
from gpu_kernels.keypoints import SPACE as KEYPOINT_SPACE
from gpu_kernels.keypoints import Keypoints
from gpu_kernels.search import FrameGallery
from gpu_kernels.sound import SOUND_SPACE, SoundFingerprint
from gpu_kernels.sound_search import SoundGallery
from gpu_kernels.voice import Voices
from monitors.deriving import FACE_SPACE, VOICE_SPACE
from streams.errors import SealError
from streams.types import CaseId, ReferenceId

FRAMES = "frames"
FaceRows = NDArray[np.float32]
"""Shape (n, 128), rows of unit length."""


class Shelf:
    """Features by ordinal. It only grows: snapshots share it and look below their own end.

    One thread adds; any may read at any time.

    Attributes:
        frames: pictures, and the frames of videos.
        sounds: what is heard in recordings and videos.
        points: local features, of stills and of a video's frames every few seconds.
        faces: of consenting subjects.
        voices: likewise.
    """

    def __init__(self) -> None:
        self.frames = FrameGallery()
        self.sounds = SoundGallery()
        self.points: dict[int, tuple[Keypoints, ...]] = {}
        self.faces: dict[int, FaceRows] = {}
        self.voices: dict[int, Voices] = {}

    def add(self, ordinal: int, space: str, parts: Sequence[bytes], *, frame_space: str) -> None:
        """Add a reference's packed fingerprints of one space.

        Args:
            ordinal: the reference's.
            space: theirs; one that nothing here compares is passed over.
            parts: at least one.
            frame_space: the space in which pictures are compared.

        Raises:
            SealError: they are not of this version.
        """
        try:
            self._add(ordinal, FRAMES if space == frame_space else space, parts)
        except ValueError as error:
            raise SealError("not the features of this version") from error

    def _add(self, ordinal: int, space: str, parts: Sequence[bytes]) -> None:
        match space:
            case "frames":
                for part in parts:
                    self.frames.add(ordinal, from_bytes(part))
            case self._SOUND:
                for part in parts:
                    self.sounds.add(ordinal, SoundFingerprint.from_arrays(unpack(part)))
            case self._POINTS:
                found = (Keypoints.from_arrays(unpack(part)) for part in parts)
                self.points[ordinal] = tuple(found)
            case self._FACE:
                self.faces[ordinal] = np.concatenate([_faces(part) for part in parts])
            case self._VOICE:
                self.voices[ordinal] = Voices.from_arrays(unpack(parts[0]))

    _SOUND, _POINTS, _FACE, _VOICE = SOUND_SPACE, KEYPOINT_SPACE, FACE_SPACE, VOICE_SPACE


def _faces(part: bytes) -> FaceRows:
    return take(unpack(part), "embeddings", np.float32, (None, DIMENSIONS))


class Applicable(Protocol):
    """Whom a negative counts for."""

    @property
    def case(self) -> CaseId | None: ...

    @property
    def reference(self) -> ReferenceId | None: ...


class NegativeBank:
    """What was wrongly taken for footage: what is more like it than like a reference is no copy."""

    def __init__(self) -> None:
        self._frames = FrameGallery()
        self._sounds = SoundGallery()
        self._frame_owners: list[Applicable] = []
        self._sound_owners: list[Applicable] = []

    def add_frames(self, negative: Applicable, prints: Sequence[ImageFingerprint]) -> None:
        """Add a negative's frames."""
        for one in prints:
            self._frames.add(len(self._frame_owners), one)
        self._frame_owners.append(negative)

    def add_sounds(self, negative: Applicable, prints: Sequence[SoundFingerprint]) -> None:
        """Add a negative's sounds."""
        for one in prints:
            self._sounds.add(len(self._sound_owners), one)
        self._sound_owners.append(negative)

    def frame_similarities(
        self, queries: Sequence[ImageFingerprint], limit: int = 20
    ) -> list[tuple[Applicable, float]]:
        """Give the negatives that a medium's frames are most like, with the highest cosine."""
        if not len(self._frames):
            return []
        best: dict[int, float] = {}
        for query in queries:
            for one in self._frames.search(query, limit):
                best[one.ordinal] = max(one.similarity, best.get(one.ordinal, -1.0))
        return [(self._frame_owners[ordinal], value) for ordinal, value in best.items()]

    def sound_similarities(
        self, query: SoundFingerprint, limit: int = 20
    ) -> list[tuple[Applicable, float]]:
        """Give the negatives that a sound is most like, with the similarity."""
        if not len(self._sounds):
            return []
        found = self._sounds.search(query, limit)
        return [(self._sound_owners[one.ordinal], one.match.similarity) for one in found]


def counts_for(negative: Applicable, case: CaseId, reference: ReferenceId) -> bool:
    """Say whether a negative concerns a reference of a case."""
    return negative.case in {None, case} and negative.reference in {None, reference}
