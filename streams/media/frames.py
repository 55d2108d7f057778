"""What crosses between the decoder's parent and its children, byte by byte; never a pickle.

The parent makes and sizes a memfd; the child writes one header, its frames' entries and their
pixels into it. The child read hostile bytes, so the parent believes nothing it says.
"""

import math
import struct
from collections.abc import Iterable
from enum import IntEnum

from streams.errors import DecoderCrashedError, MediaTooLargeError, UndecodableMediaError
from streams.types import DecodedMedia, Frame, MediaKind

MAGIC = b"HAECHIFR"
VERSION = 1

HEADER = struct.Struct("<8sHHHHI")
"""Magic, version, status, format, number of frames here, frames in the medium."""

ENTRY = struct.Struct("<IIQd")
"""Width, height, offset of the pixels from the start of the memfd, position in seconds."""

FORMATS = ("jpeg", "png", "webp", "gif", "bmp", "tiff", "avif")
"""A child names its format by its place here, so it cannot name anything else."""

MAX_SECONDS = 1e7
"""Longest position believed; an animation's durations are its author's."""

REQUEST = struct.Struct("<BQdI")
"""Parent to zygote: a `Request`, the job, its wall time in seconds, a probe's place in the list."""

REPLY = struct.Struct("<BQi")
"""Zygote to parent: a `Reply`, the job, its wait status."""

EXIT_ALLOWED = 10
"""A probe did what the sandbox must forbid."""
EXIT_DENIED = 11
"""A probe was kept from it."""
EXIT_UNLOCKED = 70
"""The child could not lock itself, and looked at nothing."""


class Request(IntEnum):
    """What the parent asks of the zygote."""

    DECODE = 1
    CANCEL = 2
    PROBE = 3


class Reply(IntEnum):
    """What the zygote says."""

    READY = 1
    EXITED = 2
    TIMED_OUT = 3


class Status(IntEnum):
    """How a child judged its medium."""

    FINE = 1
    UNREADABLE = 2
    TOO_LARGE = 3
    OUT_OF_TIME = 4
    OUT_OF_MEMORY = 5


def pixels_start(max_frames: int) -> int:
    """Tell where pixels may begin."""
    return HEADER.size + max_frames * ENTRY.size


def capacity_bytes(max_side: int, max_frames: int) -> int:
    """Tell how large a memfd holds the largest answer; unwritten pages cost nothing."""
    return pixels_start(max_frames) + max_frames * max_side * max_side * 3


class FrameWriter:
    """The child's side.

    Args:
        buffer: of `capacity_bytes`, written in place.
        max_frames: entries that there is room for.
    """

    def __init__(self, buffer: memoryview, max_frames: int) -> None:
        self._buffer = buffer
        self._start = pixels_start(max_frames)
        self._ends = [self._start]

    def add(self, width: int, height: int, strips: Iterable[bytes], at_seconds: float) -> None:
        """Append one frame of `height * width * 3` bytes, in strips from the top."""
        count, start = len(self._ends) - 1, self._ends[-1]
        end = start
        for strip in strips:
            self._buffer[end : end + len(strip)] = strip
            end += len(strip)
        place = HEADER.size + count * ENTRY.size
        ENTRY.pack_into(self._buffer, place, width, height, start, at_seconds)
        self._ends.append(end)

    def keep(self, frames: int) -> None:
        """Forget all frames but the first ones."""
        del self._ends[frames + 1 :]

    def finish(self, status: Status, name: str = "jpeg", frame_count: int = 0) -> None:
        """Write the header; before this the parent sees no answer."""
        frames = len(self._ends) - 1
        HEADER.pack_into(
            self._buffer,
            0,
            MAGIC,
            VERSION,
            status,
            FORMATS.index(name),
            frames,
            min(max(frame_count, frames), 2**32 - 1),
        )


def _raise_for(status: int) -> None:
    match status:
        case Status.FINE:
            return
        case Status.UNREADABLE:
            raise UndecodableMediaError("no decoder accepts these bytes")
        case Status.TOO_LARGE:
            raise MediaTooLargeError("more pixels than allowed")
        case Status.OUT_OF_TIME:
            raise DecoderCrashedError("ran over its time")
        case Status.OUT_OF_MEMORY:
            raise DecoderCrashedError("ran over its memory")
    raise DecoderCrashedError("the decoder gave no answer")


def parse_frames(buffer: memoryview, *, max_side: int, max_frames: int) -> DecodedMedia:
    """Read a child's answer; the pixels are copied out.

    Raises:
        UndecodableMediaError: the child could not read the medium.
        MediaTooLargeError: it has too many pixels.
        DecoderCrashedError: out of time or memory, no answer, or one that breaks the rules.
    """
    if len(buffer) < pixels_start(max_frames):
        raise DecoderCrashedError("the decoder's answer is cut short")
    magic, version, status, place, frames, frame_count = HEADER.unpack_from(buffer)
    if magic != MAGIC or version != VERSION:
        raise DecoderCrashedError("the decoder gave no answer")
    _raise_for(status)
    if not 1 <= frames <= max_frames or frames > frame_count or place >= len(FORMATS):
        raise DecoderCrashedError("the decoder's answer is malformed")
    return DecodedMedia(
        kind=MediaKind.IMAGE,
        format=FORMATS[place],
        frames=tuple(
            _read_frame(buffer, HEADER.size + index * ENTRY.size, max_side, max_frames)
            for index in range(frames)
        ),
        frame_count=frame_count,
    )


def _read_frame(buffer: memoryview, place: int, max_side: int, max_frames: int) -> Frame:
    width, height, offset, at_seconds = ENTRY.unpack_from(buffer, place)
    end = offset + width * height * 3
    if not (1 <= width <= max_side and 1 <= height <= max_side):
        raise DecoderCrashedError("a frame's sides are out of bounds")
    if not pixels_start(max_frames) <= offset < end <= len(buffer):
        raise DecoderCrashedError("a frame's pixels are out of bounds")
    if not (math.isfinite(at_seconds) and 0 <= at_seconds <= MAX_SECONDS):
        raise DecoderCrashedError("a frame's position is out of bounds")
    return Frame(width=width, height=height, rgb=bytes(buffer[offset:end]), at_seconds=at_seconds)
