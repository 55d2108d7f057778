"""The pictures of a video: all its key frames, or one in each step. Runs in a locked child."""

from __future__ import annotations  # PyAV's Packet is generic for type checkers only

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import av
from av.container.input import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from streams.errors import MediaTooLargeError
from streams.media.containers import (
    MAX_VIDEO_PIXELS,
    duration_seconds,
    is_last,
    origin_seconds,
    read_packets,
    seek,
)
from streams.media.frames import MAX_SECONDS, Limits
from streams.media.rendering import fit
from streams.media.sampling import Draw, Grid, Reel, Sink, end_of, steps_of
from streams.types import Look

TURNS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}
"""Degrees counter-clockwise that a container asks for."""

DEFAULT_RATE, MAX_RATE = 25.0, 240.0
"""Frames a second; more is a clock's rate and nothing known."""

MIN_ASPECT, MAX_ASPECT = 1 / 8, 8.0
"""Pixels narrower or wider than this are nonsense, and taken as square."""

SPARSE_PACKETS = 90
"""Without a picture out of so many, a stream has no reference frames to speak of; three seconds."""

SPARSE_STEP_SECONDS, SPARSE_STEP_FRAMES = 0.25, 5
"""Frames that no other needs are left out where a step is at least this long: two of three frames
of a usual stream are such, and the rest still has one every 0.1 s."""

UNINDEXED = frozenset({"mpegts", "mpeg", "mpegvideo"})
PREROLL_SECONDS = 10.0
"""Seeking in these finds any frame, not a key frame: begin so much earlier, as few streams have a
key frame more seldom."""


AHEAD_PACKETS = 100
"""Whose stamps are read before a packet is decoded: three seconds at thirty frames a second."""

MIN_STRIDE_SECONDS, MAX_STRIDE_SECONDS = 1 / 30, 1.0
"""By which a frame with an incredible stamp follows the one before, whatever rate is claimed."""


@dataclass(slots=True)
class Film:
    """One look at one video.

    Args:
        container: fresh, at its beginning.
        stream: its pictures.
        sink: takes frames.
        limits: sides and numbers.
        look: which part, how densely.
        until_seconds: up to where was looked.
        reached_end: whether the track ended there; not where a cap, a part or time did.
    """

    container: InputContainer
    stream: VideoStream
    sink: Sink
    limits: Limits
    look: Look
    until_seconds: float = 0.0
    reached_end: bool = False
    reel: Reel = field(init=False)
    _scaler: VideoReformatter = field(default_factory=VideoReformatter, init=False)
    _origin: float = field(init=False)
    _frame_seconds: float = field(init=False)
    _knows_rate: bool = field(init=False)
    _counted: int = field(default=0, init=False)
    _last_at: float | None = field(default=None, init=False)
    _is_read: bool = field(default=False, init=False)
    _is_sparse: bool = field(default=False, init=False)
    _ahead: deque[float | None] = field(default_factory=deque, init=False)

    def __post_init__(self) -> None:
        self.reel = Reel(self.sink, self.limits.max_video_frames)
        self._origin = origin_seconds(self.container)
        rate = float(self.stream.average_rate or self.stream.guessed_rate or 0)
        self._knows_rate = 0 < rate <= MAX_RATE
        self._frame_seconds = 1 / (rate if self._knows_rate else DEFAULT_RATE)
        self.until_seconds = self.look.start_seconds
        context = self.stream.codec_context
        if context.width * context.height > MAX_VIDEO_PIXELS:
            raise MediaTooLargeError(f"more than {MAX_VIDEO_PIXELS} pixels")
        context.thread_count = 1  # a locked child cannot make threads
        context.thread_type = "NONE"
        context.options = {**context.options, "max_pixels": str(MAX_VIDEO_PIXELS)}

    @property
    def frame_count(self) -> int:
        """How many frames the whole video has, by its container or its duration."""
        if self._counted:
            return max(self._counted, self.reel.count)
        said = self.stream.frames or int(duration_seconds(self.container) / self._frame_seconds)
        return max(said, self.reel.count)

    def run(self) -> None:
        """Put the wanted frames into the sink."""
        if self.look.key_frames:
            self._take_key_frames()
            if self.reel.count:
                return
            self._start_over()
        step = 1 / self.look.frames_per_second
        enough = max(SPARSE_STEP_SECONDS, SPARSE_STEP_FRAMES * self._frame_seconds)
        self._is_sparse = self._knows_rate and step >= enough
        self._go_to(self.look.start_seconds)
        if not self._sample() and self._may_hide_frames():
            self._start_over()
            self._sample()

    def _may_hide_frames(self) -> bool:
        """Say whether another way may find frames: a part beyond the end has none."""
        whole = duration_seconds(self.container)
        beyond = self.look.start_seconds >= whole > 0
        return not beyond and (self._is_sparse or self.look.start_seconds > 0)

    def _start_over(self) -> None:
        """Go back to the beginning, and leave nothing out."""
        self._decode_all()
        self._last_at = None
        self.until_seconds, self.reached_end = self.look.start_seconds, False
        seek(self.container, self.stream, 1e-6)

    def _go_to(self, seconds: float) -> None:
        if self.container.format.name in UNINDEXED:
            seconds -= PREROLL_SECONDS
        if self.look.start_seconds:
            seek(self.container, self.stream, max(seconds, 1e-6))

    def _end_reached(self) -> None:
        """The part is over, or the stream: all of it was looked at."""
        end = min(end_of(self.look), max(duration_seconds(self.container), self._seen_until()))
        self.until_seconds = min(max(self.until_seconds, end), MAX_SECONDS)

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        for packet in read_packets(self.container, self.stream):
            self._is_read = is_last(packet)
            yield packet

    def _read_ahead(self, packets: Iterable[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
        """Give packets in turn, while the positions of those after it stand in `_ahead`."""
        self._ahead.clear()
        waiting: deque[Packet[VideoStream]] = deque()
        for packet in packets:
            waiting.append(packet)
            self._ahead.append(self._position(packet.pts))
            if len(waiting) > AHEAD_PACKETS:
                self._ahead.popleft()
                yield waiting.popleft()
        while waiting:
            self._ahead.popleft()
            yield waiting.popleft()

    def _seen_until(self) -> float:
        return 0.0 if self._last_at is None else self._last_at + self._frame_seconds

    # -- key frames ---------------------------------------------------------------------------

    def _take_key_frames(self) -> None:
        """Find all key frames, choose evenly in time, decode nothing else."""
        chosen = choose_by_time(list(self._find_key_packets()), self.limits.max_video_frames)
        context = self.stream.codec_context
        context.flush_buffers()
        context.skip_frame = "NONKEY"
        for packet in chain(self._read_ahead(chosen), [None]):
            for frame in self._decode(packet):
                at = self._time_of(frame)
                if self.look.start_seconds <= at < end_of(self.look):
                    self._show(frame, at)
                    self.until_seconds = max(self.until_seconds, min(at, MAX_SECONDS))
        self._end_reached()
        self.reached_end = self._is_read

    def _find_key_packets(self) -> Iterator[tuple[float, Packet[VideoStream]]]:
        self._go_to(self.look.start_seconds)
        for packet in self._packets():
            pts = packet.pts if packet.pts is not None else packet.dts
            if pts is None or packet.size == 0:
                continue
            at = float(pts * packet.time_base) - self._origin
            if packet.dts is not None and packet.dts * packet.time_base - self._origin >= end_of(
                self.look
            ):
                return
            if packet.is_keyframe and self.look.start_seconds <= at < end_of(self.look):
                yield at, packet

    # -- one frame in each step ---------------------------------------------------------------

    def _sample(self) -> bool:
        """Take a frame of each step; False where nothing came of the first packets."""
        steps, count = steps_of(self.look), 0
        held: tuple[VideoFrame, float] | None = None
        for count, packet in enumerate(self._read_ahead(self._packets()), 1):
            if self._is_sparse:
                self._leave_out(packet, steps)
            for frame in self._decode(packet if packet.size else None):
                at = self._time_of(frame)  # and so long the one before was shown
                if held is not None and not self._take(*held, at, steps):
                    return True
                held = frame, at
            if count >= SPARSE_PACKETS and self._last_at is None and self._is_sparse:
                return False
            self._fill_gap(packet)
        if not self.look.start_seconds:
            self._counted = count - 1  # the last one flushes
        if held is not None and not self._take(*held, math.inf, steps):
            return True
        self._end_reached()
        self.reached_end = self._is_read
        return self.reel.count > 0

    def _take(self, frame: VideoFrame, at: float, until: float, steps: Grid | Draw) -> bool:
        """Take a frame where it is wanted; False where none after it will be."""
        if at >= end_of(self.look):
            self._end_reached()
            return False
        if at < self.look.start_seconds:
            return True
        self.until_seconds = at
        if not steps.wants(at, until):
            return True
        if self.reel.is_full:
            return False
        self._show(frame, at)
        return True

    def _decode_all(self) -> None:
        """Leave nothing out from here."""
        self._is_sparse = False
        self.stream.codec_context.skip_frame = "DEFAULT"

    def _leave_out(self, packet: Packet[VideoStream], steps: Grid | Draw) -> None:
        """Leave out frames that no other needs, but not in the steps that are seen whole."""
        at = self._position(packet.pts)
        is_whole = at is None or steps.sees_whole(at)
        self.stream.codec_context.skip_frame = "DEFAULT" if is_whole else "NONREF"

    def _fill_gap(self, packet: Packet[VideoStream]) -> None:
        """Decode everything from here, where what is left is too sparse for the steps."""
        if self._last_at is None or packet.dts is None or not self._is_sparse:
            return
        at = float(packet.dts * packet.time_base) - self._origin
        if at - self._last_at > 2 / self.look.frames_per_second + 1.0:
            self._decode_all()

    # -- one frame ----------------------------------------------------------------------------

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        try:
            return self.stream.codec_context.decode(packet)
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError):
            return []

    def _position(self, pts: int | None) -> float | None:
        base = self.stream.time_base  # a flushed frame has none of its own
        return None if pts is None or base is None else float(pts * base) - self._origin

    def _time_of(self, frame: VideoFrame) -> float:
        """Tell a frame's position; one without a credible stamp follows the one before."""
        said = self._position(frame.pts)
        if said is None:
            at = self._seen_until()
        else:
            at = said if self._is_credible(said) else self._follow(said)
        self._last_at = min(max(at, 0.0), MAX_SECONDS)
        return self._last_at

    def _is_credible(self, said: float) -> bool:
        """Say whether a stamp fits between the frame before and the frames to come.

        A decoder gives frames in the order in which they are shown. Where one to come is stamped
        before this one, this one's stamp is wrong: taken as it is, it would push all those away.
        """
        last = -1e-6 if self._last_at is None else self._last_at
        before = said - self._stride
        return said > last and not any(
            one is not None and last < one < before for one in self._ahead
        )

    def _follow(self, said: float) -> float:
        if self._is_sparse:  # only frame after frame tells the time now
            self._decode_all()
        if self._last_at is not None:
            is_near = 0 <= self._last_at - said <= 2 * self._stride
            return self._last_at + self._stride / (4 if is_near else 1)  # near ones catch up
        return min((one for one in self._ahead if one is not None and one >= 0), default=0.0)

    @property
    def _stride(self) -> float:
        return min(max(self._frame_seconds, MIN_STRIDE_SECONDS), MAX_STRIDE_SECONDS)

    def _show(self, frame: VideoFrame, at_seconds: float) -> None:
        picture = self._render(frame)
        if picture is not None and not self.reel.is_full:
            self.reel.show(picture, at_seconds)

    def _aspect(self) -> float:
        """Tell how wide a pixel is; its height is 1."""
        said = self.stream.sample_aspect_ratio or self.stream.codec_context.sample_aspect_ratio
        return float(said) if said else 1.0

    def _render(self, frame: VideoFrame) -> Image.Image | None:
        """Scale to the shown shape, upright; None where a broken frame cannot be."""
        width, height = fit(_shown_size(frame, self._aspect()), self.limits.video_side)
        try:
            scaled = self._scaler.reformat(frame, width, height, format="rgb24", threads=1)
            plane = scaled.planes[0]
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError, IndexError):
            return None
        size, line = (width, height), plane.line_size
        picture = Image.frombytes("RGB", size, bytes(plane)[: line * height], "raw", "RGB", line)
        turn = TURNS.get(round(_rotation(frame) / 90) * 90 % 360)
        return picture if turn is None else picture.transpose(turn)


def _rotation(frame: VideoFrame) -> float:
    return frame.rotation if math.isfinite(frame.rotation) else 0.0


def _shown_size(frame: VideoFrame, aspect: float) -> tuple[int, int]:
    """Tell the size with square pixels: nothing of the stored detail is lost."""
    if not MIN_ASPECT <= aspect <= MAX_ASPECT:
        aspect = 1.0
    if aspect >= 1:
        return max(1, round(frame.width * aspect)), frame.height
    return frame.width, max(1, round(frame.height / aspect))


def choose_by_time(
    found: list[tuple[float, Packet[VideoStream]]], most: int
) -> list[Packet[VideoStream]]:
    """Choose at most so many, evenly in time, in the order of decoding."""
    if len(found) <= most:
        return [packet for _, packet in found]
    first, last = min(at for at, _ in found), max(at for at, _ in found)
    grid = Grid(first, max((last - first) / most, 1e-6))
    chosen = [packet for at, packet in found if grid.wants(at)]
    return chosen[:most]
