"""What speaks for references, by ordinal: what examining finds, and matching judges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.steps.reading import ReadHit
from alerts.policy import Points
from gpu_kernels.alignment import Alignment
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.keypoints import Keypoints
from gpu_kernels.search import Candidate, FrameGallery
from gpu_kernels.sound import SoundFingerprint
from gpu_kernels.sound_line import SoundMatch
from gpu_kernels.sound_search import SoundGallery
from streams.types import CaseId, ContentId, Modality, ReferenceId

Span = tuple[float, float]


class Owner(Protocol):
    """Whose reference an ordinal of the gallery is."""

    @property
    def case(self) -> CaseId: ...

    @property
    def reference(self) -> ReferenceId: ...

    @property
    def content(self) -> ContentId: ...


class Shelved(Protocol):
    """The references' features by ordinal."""

    @property
    def frames(self) -> FrameGallery: ...

    @property
    def sounds(self) -> SoundGallery: ...

    @property
    def points(self) -> Mapping[int, Sequence[Keypoints]]: ...


class Applicable(Protocol):
    """Whom a negative counts for; None: for all."""

    @property
    def case(self) -> CaseId | None: ...

    @property
    def reference(self) -> ReferenceId | None: ...


class Rejecting(Protocol):
    """The negative bank: what each of a medium's frames, and its sound, are most like of it."""

    def frame_similarities(
        self, queries: Sequence[ImageFingerprint]
    ) -> Sequence[tuple[Applicable, NDArray[np.float64]]]: ...

    def sound_matches(self, query: SoundFingerprint) -> Sequence[tuple[Applicable, SoundMatch]]: ...


class Searchable(Protocol):
    """A snapshot of the gallery: features by ordinal, and whose each ordinal is."""

    @property
    def owners(self) -> Sequence[Owner]: ...

    @property
    def shelf(self) -> Shelved: ...

    @property
    def negatives(self) -> Rejecting: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StillFound:
    """A frame that is like a reference's picture.

    Args:
        candidate: how.
        frame: the frame's place in the medium's, in order.
        at_seconds: when it is.
        points: None where local features were not compared.
    """

    candidate: Candidate
    frame: int
    at_seconds: float
    points: Points | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmFound:
    """A stretch of frames that runs along a reference's.

    Args:
        alignment: how.
        query_box: where in the nearest frame; None where no frame was comparable alone.
        points: None where local features were not compared.
    """

    alignment: Alignment
    query_box: tuple[float, float, float, float] | None = None
    points: Points | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectFound:
    """A face or a voice that is like the consenting subject's.

    Args:
        ordinal: the reference's.
        modality: face or voice.
        similarity: 0..1.
        query_span: when.
        query_box: where; None of a voice.
        reference_span: when in the reference; None of a face.
    """

    ordinal: int
    modality: Modality
    similarity: float
    query_span: Span
    query_box: tuple[float, float, float, float] | None = None
    reference_span: Span | None = None


@dataclass(slots=True, kw_only=True)
class Findings:
    """All that speaks for references, by ordinal; grows while a medium is examined.

    Args:
        stills: of frames.
        films: of frames in order.
        sounds: of copied sound.
        subjects: of faces and voices.
        words: keywords spoken, or written in pictures.
        rejected: ordinals that the medium is less like than it is like a negative of theirs.
        space: of the frames.
        hurried: local features were to be compared, and there was no time for it.
    """

    space: str
    stills: dict[int, StillFound] = field(default_factory=dict)
    films: dict[int, FilmFound] = field(default_factory=dict)
    sounds: dict[int, SoundMatch] = field(default_factory=dict)
    subjects: list[SubjectFound] = field(default_factory=list)
    words: tuple[ReadHit, ...] = ()
    rejected: frozenset[int] = frozenset()
    hurried: bool = False

    @property
    def ordinals(self) -> list[int]:
        """Every footage reference that something speaks for."""
        return sorted({*self.stills, *self.films, *self.sounds})
