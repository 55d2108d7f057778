"""Video and sound to frames and samples, with FFmpeg through PyAV. Runs in a locked child."""

import io
from collections.abc import Callable, Iterable
from contextlib import closing
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from streams.errors import MediaTooLargeError, UndecodableMediaError
from streams.media.containers import (
    ContainerKind,
    duration_seconds,
    find_sound,
    find_video,
    name_of,
    open_container,
    sniff,
)
from streams.media.film import Film
from streams.media.frames import MAX_SECONDS, Limits, Summary
from streams.media.sampling import MediaSink, OutOfTimeError, end_of
from streams.media.soundtrack import Soundtrack
from streams.types import Look, MediaKind

FILM_CPU_SECONDS = 7.0
SOUND_CPU_SECONDS = 4.0
"""Each: whatever the pictures take, the sound is not lost, and the reverse."""

TASTE_BYTES = 2
"""Of sound, where none was asked for, to know that it can be decoded."""


def prepare() -> None:
    """Silence FFmpeg; nobody reads a child's standard error."""
    av.logging.set_level(None)


def decode(
    body: bytes,
    kind: ContainerKind | None,
    sink: MediaSink,
    *,
    limit_cpu: Callable[[float], None],
    limits: Limits | None = None,
    look: Look | None = None,
) -> Summary:
    """Put the wanted frames and the sound of a part of a medium into the sink.

    Frames are RGB, upright, with square pixels. What a broken file still holds is used; out of
    time, what was decoded so far is.

    Args:
        body: the file.
        kind: from `containers.sniff`; where None, FFmpeg chooses among the accepted ones.
        sink: takes as many frames as `limits` say.
        limit_cpu: raises `OutOfTimeError` in this thread after so many seconds of CPU.
        limits: of sides and numbers.
        look: which part, and what of it.

    Raises:
        MediaTooLargeError: more than `MAX_VIDEO_PIXELS`.
        UndecodableMediaError: neither a frame nor sound in this part.
        OutOfTimeError: before the first of either.
    """
    moving = _Moving(body, kind, sink, limits or Limits(), look or Look())
    for seconds, step in ((FILM_CPU_SECONDS, moving.watch), (SOUND_CPU_SECONDS, moving.listen)):
        try:
            limit_cpu(seconds)
            step()
        except (OutOfTimeError, MediaTooLargeError, MemoryError) as failure:
            moving.failures.append(failure)
        except Exception:  # noqa: BLE001, S110 - a broken track must not lose the other
            pass
    limit_cpu(0)
    return moving.sum_up()


class _Moving:
    def __init__(
        self,
        body: bytes,
        kind: ContainerKind | None,
        sink: MediaSink,
        limits: Limits,
        look: Look,
    ) -> None:
        self._body = body
        self._kind = kind
        self._sink = sink
        self._limits = limits
        self._look = look
        self._name = "mp4"
        self._frame_count = 0
        self._duration = 0.0
        self._film: Film | None = None
        self._sound: Soundtrack | None = None
        self._has_sound = False
        self.failures: list[BaseException] = []

    def watch(self) -> None:
        """Decode the pictures."""
        with closing(open_container(self._body, self._kind)) as container:
            self._name = name_of(container, self._kind)
            self._duration = duration_seconds(container)
            self._has_sound = bool(container.streams.audio)
            stream = find_video(container)
            if stream is None:
                return
            self._film = Film(container, stream, self._sink, self._limits, self._look)
            try:
                self._film.run()
            finally:
                self._frame_count = self._film.frame_count

    def listen(self) -> None:
        """Decode the sound, where it was asked for or where there is nothing else."""
        if not self._has_sound or (self._frames and not self._look.sound):
            return
        with closing(open_container(self._body, self._kind)) as container:
            stream = find_sound(container)
            if stream is None:
                return
            self._sound = Soundtrack(container, stream, self._look)
            try:
                self._sound.run(None if self._look.sound else TASTE_BYTES)
            finally:
                if self._look.sound and self._sound.pcm:
                    self._sink.put_sound(self._sound.pcm, self._sound.first_seconds)

    @property
    def _frames(self) -> int:
        return self._film.reel.count if self._film else 0

    def sum_up(self) -> Summary:
        """Tell what came of it.

        Raises:
            UndecodableMediaError: nothing came.
            MediaTooLargeError: more pixels than allowed.
            OutOfTimeError: nothing came in time.
        """
        too_large = [one for one in self.failures if isinstance(one, MediaTooLargeError)]
        if too_large:
            raise too_large[0]  # its sound alone would pass for all of it
        if not self._frames and not (self._sound and self._sound.pcm):
            raise next(iter(self.failures), UndecodableMediaError("neither frame nor sound"))
        if self._film and self._frames:
            film = self._film
            return self._sum_up(MediaKind.VIDEO, film.until_seconds, ended=film.reached_end)
        return self._sum_up(MediaKind.AUDIO, self._listened_until(), ended=self._is_heard())

    def _sum_up(self, kind: MediaKind, until: float, *, ended: bool) -> Summary:
        return Summary(
            kind=kind,
            format=self._name,
            frame_count=self._frame_count if kind is MediaKind.VIDEO else 0,
            duration_seconds=max(self._duration, self._seen_until()),
            looked_until_seconds=until,
            reached_end=ended,
            has_sound=self._has_sound,
            heard_end=self._is_heard(),
        )

    def _seen_until(self) -> float:
        sound = self._sound.until_seconds if self._sound and self._sound.pcm else 0.0
        return min(
            max(sound, self._film.until_seconds if self._frames and self._film else 0.0),
            MAX_SECONDS,
        )

    def _is_heard(self) -> bool:
        """Say whether the sound was listened to until its track ended."""
        sound = self._sound
        return sound is not None and self._look.sound and sound.is_ended and sound.is_read

    def _listened_until(self) -> float:
        if self._sound is None or not self._look.sound:
            return self._look.start_seconds
        until = self._sound.until_seconds
        if self._sound.is_ended:  # the part is over, or the track
            until = max(until, min(end_of(self._look), self._duration))
        return min(until, MAX_SECONDS)


def warm_up() -> None:
    """Decode a small film: PyAV imports and FFmpeg sets itself up while they work."""
    body = _film()
    for look in (Look(sound=True), Look(key_frames=True), Look(start_seconds=0.5, sound=True)):
        for kind in (sniff(body), None):
            decode(body, kind, _Nowhere(), limit_cpu=lambda _: None, look=look)


def _film() -> bytes:
    """Make two seconds of moving stripes and silence."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("mpeg4", rate=8)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        video.codec_context.thread_count = 1
        audio = container.add_stream("aac", rate=8000, layout="mono")
        audio.codec_context.thread_count = 1
        for index in range(16):
            picture = VideoFrame(32, 32, "yuv420p")
            for plane in picture.planes:
                plane.update(bytes([index * 9]) * plane.buffer_size)
            container.mux(video.encode(picture))
        for index in range(16):
            sound = AudioFrame("fltp", "mono", 1024)
            sound.rate, sound.pts, sound.time_base = 8000, 1024 * index, Fraction(1, 8000)
            sound.planes[0].update(bytes(sound.planes[0].buffer_size))
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return file.getvalue()


class _Nowhere:
    def add(self, width: int, height: int, strips: Iterable[bytes], at_seconds: float) -> None:
        del width, height, at_seconds
        list(strips)

    def keep(self, frames: int) -> None:
        pass

    def put_sound(self, pcm: bytes, at_seconds: float) -> None:
        pass
