"""The features of the references that may be matched, searchable by modality."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.arrays import Arrays, take, unpack
from gpu_kernels.faces import DIMENSIONS
from gpu_kernels.fingerprint import ImageFingerprint, from_bytes
from gpu_kernels.keypoints import SPACE as KEYPOINT_SPACE
from gpu_kernels.keypoints import Keypoints
from gpu_kernels.search import FrameGallery
from gpu_kernels.sound import SOUND_SPACE, SoundFingerprint
from gpu_kernels.sound_line import SoundMatch
from gpu_kernels.sound_search import SoundGallery
from gpu_kernels.voice import Voices
from monitors.deriving import FACE_SPACE, VOICE_SPACE
from streams.errors import SealError
from streams.types import CaseId, ReferenceId

FaceRows = NDArray[np.float32]
"""Shape (n, 128), rows of unit length."""


class Shelf:
    """Features by ordinal. It only grows: snapshots share it and look below their own end.

    One thread adds; any may read at any time.

    Attributes:
        frames: pictures, and the frames of videos.
        sounds: what is heard in recordings and videos.
        sound_seconds: of them all.
        points: local features, of stills and of a video's frames every few seconds.
        faces: of consenting subjects.
        voices: likewise.
    """

    def __init__(self) -> None:
        self.frames = FrameGallery()
        self.sounds = SoundGallery()
        self.sound_seconds = 0.0
        self.points: dict[int, tuple[Keypoints, ...]] = {}
        self.faces: dict[int, FaceRows] = {}
        self.voices: dict[int, Voices] = {}

    def add(self, ordinal: int, packed: Mapping[str, Sequence[bytes]], *, frame_space: str) -> None:
        """Add a reference, all of it or nothing.

        Args:
            ordinal: the reference's; above all that were added before.
            packed: its fingerprints by space, at least one in each; what nothing here compares is
                passed over.
            frame_space: the space in which pictures are compared.

        Raises:
            SealError: they are not of this version.
        """
        try:
            adding = [
                self._frames(ordinal, parts, space)
                if space == frame_space
                else self._others(ordinal, space, parts)
                for space, parts in packed.items()
            ]
        except ValueError as error:
            raise SealError("not the features of this version") from error
        for add in adding:
            add()

    def _frames(self, ordinal: int, parts: Sequence[bytes], space: str) -> Callable[[], None]:
        prints = [from_bytes(part) for part in parts]
        if any(one.space != space for one in prints):
            raise ValueError("a frame of another space")
        return lambda: self._add_frames(ordinal, prints)

    def _others(self, ordinal: int, space: str, parts: Sequence[bytes]) -> Callable[[], None]:
        arrays = [unpack(part) for part in parts]
        match space:
            case self._SOUND:
                sounds = [SoundFingerprint.from_arrays(one) for one in arrays]
                return lambda: self._add_sounds(ordinal, sounds)
            case self._POINTS:
                points = tuple(Keypoints.from_arrays(one) for one in arrays)
                return lambda: self.points.update({ordinal: points})
            case self._FACE:
                faces = np.concatenate([_faces(one) for one in arrays])
                return lambda: self.faces.update({ordinal: faces})
            case self._VOICE:
                voices = Voices.from_arrays(arrays[0])
                return lambda: self.voices.update({ordinal: voices})
            case _:
                return lambda: None

    def _add_frames(self, ordinal: int, prints: Sequence[ImageFingerprint]) -> None:
        for one in prints:
            self.frames.add(ordinal, one)

    def _add_sounds(self, ordinal: int, sounds: Sequence[SoundFingerprint]) -> None:
        for one in sounds:
            self.sounds.add(ordinal, one)
            self.sound_seconds += one.seconds

    _SOUND, _POINTS, _FACE, _VOICE = SOUND_SPACE, KEYPOINT_SPACE, FACE_SPACE, VOICE_SPACE


def _faces(arrays: Arrays) -> FaceRows:
    return take(arrays, "embeddings", np.float32, (None, DIMENSIONS))


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
    ) -> list[tuple[Applicable, NDArray[np.float64]]]:
        """Give the negatives that a medium's frames are most like.

        Returns:
            With each negative the cosine of every frame, in the frames' order; -1 where the
            negative is not among the frame's `limit` nearest.
        """
        if not len(self._frames):
            return []
        found: dict[int, NDArray[np.float64]] = {}
        for place, query in enumerate(queries):
            for one in self._frames.search(query, limit):
                values = found.setdefault(one.ordinal, np.full(len(queries), -1.0))
                values[place] = one.similarity
        return [(self._frame_owners[ordinal], values) for ordinal, values in found.items()]

    def sound_matches(
        self, query: SoundFingerprint, limit: int = 20
    ) -> list[tuple[Applicable, SoundMatch]]:
        """Give the negatives that a sound is most like, with how and where."""
        if not len(self._sounds):
            return []
        found = self._sounds.search(query, limit)
        return [(self._sound_owners[one.ordinal], one.match) for one in found]
