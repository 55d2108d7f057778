"""The sound of a medium, mono, 16 kHz, 16 bits. Only ever runs in a locked child."""

from __future__ import annotations  # PyAV's Packet is generic for type checkers only

from collections.abc import Iterator
from dataclasses import dataclass, field

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container.input import InputContainer
from av.filter import Graph
from av.packet import Packet

from streams.media.containers import is_last, origin_seconds, read_packets, seek
from streams.media.frames import MAX_SECONDS, MAX_SOUND_BYTES, SOUND_RATE_HZ
from streams.media.sampling import end_of
from streams.types import Look

MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 768_000
"""Others are nonsense; one sample a second would become 16,000."""

BYTES_PER_SECOND = SOUND_RATE_HZ * 2

UNINDEXED = frozenset({"aac", "amr", "mp3"})
"""Seeking in these guesses; their packets are read from the start, and decoded from shortly before
the wanted part."""

PREROLL_SECONDS = 0.5
"""Decoded before the wanted part and dropped: a codec's first packet lacks the one before it."""

MIN_GAP_SECONDS, MAX_GAP_SECONDS = 0.25, 30.0
"""Missing sound of such a length is filled with silence, so that what follows keeps its time."""


@dataclass(slots=True)
class Soundtrack:
    """One look at one track of sound.

    Args:
        container: fresh, at its beginning.
        stream: its sound.
        look: which part.
        at_seconds: position of the first sample.
        is_ended: whether all of the part, or of the track, was decoded.
        is_read: whether the track ended there.
    """

    container: InputContainer
    stream: AudioStream
    look: Look
    at_seconds: float = 0.0
    is_ended: bool = False
    is_read: bool = False
    _origin: float = field(init=False)
    _pcm: bytearray = field(default_factory=bytearray, init=False)
    _graph: Graph | None = field(default=None, init=False)
    _shape: tuple[str, str, int] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._origin = origin_seconds(self.container)
        self.at_seconds = self.look.start_seconds
        self.stream.codec_context.thread_count = 1  # a locked child cannot make threads
        self.stream.codec_context.thread_type = "NONE"

    @property
    def pcm(self) -> bytes:
        """What was decoded so far, within the part and the cap."""
        early = round((self.look.start_seconds - self.at_seconds) * SOUND_RATE_HZ)
        start = max(0, early) * 2
        return bytes(self._pcm[start : start + self._most_bytes])

    @property
    def first_seconds(self) -> float:
        """Where `pcm` begins."""
        return min(max(self.at_seconds, self.look.start_seconds, 0.0), MAX_SECONDS)

    @property
    def until_seconds(self) -> float:
        """Up to where there is sound."""
        return self.first_seconds + len(self.pcm) / BYTES_PER_SECOND

    @property
    def _most_bytes(self) -> int:
        if self.look.seconds is None:
            return MAX_SOUND_BYTES
        return min(MAX_SOUND_BYTES, int(self.look.seconds * SOUND_RATE_HZ) * 2)

    def run(self, max_bytes: int | None = None) -> None:
        """Decode the part; `max_bytes` are enough to know that it can be."""
        most = (self._most_bytes if max_bytes is None else max_bytes) + int(
            2 * PREROLL_SECONDS * BYTES_PER_SECOND
        )
        seeks = self.look.start_seconds > 0 and self.container.format.name not in UNINDEXED
        if seeks:
            seek(self.container, self.stream, self.look.start_seconds)
        self.is_ended = self._read(most)
        if seeks and not self.pcm:  # a broken index leads astray
            seek(self.container, self.stream, 1e-6)
            self.is_ended = self._read(most)

    def _read(self, most: int) -> bool:
        """Decode up to so many bytes; True where the part or the track is over."""
        for frame in self._frames():
            self._place(frame)
            if self._add(frame) and len(self._pcm) >= most:
                return False
        self._drain()
        return True

    def _frames(self) -> Iterator[AudioFrame]:
        earliest, end = self.look.start_seconds - PREROLL_SECONDS, end_of(self.look)
        for packet in read_packets(self.container, self.stream):
            self.is_read = is_last(packet)
            at = self._time_of_packet(packet)
            if at is not None and at < earliest:
                continue
            if at is not None and at >= end:
                return
            yield from self._decode(packet if packet.size else None)

    def _time_of_packet(self, packet: Packet[AudioStream]) -> float | None:
        stamp = packet.pts if packet.pts is not None else packet.dts
        return None if stamp is None else float(stamp * packet.time_base) - self._origin

    def _decode(self, packet: Packet[AudioStream] | None) -> list[AudioFrame]:
        try:
            return self.stream.codec_context.decode(packet)
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError):
            return []

    def _place(self, frame: AudioFrame) -> None:
        """Note where the first sample stands, and keep the time over what is missing."""
        at = None if frame.time is None else frame.time - self._origin
        if at is None or not -MAX_SECONDS <= at <= MAX_SECONDS:
            return
        if self._graph is None and not self._pcm:
            self.at_seconds = at
            return
        gap = at - (self.at_seconds + len(self._pcm) / BYTES_PER_SECOND)
        if MIN_GAP_SECONDS < gap <= MAX_GAP_SECONDS:
            self._drain()
            self._pcm += bytes(int(gap * SOUND_RATE_HZ) * 2)

    def _add(self, frame: AudioFrame) -> bool:
        """Resample; False where the frame cannot be."""
        if not MIN_RATE_HZ <= frame.sample_rate <= MAX_RATE_HZ:
            return False
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        try:
            if self._graph is None or shape != self._shape:
                self._drain()
                self._graph, self._shape = _build_graph(shape), shape
            frame.pts = None
            self._graph.push(frame)
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError):
            return False
        self._pull()
        return True

    def _drain(self) -> None:
        """Take what the resampler still holds; the next frame gets a new one."""
        if self._graph is None:
            return
        try:
            self._graph.push(None)
        except (av.FFmpegError, ValueError):
            pass
        else:
            self._pull()
        self._graph = self._shape = None

    def _pull(self) -> None:
        while self._graph is not None:
            try:
                frame = self._graph.pull()
            except (av.FFmpegError, EOFError):
                return
            if isinstance(frame, AudioFrame):
                self._pcm += bytes(frame.planes[0])[: frame.samples * 2]


def _build_graph(shape: tuple[str, str, int]) -> Graph:
    sample_format, layout, rate = shape
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "abuffer",
        sample_rate=str(rate),
        sample_fmt=sample_format,
        channel_layout=layout,
        time_base=f"1/{rate}",
    )
    target = graph.add(
        "aformat", sample_rates=str(SOUND_RATE_HZ), sample_fmts="s16", channel_layouts="mono"
    )
    end = graph.add("abuffersink")
    source.link_to(target)
    target.link_to(end)
    graph.configure()
    return graph
