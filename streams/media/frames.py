"""What crosses between the decoder's parent and its children, byte by byte; never a pickle.

The parent makes and sizes a memfd; the child writes one header, its frames' entries, their pixels
and, at the memfd's end, its sound. The child read hostile bytes, so the parent believes nothing
it says.
"""

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from streams.errors import DecoderCrashedError, MediaTooLargeError, UndecodableMediaError
from streams.types import DecodedMedia, Frame, Look, MediaKind, Sound

MAGIC = b"HAECHIFR"
VERSION = 3

HEADER = struct.Struct("<8sHHHHHHHIIddd")
"""Magic, version, status, kind, format, number of frames here, whether there is a track of sound,
what was reached (flags), frames in the medium, bytes of sound here, the medium's duration, up to
where it was looked at, the sound's position; times in seconds."""

ENTRY = struct.Struct("<IIQd")
"""Width, height, offset of the pixels from the start of the memfd, position in seconds."""

KINDS = (MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.AUDIO)
PICTURE_FORMATS = ("jpeg", "png", "webp", "gif", "bmp", "tiff", "avif")
FORMATS = (
    *PICTURE_FORMATS,
    *("mp4", "mov", "3gp", "webm", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "asf"),
    *("ogg", "wav", "mp3", "flac", "aac", "m4a", "amr", "aiff", "caf"),
)
"""A child names its kind and format by their places here, so it cannot name anything else."""

MAX_SECONDS = 1e7
"""Longest position believed; an animation's durations are its author's."""

SOUND_RATE_HZ = 16_000
MAX_SOUND_SECONDS = 600
MAX_SOUND_BYTES = MAX_SOUND_SECONDS * SOUND_RATE_HZ * 2
"""Of one call: ten minutes, mono, 16 bits; 19.2 MB."""

MIN_FRAMES_PER_SECOND, MAX_FRAMES_PER_SECOND = 0.001, 30.0

REQUEST = struct.Struct("<BQdIdddBQ")
"""Parent to zygote: a `Request`, the job, its wall time in seconds, a probe's place in the list,
and the look: start, seconds (-1: as much as the caps allow), frames a second, flags, seed."""

_KEY_FRAMES, _SOUND, _SEEDED = 1, 2, 4
_END, _HEARD_END = 1, 2

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one answer may hold.

    Args:
        max_side: longest side of a still picture's frame, in pixels.
        max_frames: of a still picture (of several pages).
        video_side: longest side of a video's frame.
        max_video_frames: of one look at a video or an animated picture.
    """

    max_side: int = 1024
    max_frames: int = 4
    video_side: int = 640
    max_video_frames: int = 96

    @property
    def pixels_start(self) -> int:
        """Where pixels may begin."""
        return HEADER.size + max(self.max_frames, self.max_video_frames) * ENTRY.size

    @property
    def sound_start(self) -> int:
        """Where sound begins, after the room for all pixels."""
        still = self.max_frames * self.max_side**2
        return self.pixels_start + max(still, self.max_video_frames * self.video_side**2) * 3

    @property
    def capacity_bytes(self) -> int:
        """How large a memfd holds the largest answer; unwritten pages cost nothing."""
        return self.sound_start + MAX_SOUND_BYTES

    def of_kind(self, kind: MediaKind) -> tuple[int, int]:
        """Tell the longest side and the most frames of one kind."""
        if kind == MediaKind.IMAGE:
            return self.max_side, self.max_frames
        return self.video_side, self.max_video_frames if kind == MediaKind.VIDEO else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a child says of its medium, beside frames and sound; see `DecodedMedia`."""

    kind: MediaKind
    format: str
    frame_count: int = 0
    duration_seconds: float = 0.0
    looked_until_seconds: float = 0.0
    reached_end: bool = False
    has_sound: bool = False
    heard_end: bool = False


def pack_request(
    request: Request, job: int, seconds: float = 0.0, probe: int = 0, look: Look | None = None
) -> bytes:
    """Make a message to the zygote.

    Raises:
        ValueError: the look asks for what no medium has.
    """
    look = look or Look()
    asked = (look.start_seconds, -1.0 if look.seconds is None else look.seconds)
    flags = _KEY_FRAMES * look.key_frames | _SOUND * look.sound | _SEEDED * (look.seed is not None)
    seed = look.seed or 0
    if look.seconds is not None and look.seconds < 0:
        raise ValueError("a look of negative length")
    if not 0 <= seed < 2**64:
        raise ValueError("a seed out of bounds")
    read_look(*asked, look.frames_per_second, flags, seed)
    return REQUEST.pack(request, job, seconds, probe, *asked, look.frames_per_second, flags, seed)


def read_look(
    start: float, seconds: float, frames_per_second: float, flags: int, seed: int
) -> Look:
    """Read the look of a message.

    Raises:
        ValueError: a number is out of its bounds.
    """
    if not 0 <= start <= MAX_SECONDS or not (seconds == -1 or 0 <= seconds <= MAX_SECONDS):
        raise ValueError("a look out of bounds")
    if not MIN_FRAMES_PER_SECOND <= frames_per_second <= MAX_FRAMES_PER_SECOND:
        raise ValueError("frames a second out of bounds")
    if flags & ~(_KEY_FRAMES | _SOUND | _SEEDED):
        raise ValueError("an unknown flag")
    return Look(
        start_seconds=start,
        seconds=None if seconds == -1 else seconds,
        key_frames=bool(flags & _KEY_FRAMES),
        frames_per_second=frames_per_second,
        sound=bool(flags & _SOUND),
        seed=seed if flags & _SEEDED else None,
    )


class FrameWriter:
    """The child's side.

    Args:
        buffer: of `limits.capacity_bytes`, written in place.
        limits: those of the parent.
    """

    def __init__(self, buffer: memoryview, limits: Limits) -> None:
        self._buffer = buffer
        self._sound_start = limits.sound_start
        self._ends = [limits.pixels_start]
        self._sound = (0, 0.0)

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

    def put_sound(self, pcm: bytes, at_seconds: float) -> None:
        """Give the sound, of at most `MAX_SOUND_BYTES`."""
        self._buffer[self._sound_start : self._sound_start + len(pcm)] = pcm
        self._sound = (len(pcm), at_seconds)

    def finish(self, status: Status, summary: Summary | None = None) -> None:
        """Write the header; before this the parent sees no answer."""
        summary = summary or Summary(kind=MediaKind.IMAGE, format="jpeg")
        frames, (sound_bytes, sound_at) = len(self._ends) - 1, self._sound
        HEADER.pack_into(
            self._buffer,
            0,
            MAGIC,
            VERSION,
            status,
            KINDS.index(summary.kind),
            FORMATS.index(summary.format),
            frames,
            summary.has_sound,
            _END * summary.reached_end | _HEARD_END * summary.heard_end,
            min(max(summary.frame_count, frames), 2**32 - 1),
            sound_bytes,
            summary.duration_seconds,
            summary.looked_until_seconds,
            sound_at,
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


def parse_frames(buffer: memoryview, limits: Limits) -> DecodedMedia:
    """Read a child's answer; pixels and sound are copied out.

    Raises:
        UndecodableMediaError: the child could not read the medium.
        MediaTooLargeError: it has too many pixels.
        DecoderCrashedError: out of time or memory, no answer, or one that breaks the rules.
    """
    if len(buffer) < limits.pixels_start:
        raise DecoderCrashedError("the decoder's answer is cut short")
    magic, version, status, *rest = HEADER.unpack_from(buffer)
    if magic != MAGIC or version != VERSION:
        raise DecoderCrashedError("the decoder gave no answer")
    _raise_for(status)
    place, name, frames, has_sound, reached, frame_count, sound_bytes, *times = rest
    duration, looked_until, sound_at = (_check_seconds(value) for value in times)
    if place >= len(KINDS) or name >= len(FORMATS) or frames > frame_count:
        raise DecoderCrashedError("the decoder's answer is malformed")
    if has_sound > 1 or reached & ~(_END | _HEARD_END):
        raise DecoderCrashedError("the decoder's answer is malformed")
    kind = KINDS[place]
    _check_amounts(kind, frames, sound_bytes, limits, has_sound=bool(has_sound))
    return DecodedMedia(
        kind=kind,
        format=FORMATS[name],
        frames=_read_frames(buffer, frames, limits, limits.of_kind(kind)[0]),
        frame_count=frame_count,
        duration_seconds=duration,
        looked_until_seconds=looked_until,
        reached_end=bool(reached & _END),
        has_sound=bool(has_sound),
        heard_end=bool(reached & _HEARD_END),
        sound=_read_sound(buffer, limits.sound_start, sound_bytes, sound_at),
    )


def _check_seconds(value: float) -> float:
    if not (math.isfinite(value) and 0 <= value <= MAX_SECONDS):
        raise DecoderCrashedError("a position is out of bounds")
    return value


def _check_amounts(
    kind: MediaKind, frames: int, sound_bytes: int, limits: Limits, *, has_sound: bool
) -> None:
    most = limits.of_kind(kind)[1]
    if not min(1, most) <= frames <= most:
        raise DecoderCrashedError("the decoder's answer is malformed")
    if sound_bytes % 2 or sound_bytes > MAX_SOUND_BYTES:
        raise DecoderCrashedError("the sound's length is out of bounds")
    may_sound, must_sound = kind != MediaKind.IMAGE, kind == MediaKind.AUDIO or sound_bytes > 0
    if (has_sound and not may_sound) or (must_sound and not has_sound):
        raise DecoderCrashedError("the decoder's answer is malformed")


def _read_frames(
    buffer: memoryview, count: int, limits: Limits, max_side: int
) -> tuple[Frame, ...]:
    places = range(HEADER.size, HEADER.size + count * ENTRY.size, ENTRY.size)
    frames = tuple(_read_frame(buffer, place, limits, max_side) for place in places)
    times = [frame.at_seconds for frame in frames]
    if times != sorted(times):
        raise DecoderCrashedError("the frames are out of order")
    return frames


def _read_frame(buffer: memoryview, place: int, limits: Limits, max_side: int) -> Frame:
    width, height, offset, at_seconds = ENTRY.unpack_from(buffer, place)
    end = offset + width * height * 3
    if not (1 <= width <= max_side and 1 <= height <= max_side):
        raise DecoderCrashedError("a frame's sides are out of bounds")
    if not limits.pixels_start <= offset < end <= min(len(buffer), limits.sound_start):
        raise DecoderCrashedError("a frame's pixels are out of bounds")
    return Frame(
        width=width,
        height=height,
        rgb=bytes(buffer[offset:end]),
        at_seconds=_check_seconds(at_seconds),
    )


def _read_sound(buffer: memoryview, start: int, length: int, at_seconds: float) -> Sound | None:
    if not length:
        return None
    if start + length > len(buffer):
        raise DecoderCrashedError("the sound is out of bounds")
    pcm = bytes(buffer[start : start + length])
    return Sound(pcm=pcm, rate_hz=SOUND_RATE_HZ, at_seconds=at_seconds)
