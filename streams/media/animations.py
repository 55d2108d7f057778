"""Animated pictures: their moments, as viewers show them. Only ever runs in a locked child."""

from dataclasses import dataclass

from PIL import Image

from streams.errors import MediaTooLargeError, UndecodableMediaError
from streams.media.frames import MAX_SECONDS, Limits, Summary
from streams.media.rendering import SHRINK, fit, render
from streams.media.sampling import OutOfTimeError, Reel, Sink, choose_frames, end_of, steps_of
from streams.types import Look, MediaKind

FLOOR_FRAMES = 4
"""Evenly spread by place and always looked at: most animations last less than four seconds."""

MAX_FRAME_SECONDS = 3600.0

UNSTATED_SECONDS = 0.1
TOO_SHORT_SECONDS = 0.01
"""Browsers show a frame of 10 ms or less for 100 ms."""

TIMED_BY_LOADING = frozenset({"WEBP", "AVIF"})
"""Pillow tells the duration of a frame of these after decoding it."""


@dataclass(slots=True)
class _Walk:
    """How far a walk came.

    Args:
        frames: that could be read.
        at_seconds: where the next one begins.
        is_full: it ended because no further frame is taken.
    """

    frames: int = 0
    at_seconds: float = 0.0
    is_full: bool = False


def put_animation(
    image: Image.Image, first: Image.Image, count: int, sink: Sink, limits: Limits, look: Look
) -> Summary:
    """Put the wanted moments of an animation into the sink.

    Args:
        image: opened; its first frame was read.
        first: that frame, rendered.
        count: how many frames the file promises, more than one.
        sink: takes at most `limits.max_video_frames`.
        limits: of sides and numbers.
        look: a key-frame look takes the evenly spread frames only.

    Raises:
        UndecodableMediaError: nothing in this part.
        OutOfTimeError: the same, because there was no time.
    """
    size = fit(first.size, limits.video_side)
    first = first if size == first.size else first.resize(size, SHRINK, reducing_gap=2.0)
    animation = _Animation(image, first, sink, limits, look)
    walk = _Walk()
    late = False
    try:
        animation.walk(count, walk)
        if walk.frames < count and not (walk.is_full or walk.at_seconds >= end_of(look)):
            count, walk = (
                max(1, walk.frames),
                _Walk(),
            )  # the file promised more than it holds: spread again
            sink.keep(0)
            animation.walk(count, walk)
    except (OutOfTimeError, MemoryError):
        late = True
    except Exception:  # noqa: BLE001, S110 - the frames so far stand, whatever the others do
        pass
    if not animation.shown:
        raise OutOfTimeError if late else UndecodableMediaError("nothing in this part")
    return _sum_up(str(image.format).lower(), count, walk)


def _sum_up(name: str, count: int, walk: _Walk) -> Summary:
    if count == 1:
        return Summary(kind=MediaKind.IMAGE, format=name, frame_count=1, reached_end=True)
    whole = walk.at_seconds * count / max(1, walk.frames)
    return Summary(
        kind=MediaKind.VIDEO,
        format=name,
        frame_count=count,
        duration_seconds=min(whole, MAX_SECONDS),
        looked_until_seconds=min(walk.at_seconds, MAX_SECONDS),
        reached_end=walk.frames >= count,
    )


class _Animation:
    def __init__(
        self, image: Image.Image, first: Image.Image, sink: Sink, limits: Limits, look: Look
    ) -> None:
        self._image = image
        self._first = first
        self._sink = sink
        self._limits = limits
        self._look = look
        self._first_seconds = _shown_seconds(image)
        self.shown = 0

    def walk(self, count: int, walk: _Walk) -> None:
        """Visit frame after frame, from the first."""
        reel = Reel(self._sink, self._limits.max_video_frames)
        floor = set(choose_frames(count, FLOOR_FRAMES))
        grid = steps_of(self._look)
        start, end = self._look.start_seconds, end_of(self._look)
        self.shown = 0
        if self._image.tell():
            self._image.seek(0)
        for index in range(count):
            try:
                seconds = self._go_to(index)
                until = walk.at_seconds + seconds
                if until > start and walk.at_seconds < end:
                    at = max(walk.at_seconds, start)
                    wanted = not self._look.key_frames and grid.wants(at, until)
                    if (wanted or index in floor) and not self._show(reel, index, at):
                        walk.is_full = True
                        return
            except (EOFError, OSError, SyntaxError, ValueError, MediaTooLargeError):
                return
            walk.frames, walk.at_seconds = index + 1, until
            if until >= end:
                return

    def _go_to(self, index: int) -> float:
        """Seek; return how long the frame is shown, in seconds."""
        if not index:
            return self._first_seconds
        self._image.seek(index)
        if self._image.format in TIMED_BY_LOADING:
            self._image.load()
        return _shown_seconds(self._image)

    def _show(self, reel: Reel, index: int, at_seconds: float) -> bool:
        """Show the current frame; False where the reel takes no more."""
        if reel.is_full:
            return False
        picture = render(self._image, self._limits.video_side) if index else self._first
        reel.show(picture, min(at_seconds, MAX_SECONDS))
        self.shown = reel.count
        return True


def _shown_seconds(image: Image.Image) -> float:
    try:
        seconds = float(image.info.get("duration", 0)) / 1000
    except (TypeError, ValueError):
        return UNSTATED_SECONDS
    if not seconds > TOO_SHORT_SECONDS:  # not a number, too
        return UNSTATED_SECONDS
    return min(seconds, MAX_FRAME_SECONDS)
