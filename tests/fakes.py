"""Stand-ins that more than one test uses."""

from datetime import UTC, datetime, timedelta

import numpy as np

from gpu_kernels.fingerprint import ImageFingerprint
from monitors.cases import AgeClass, LegalBasis, NewCase
from streams.errors import UndecodableMediaError
from streams.types import DecodedMedia, Frame, MediaKind


class FakeClock:
    """A `Clock` that stands still until it is advanced."""

    def __init__(self, now: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass, for both of its faces."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


def an_adults_case(alias: str = "A") -> NewCase:
    """The plainest case: an adult who asked herself."""
    return NewCase(alias=alias, age_class=AgeClass.ADULT, legal_basis=LegalBasis.VICTIM_REQUEST)


def picture_bytes(number: int) -> bytes:
    """The file of `FakeRecogniser`'s picture of this number."""
    return f"picture {number}".encode()


def fingerprint_of(
    number: int, *, space: str = "fake/1/numpy/f32", detail: float = 5.0
) -> ImageFingerprint:
    """A fingerprint that is nearest to itself: a random direction and a random hash."""
    random = np.random.default_rng(number)
    embeddings = random.standard_normal((2, 16)).astype(np.float32)
    return ImageFingerprint(
        width=64,
        height=48,
        space=space,
        boxes=np.array([[0, 0, 1, 1]] * 2, np.float32),
        embeddings=embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True),
        pdq=random.integers(0, 256, (8, 32), np.uint8),
        pdq_quality=np.full(8, 100, np.uint8),
        detail=detail,
    )


class FakeRecogniser:
    """A `Recogniser` that knows `picture_bytes` and calls everything else undecodable.

    Args:
        space: of its fingerprints.
        frames: of each picture.
    """

    def __init__(self, space: str = "fake/1/numpy/f32", frames: int = 1) -> None:
        self.space = space
        self.frames = frames
        self.asked = 0
        self.detail = 5.0

    async def fingerprints(
        self, body: bytes, *, reference: bool = False
    ) -> tuple[DecodedMedia, list[ImageFingerprint]]:
        self.asked += 1
        word, _, number = body.partition(b" ")
        if word != b"picture":
            raise UndecodableMediaError("no picture")
        frame = Frame(width=1, height=1, rgb=b"\0\0\0")
        media = DecodedMedia(
            kind=MediaKind.IMAGE, format="png", frames=(frame,) * self.frames, frame_count=1
        )
        seeds = [int(number) + 1000 * place for place in range(self.frames)]
        return media, [fingerprint_of(seed, space=self.space, detail=self.detail) for seed in seeds]
