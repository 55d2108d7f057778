"""Which moments of a medium are kept, and where they go. Only ever runs in a locked child."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from PIL import Image, ImageChops, ImageStat
from PIL.Image import Resampling

from streams.types import Look

NEAR_IDENTICAL = 0.5
"""Mean absolute difference, of 255, between two grey thumbnails below which the later one shows
nothing new. Noise of 5 a pixel is 0.3 to 0.4 there, at 640 x 360: a pixel of it averages 225."""

SPOT = 12.0
"""Difference of one of a thumbnail's pixels from which a spot changed: a face that turns, a ship on
a black screen. Such changes tell a copy from another recording of the same scene; at 240p and CRF
40 the most changed pixel of a still scene changes by 9 in the median (`video_chess`)."""

THUMBNAIL_SIDE = 32

MAX_GAP_SECONDS = 10.0
"""A scene that stands still gives a frame this often all the same."""

STRIP_ROWS = 16


class OutOfTimeError(BaseException):
    """The CPU budget is spent. No parser's `except Exception` must swallow it."""


class Sink(Protocol):
    """Where frames go."""

    def add(self, width: int, height: int, strips: Iterable[bytes], at_seconds: float) -> None:
        """Append a frame."""
        ...

    def keep(self, frames: int) -> None:
        """Forget all but the first ones."""
        ...


class MediaSink(Sink, Protocol):
    """Where frames and sound go."""

    def put_sound(self, pcm: bytes, at_seconds: float) -> None:
        """Give the sound: signed 16 bits, mono, `SOUND_RATE_HZ`."""
        ...


def put(sink: Sink, picture: Image.Image, at_seconds: float) -> None:
    """Hand over in strips: a fresh page costs more here than copying it."""
    width, height = picture.size
    tops = range(0, height, STRIP_ROWS)
    rows = (picture.crop((0, top, width, min(top + STRIP_ROWS, height))) for top in tops)
    sink.add(width, height, (strip.tobytes() for strip in rows), at_seconds)


def end_of(look: Look) -> float:
    """Tell where a look ends; infinity where it has no end."""
    return float("inf") if look.seconds is None else look.start_seconds + look.seconds


def choose_frames(count: int, max_frames: int) -> tuple[int, ...]:
    """Choose evenly spread frames, the first and the last among them.

    Returns:
        At most `max_frames` of `range(count)`, rising, without repetition.
    """
    if count <= max_frames:
        return tuple(range(count))
    steps = max(1, max_frames - 1)
    return tuple(round(step * (count - 1) / steps) for step in range(max_frames))


@dataclass(slots=True)
class Grid:
    """The wanted moments: the first of each step.

    Args:
        start_seconds: of the first step.
        step_seconds: between two.
    """

    start_seconds: float
    step_seconds: float
    _next: int = 0

    def wants(self, at_seconds: float, _until_seconds: float = 0.0) -> bool:
        """Say whether a frame is the first of its step; it is asked once for each, in order."""
        place = int((at_seconds - self.start_seconds) / self.step_seconds + 1e-6)
        if place < self._next:
            return False
        self._next = place + 1
        return True

    def sees_whole(self, _at_seconds: float) -> bool:
        """Say whether every frame is decoded in the step of a moment."""
        return False


WHOLE_SHARE = 1 / 3
"""Of a draw's steps, at random, that are decoded whole, so that nobody can hide in frames that no
other needs. All of them would cost up to 1.7 times as much, a third of them 1.2 times
(docs/media.md)."""


@dataclass(slots=True)
class Draw:
    """One random moment of each step.

    Args:
        start_seconds: of the first step.
        step_seconds: between two.
        seed: gives the same moments again.
    """

    start_seconds: float
    step_seconds: float
    seed: int
    _random: Random = field(init=False)
    _whole: tuple[int, bool] = (-1, True)
    _place: int = -1
    _moment: float = -1.0

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - the seed is the secret

    def wants(self, at_seconds: float, until_seconds: float) -> bool:
        """Say whether a frame is shown at a step's moment; it is asked once for each, in order."""
        place = int((at_seconds - self.start_seconds) / self.step_seconds)
        if place > self._place:
            self._draw(place)
        if self._moment < at_seconds:
            self._draw(self._place + 1)
        if self._moment >= until_seconds:
            return False
        self._draw(self._place + 1)
        return True

    def sees_whole(self, at_seconds: float) -> bool:
        """Say whether every frame is decoded in the step of a moment."""
        place = max(0, int((at_seconds - self.start_seconds) / self.step_seconds))
        if self._whole[0] != place:
            drawn = Random(f"{self.seed} {place}").random()  # noqa: S311 - the seed is the secret
            self._whole = place, drawn < WHOLE_SHARE
        return self._whole[1]

    def _draw(self, place: int) -> None:
        self._place = place
        self._moment = self.start_seconds + (place + self._random.random()) * self.step_seconds


def steps_of(look: Look) -> Grid | Draw:
    """Give the moments that a look wants."""
    step = 1 / look.frames_per_second
    if look.seed is None:
        return Grid(look.start_seconds, step)
    return Draw(look.start_seconds, step, look.seed)


@dataclass(slots=True)
class Reel:
    """Frames on their way into a sink, without those that show nothing new.

    Args:
        sink: takes at most `max_frames`.
        max_frames: after which it is full.
    """

    sink: Sink
    max_frames: int
    count: int = 0
    _shown: Image.Image | None = field(default=None, init=False)
    _shown_at: float = field(default=0.0, init=False)

    @property
    def is_full(self) -> bool:
        """Whether no further frame is taken."""
        return self.count >= self.max_frames

    def show(self, picture: Image.Image, at_seconds: float) -> None:
        """Take an RGB picture, unless it looks like the one before."""
        small = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
        thumbnail = picture.resize(small, Resampling.BOX).convert("L")
        if self._is_old(thumbnail, at_seconds):
            return
        put(self.sink, picture, at_seconds)
        self.count += 1
        self._shown, self._shown_at = thumbnail, at_seconds

    def _is_old(self, thumbnail: Image.Image, at_seconds: float) -> bool:
        if self._shown is None or at_seconds - self._shown_at >= MAX_GAP_SECONDS:
            return False
        difference = ImageStat.Stat(ImageChops.difference(thumbnail, self._shown))
        return difference.mean[0] < NEAR_IDENTICAL and difference.extrema[0][1] < SPOT
