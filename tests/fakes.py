"""Stand-ins that more than one test uses."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.faces import DIMENSIONS, NO_FACES, Faces
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.keypoints import Keypoints
from gpu_kernels.lettering import Lettering
from gpu_kernels.sound import SoundFingerprint, fingerprint_sound
from gpu_kernels.speech import Transcript
from gpu_kernels.voice import NO_VOICES, Voices
from gpu_kernels.wire import Task
from monitors.cases import AgeClass, LegalBasis, NewCase
from streams.errors import UndecodableMediaError
from streams.types import DecodedMedia, Frame, Look, MediaKind, Sound


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
    embeddings = random.standard_normal((2, 128)).astype(np.float32)
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


def a_melody(seed: int, seconds: float = 12.0, *, rate_hz: int = 16_000) -> NDArray[np.float32]:
    """Random notes over a little noise: a sound that tells itself from every other."""
    random = np.random.default_rng(seed)
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    notes = 2.0 ** (random.integers(12, 48, (3, int(seconds / 0.25) + 1)) / 12) * 110
    phases = np.cumsum(notes[:, (at / 0.25).astype(int)], axis=1) / rate_hz * 2 * np.pi
    wave = np.sin(phases).sum(axis=0) / 5 + 0.005 * random.standard_normal(len(at))
    return np.asarray(wave, np.float32)


def as_sound(wave: NDArray[np.float32]) -> Sound:
    """Full scale -1..1 as a decoder gives it."""
    return Sound(pcm=(wave * 32767).astype("<i2").tobytes())


def unit_rows(seed: int, count: int, dimensions: int) -> NDArray[np.float32]:
    """Random directions: in so many dimensions no two are alike."""
    rows = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def faces_of(*people: int) -> Faces:
    """One face for each person, side by side."""
    count = len(people)
    left = np.arange(count, dtype=np.float32) / max(1, count)
    boxes = np.stack([left, left * 0, left + 0.5 / max(1, count), left * 0 + 0.5], axis=1)
    return Faces(
        boxes=boxes.astype(np.float32).reshape(-1, 4),
        confidence=np.full(count, 0.9, np.float32),
        landmarks=np.zeros((count, 5, 2), np.float32),
        embeddings=np.concatenate([unit_rows(one, 1, DIMENSIONS) for one in people]),
    )


def voices_of(*people: int, windows: int = 4) -> Voices:
    """So many windows of each person's voice, one after the other."""
    rows = [np.abs(unit_rows(one, 1, 256)) ** 8 for one in people for _ in range(windows)]
    joined = np.concatenate(rows)
    starts = np.arange(len(joined)) * 0.8
    return Voices(
        spans=np.stack([starts, starts + 1.6], axis=1),
        embeddings=np.asarray(joined / np.linalg.norm(joined, axis=1, keepdims=True), np.float32),
    )


@dataclass(kw_only=True)
class FakeFilm:
    """What `FakeRecogniser` makes of one body that is no `picture_bytes`.

    Args:
        seconds: how long it is.
        first: number of its first frame's picture; each second has the next. None: a sound alone.
        sound: of all of it.
        key_seconds: between its key frames.
        still: it shows its first frame throughout, of which a decoder gives one.
        claims: seconds, where its container says something else than its frames.
    """

    seconds: float
    first: int | None = None
    sound: Sound | None = None
    key_seconds: float = 4.0
    still: bool = False
    claims: float | None = None

    def look(self, look: Look, most_seconds: float) -> DecodedMedia:
        """Decode a part, at most so many seconds of it."""
        until = min(self.seconds, look.start_seconds + most_seconds)
        frames = []
        if self.first is not None:
            step = self.key_seconds if look.key_frames else 1 / look.frames_per_second
            times = np.arange(look.start_seconds, until - 1e-6, step)
            shown = times[:1] if self.still else times
            frames = [_frame(self.first + int(at), float(at)) for at in shown]
        return DecodedMedia(
            kind=MediaKind.AUDIO if self.first is None else MediaKind.VIDEO,
            format="wav" if self.first is None else "mp4",
            frames=tuple(frames),
            frame_count=len(frames),
            duration_seconds=self.seconds if self.claims is None else max(self.claims, until),
            looked_until_seconds=until,
            reached_end=until >= self.seconds,
            has_sound=self.sound is not None,
            heard_end=self.sound is not None,
            sound=self._part(look.start_seconds, until) if look.sound else None,
        )

    def _part(self, start: float, until: float) -> Sound | None:
        if self.sound is None:
            return None
        first, last = (2 * int(one * self.sound.rate_hz) for one in (start, until))
        return Sound(pcm=self.sound.pcm[first:last], at_seconds=start)


def _frame(number: int, at_seconds: float = 0.0) -> Frame:
    return Frame(width=1, height=1, rgb=number.to_bytes(3, "little"), at_seconds=at_seconds)


@dataclass(kw_only=True)
class FakeRecogniser:
    """A `Recogniser` that knows `picture_bytes` and `films`, and calls all else undecodable.

    A frame's number is its colour. Sounds are fingerprinted as they really are.

    Args:
        space: of its fingerprints.
        frames: of each picture.
        films: by their bytes.
        most_seconds: of a film that are decoded at once.
        faces_in: whose faces the picture of a number shows.
        heard: voices, in every sound.
        page: written in every frame.
        said: in every sound; to its end, unless it says until when.
        detail: of every frame.
    """

    space: str = "fake/1/numpy/f32"
    frames: int = 1
    films: dict[bytes, FakeFilm] = field(default_factory=dict)
    most_seconds: float = 60.0
    faces_in: dict[int, Faces] = field(default_factory=dict)
    heard: Voices = NO_VOICES
    page: Lettering = field(default_factory=Lettering)
    said: Transcript = field(default_factory=Transcript)
    detail: float = 5.0
    looks: list[Look] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    budgets: list[float] = field(default_factory=list)
    page_budgets: list[float] = field(default_factory=list)

    @property
    def asked(self) -> int:
        """How often anything was decoded."""
        return len(self.looks)

    async def decode(self, body: bytes, look: Look = Look()) -> DecodedMedia:
        self.looks.append(look)
        if body in self.films:
            return self.films[body].look(look, self.most_seconds)
        word, _, number = body.partition(b" ")
        if word != b"picture":
            raise UndecodableMediaError("no picture")
        shown = tuple(_frame(int(number) + 1000 * place) for place in range(self.frames))
        return DecodedMedia(
            kind=MediaKind.IMAGE,
            format="png",
            frames=shown,
            frame_count=self.frames,
            reached_end=True,
        )

    async def fingerprint_frames(
        self, frames: Sequence[Frame], *, task: Task = Task.QUERY
    ) -> list[ImageFingerprint]:
        self.tasks += [task] * len(frames)
        return [
            replace(
                fingerprint_of(number_of(one), space=self.space, detail=self.detail),
                at_seconds=one.at_seconds,
            )
            for one in frames
        ]

    async def keypoints(self, frame: Frame) -> Keypoints:
        self.tasks.append(Task.KEYPOINTS)
        random = np.random.default_rng(number_of(frame))
        return Keypoints(
            width=640,
            height=480,
            points=random.uniform(0, 480, (60, 2)).astype(np.float32),
            descriptors=random.integers(0, 256, (60, 128), np.uint8),
        )

    async def sound(self, sound: Sound) -> SoundFingerprint:
        self.tasks.append(Task.SOUND)
        samples = np.frombuffer(sound.pcm, "<i2") / np.float32(32768)
        return fingerprint_sound(np.asarray(samples, np.float32))

    async def faces(self, frame: Frame) -> Faces:
        self.tasks.append(Task.FACES)
        return self.faces_in.get(number_of(frame), NO_FACES)

    async def voices(self, sound: Sound) -> Voices:
        self.tasks.append(Task.VOICES)
        return self.heard

    async def lettering(self, frame: Frame, budget_seconds: float) -> Lettering:
        self.tasks.append(Task.LETTERING)
        self.page_budgets.append(budget_seconds)
        return self.page

    async def speech(self, sound: Sound, budget_seconds: float) -> Transcript:
        self.tasks.append(Task.SPEECH)
        self.budgets.append(budget_seconds)
        return replace(self.said, until_seconds=self.said.until_seconds or sound.seconds)

    async def nudity(self, frame: Frame) -> float:
        self.tasks.append(Task.NUDITY)
        return 0.0


def number_of(frame: Frame) -> int:
    """The number of a `FakeRecogniser`'s frame."""
    return int.from_bytes(frame.rgb[:3], "little")
