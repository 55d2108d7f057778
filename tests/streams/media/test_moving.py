"""`streams.media.moving`: video and sound, without the sandbox around them and within it."""

import asyncio
import io
import struct
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
import pytest
import pytest_asyncio
from av.container.input import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from agents.benchmarks.hostile_media import (
    FILMS,
    SOUNDS,
    Pixels,
    make_av1,
    make_film,
    make_picture,
    scene,
)
from streams.errors import MediaError, MediaTooLargeError, UndecodableMediaError
from streams.media import containers, film, looking, moving, soundtrack
from streams.media.decoder import SandboxedDecoder
from streams.media.frames import FORMATS, Limits, Summary
from streams.media.sampling import OutOfTimeError
from streams.media.sandbox import sandbox_status
from streams.types import DecodedMedia, Look, MediaKind

SHORT = {"mpegvideo", "mpeg", "vorbis film"}
"""Whose encoders know 25 frames a second only: 40 frames are 1.6 seconds."""

LOUD = sorted(name for name, recipe in (FILMS | SOUNDS).items() if recipe.audio)


@dataclass(slots=True)
class Kept:
    """A sink that keeps arrays."""

    frames: list[Pixels] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    samples: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
    sound_at: float = -1.0

    def add(self, width: int, height: int, strips: Iterable[bytes], at_seconds: float) -> None:
        flat = np.frombuffer(b"".join(strips), np.uint8)
        self.frames.append(flat.reshape(height, width, 3))
        self.times.append(at_seconds)

    def keep(self, frames: int) -> None:
        del self.frames[frames:], self.times[frames:]

    def put_sound(self, pcm: bytes, at_seconds: float) -> None:
        self.samples = np.frombuffer(pcm, "<i2")
        self.sound_at = at_seconds

    @property
    def seconds(self) -> float:
        return len(self.samples) / 16_000


def look(
    body: bytes, asked: Look | None = None, *, limits: Limits | None = None
) -> tuple[Kept, Summary]:
    kept = Kept()
    summary = looking.decode(
        body, kept, limit_cpu=lambda _: None, limits=limits or Limits(), look=asked or Look()
    )
    return kept, summary


def difference(one: Pixels, other: Pixels) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


@pytest.fixture(scope="module")
def films() -> dict[str, bytes]:
    return {name: make_film(recipe) for name, recipe in (FILMS | SOUNDS).items()}


@pytest.mark.parametrize("name", sorted(FILMS))
@pytest.mark.parametrize("key_frames", [False, True])
def test_each_film_shows_its_pictures(films: dict[str, bytes], name: str, key_frames: bool) -> None:
    kept, summary = look(films[name], Look(key_frames=key_frames))
    assert (summary.kind, summary.has_sound) == (MediaKind.VIDEO, bool(FILMS[name].audio))
    assert summary.format in FORMATS
    assert summary.looked_until_seconds == pytest.approx(summary.duration_seconds, abs=0.1)
    if name not in SHORT:
        assert kept.times == pytest.approx([0, 1, 2, 3], abs=0.06)
        assert summary.frame_count == 40
        assert summary.duration_seconds == pytest.approx(4.0, abs=0.1)
        for place, frame in enumerate(kept.frames):
            assert difference(frame, scene(place)) < 25
            assert difference(frame, scene(place)) < difference(frame, scene(place + 1)) / 2


def test_av1_shows_its_pictures_however_seldom_they_are() -> None:
    kept, summary = look(make_av1())
    assert (summary.format, summary.frame_count) == ("webm", 4)
    assert kept.times == pytest.approx([0, 1, 2, 3])
    assert difference(kept.frames[2], scene(2)) < 25


@pytest.mark.parametrize("name", LOUD)
def test_each_sound_is_heard_at_its_time(films: dict[str, bytes], name: str) -> None:
    kept, summary = look(films[name], Look(sound=True))
    assert summary.has_sound
    assert summary.kind == (MediaKind.VIDEO if name in FILMS else MediaKind.AUDIO)
    assert kept.seconds == pytest.approx(4.0, abs=0.1)
    assert kept.sound_at == pytest.approx(0.0, abs=0.1)
    assert 4000 < np.abs(kept.samples[8000:48000]).mean() < 14_000
    assert pitch(kept, 1.0) == pytest.approx(450, abs=60)
    assert pitch(kept, 3.0) == pytest.approx(750, abs=60)


def pitch(kept: Kept, at_seconds: float) -> float:
    """Tell the pitch in Hz around a moment of the medium; it climbs by 150 Hz a second."""
    start = round((at_seconds - kept.sound_at) * 16_000) - 1600
    part = kept.samples[start : start + 3200].astype(float)
    return float(np.abs(np.fft.rfft(part * np.hanning(len(part)))).argmax() * 5)


@pytest.mark.parametrize("name", sorted(set(LOUD) - {"vorbis", "vorbis film"}))
def test_a_part_of_a_sound_keeps_its_time(films: dict[str, bytes], name: str) -> None:
    asked = Look(start_seconds=2.0, seconds=1.2, sound=True)
    kept, summary = look(films[name], asked)
    assert kept.sound_at == pytest.approx(2.0, abs=0.15)
    assert kept.seconds == pytest.approx(1.2, abs=0.15)
    assert pitch(kept, 2.6) == pytest.approx(690, abs=60)
    assert summary.looked_until_seconds == pytest.approx(3.2, abs=0.15)


@pytest.mark.parametrize("name", sorted(set(FILMS) - SHORT))
def test_a_part_of_a_film_is_taken_and_nothing_else(films: dict[str, bytes], name: str) -> None:
    kept, summary = look(films[name], Look(start_seconds=2.0, seconds=1.0, frames_per_second=2.0))
    assert kept.times[0] == pytest.approx(2.0, abs=0.1)
    assert all(2.0 <= at < 3.0 for at in kept.times)
    assert difference(kept.frames[0], scene(2)) < 30
    assert summary.looked_until_seconds == pytest.approx(3.0, abs=0.01)


def test_a_sound_that_nobody_asked_for_is_tried_and_left(films: dict[str, bytes]) -> None:
    kept, summary = look(films["mp3"], Look())
    assert (summary.kind, summary.has_sound, kept.seconds) == (MediaKind.AUDIO, True, 0)
    assert summary.duration_seconds == pytest.approx(4.0, abs=0.1)


def wander(second: int) -> Pixels:
    """Two scenes of three seconds each: between them nothing happens."""
    return scene(second // 3)


@pytest.mark.parametrize("asked", [Look(), Look(key_frames=True), Look(frames_per_second=4)])
def test_what_shows_nothing_new_is_left_out(asked: Look) -> None:
    kept, summary = look(make_film(FILMS["mp4"], 6, draw=wander), asked)
    assert kept.times == pytest.approx([0.0, 3.0])
    assert summary.looked_until_seconds == pytest.approx(6.0, abs=0.1)


def test_a_scene_that_stands_still_gives_a_frame_each_ten_seconds() -> None:
    kept, _ = look(make_film(FILMS["mov"], 25, rate=4, draw=lambda _: scene(0)), Look())
    assert kept.times == pytest.approx([0.0, 10.0, 20.0])


def test_a_cap_stops_and_says_where_and_the_next_look_goes_on() -> None:
    body = make_film(FILMS["mp4"], 10)
    limits = Limits(max_video_frames=4)
    kept, summary = look(body, limits=limits)
    assert (kept.times, summary.looked_until_seconds) == ([0.0, 1.0, 2.0, 3.0], 4.0)
    kept, summary = look(body, Look(start_seconds=4.0), limits=limits)
    assert (kept.times, summary.looked_until_seconds) == ([4.0, 5.0, 6.0, 7.0], 8.0)
    kept, summary = look(body, Look(start_seconds=8.0), limits=limits)
    assert kept.times == [8.0, 9.0]
    assert summary.looked_until_seconds == pytest.approx(10.0, abs=0.1)


def test_key_frames_beyond_the_cap_are_spread_over_the_whole() -> None:
    limits = Limits(max_video_frames=4)
    kept, summary = look(make_film(FILMS["mp4"], 12), Look(key_frames=True), limits=limits)
    assert kept.times == pytest.approx([0.0, 3.0, 6.0, 9.0], abs=1.0)
    assert summary.looked_until_seconds == pytest.approx(12.0, abs=0.1)


def test_frames_fit_into_the_side_and_have_square_pixels() -> None:
    wide = make_film(FILMS["mp4"], 2, aspect=Fraction(2, 1))
    kept, _ = look(wide)
    assert kept.frames[0].shape == (96, 320, 3)
    tall = make_film(FILMS["mp4"], 2, aspect=Fraction(1, 2))
    assert look(tall)[0].frames[0].shape == (192, 160, 3)
    small, _ = look(wide, limits=Limits(video_side=64))
    assert small.frames[0].shape == (19, 64, 3)


@pytest.mark.parametrize(
    ("matrix", "turns"),
    [
        ((0, 1, -1, 0), 3),
        ((-1, 0, 0, -1), 2),
        ((0, -1, 1, 0), 1),
    ],
)
def test_a_film_stands_upright(
    films: dict[str, bytes], matrix: tuple[int, int, int, int], turns: int
) -> None:
    a, b, c, d = (value * 65536 for value in matrix)
    body = bytearray(films["mp4"])
    track = body.index(b"tkhd") + 4 + 40
    body[track : track + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    kept, _ = look(bytes(body))
    wanted: Pixels = np.rot90(scene(0), turns)
    assert difference(kept.frames[0], wanted) < 25


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", ["webm", "mpegts", "flv", "matroska", "avi", "mp3", "flac"])
def test_what_a_truncated_medium_still_holds_is_used(
    films: dict[str, bytes], name: str, share: float
) -> None:
    body = films[name][: int(len(films[name]) * share)]
    kept, summary = look(body, Look(sound=True))
    assert kept.seconds > 4 * share - 1.2
    assert len(kept.frames) >= (4 * share - 1 if name in FILMS else 0)
    assert summary.kind == (MediaKind.VIDEO if name in FILMS else MediaKind.AUDIO)


def test_an_index_that_is_cut_off_makes_a_film_unreadable(films: dict[str, bytes]) -> None:
    with pytest.raises(UndecodableMediaError):
        look(films["mp4"][:40_000])


def with_cover(sound: bytes) -> bytes:
    """Give an MP3 a cover, as players show it."""
    file = io.BytesIO()
    with av.open(io.BytesIO(sound)) as source, av.open(file, "w", format="mp3") as target:
        assert isinstance(source, InputContainer)
        track = target.add_stream_from_template(source.streams.audio[0])
        cover = target.add_stream("mjpeg", rate=1)
        assert isinstance(cover, VideoStream)
        cover.disposition = Disposition.attached_pic
        cover.width, cover.height, cover.pix_fmt = 160, 96, "yuvj420p"
        pictures = cover.encode(VideoFrame.from_ndarray(scene(0), format="rgb24"))
        for packet in [*pictures, *cover.encode(None)]:
            target.mux(packet)
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = track
                target.mux(packet)
    return file.getvalue()


def test_a_cover_is_no_video(films: dict[str, bytes]) -> None:
    body = with_cover(films["mp3"])
    assert b"APIC" in body
    kept, summary = look(body, Look(sound=True))
    assert (summary.kind, summary.format, kept.frames) == (MediaKind.AUDIO, "mp3", [])
    assert kept.seconds == pytest.approx(4.0, abs=0.1)


def test_a_broken_sound_loses_no_picture_and_the_reverse(
    films: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(soundtrack.Soundtrack, "run", fail)
        kept, summary = look(films["mp4"], Look(sound=True))
        assert (len(kept.frames), kept.seconds, summary.has_sound) == (4, 0, True)
    with monkeypatch.context() as patch:
        patch.setattr(film.Film, "run", fail)
        kept, summary = look(films["mp4"], Look(sound=True))
        assert (summary.kind, kept.frames) == (MediaKind.AUDIO, [])
        assert kept.seconds == pytest.approx(4.0, abs=0.1)


def test_out_of_time_keeps_the_frames_so_far_and_the_sound(
    films: dict[str, bytes],
) -> None:
    class Slow(Kept):
        def add(self, width: int, height: int, strips: Iterable[bytes], at_seconds: float) -> None:
            if len(self.frames) == 2:
                raise OutOfTimeError
            super().add(width, height, strips, at_seconds)

    limited: list[float] = []
    kept = Slow()
    summary = looking.decode(
        films["mp4"],
        kept,
        limit_cpu=limited.append,
        limits=Limits(),
        look=Look(sound=True),
    )
    assert (kept.times, summary.looked_until_seconds) == ([0.0, 1.0], 2.0)
    assert kept.seconds == pytest.approx(4.0, abs=0.1)
    assert limited == [moving.FILM_CPU_SECONDS, moving.SOUND_CPU_SECONDS, 0]


def test_out_of_time_before_anything_is_told(films: dict[str, bytes]) -> None:
    def limit(seconds: float) -> None:
        if seconds:
            raise OutOfTimeError

    with pytest.raises(OutOfTimeError):
        looking.decode(films["mp4"], Kept(), limit_cpu=limit, limits=Limits(), look=Look())


def test_too_many_pixels_are_refused(
    films: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film, "MAX_VIDEO_PIXELS", 100)
    with pytest.raises(MediaTooLargeError):
        look(films["mp4"])


PLAYLISTS = {
    "m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "ffconcat": b"ffconcat version 1.0\nfile 'file:///etc/passwd'\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"
    b"a=rtpmap:96 H264/90000\na=control:file:///etc/passwd\n",
    "mpd": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
    b'profiles="urn:mpeg:dash:profile:isoff-main:2011"><Period><BaseURL>file:///etc/passwd'
    b"</BaseURL></Period></MPD>",
    "webvtt": b"WEBVTT\n\n00:00.000 --> 00:09.000\nfile:///etc/passwd\n",
    "ass": b"[Script Info]\nTitle: file:///etc/passwd\n[Events]\n",
    "ffmetadata": b";FFMETADATA1\ntitle=file:///etc/passwd\n",
}


@pytest.mark.parametrize("name", sorted(PLAYLISTS))
def test_a_list_that_names_other_files_is_unreadable(name: str) -> None:
    with pytest.raises(UndecodableMediaError):
        look(PLAYLISTS[name], Look(sound=True))


@pytest.mark.parametrize("head", [b"", b"\0\0\0\x18ftypmp42", b"RIFF\0\0\0\0AVI ", b"OggS"])
def test_a_list_behind_a_containers_head_is_unreadable(head: bytes) -> None:
    with pytest.raises(UndecodableMediaError):
        look(head + PLAYLISTS["m3u8"])


def test_a_film_whose_pictures_are_in_another_file_is_unreadable_not_followed(
    films: dict[str, bytes],
) -> None:
    named = b"\0\0\0\x1durl \0\0\0\0file:///etc/passwd"
    body = films["mp4"].replace(b"\0\0\0\x0curl \0\0\0\x01", named[:12])
    assert body != films["mp4"]
    kept, _ = look(body)  # what is said to be elsewhere is looked for here
    assert kept.frames


def test_only_listed_demuxers_decoders_and_no_protocol_are_allowed() -> None:
    assert containers.OPTIONS["protocol_whitelist"] == ""
    assert not {"hls", "dash", "concat", "image2", "sdp", "rtsp", "lavfi"} & set(
        containers.OPTIONS["format_whitelist"].split(",")
    )
    for codec in containers.VIDEO_CODECS | containers.AUDIO_CODECS - {"libspeex"}:
        assert isinstance(codec, str)


@pytest.mark.parametrize("name", ["heic", "mif1", "avif"])
def test_a_still_picture_in_mp4_clothes_is_no_film(films: dict[str, bytes], name: str) -> None:
    with pytest.raises(UndecodableMediaError):
        look(films["mp4"].replace(b"isom", name.encode(), 1))


@pytest.mark.parametrize("name", sorted(FILMS | SOUNDS))
def test_each_container_is_told_by_its_bytes(films: dict[str, bytes], name: str) -> None:
    kind = containers.sniff(films[name])
    assert kind is not None
    expected = {"vp9": "webm", "mjpeg": "avi", "vorbis film": "matroska"}
    expected |= {"alac": "m4a", "vorbis": "ogg", "wma": "asf"}
    assert kind.name == expected.get(name, name)


@pytest.mark.parametrize("name", ["mp3", "aac", "mpegts"])
def test_a_head_of_rubbish_is_seen_through(films: dict[str, bytes], name: str) -> None:
    kept, summary = look(b"\0" * 60 + films[name], Look(sound=True))
    assert summary.format == name
    assert kept.seconds > 3


def test_a_tag_before_the_sound_is_skipped(films: dict[str, bytes]) -> None:
    tag = b"ID3\4\0\0\0\0\1\0" + bytes(128)
    for name in ("mp3", "aac", "flac"):
        kind = containers.sniff(tag + films[name][films[name].startswith(b"ID3") * 45 :])
        assert kind is not None
        if name != "mp3":
            assert kind.demuxer == name


def test_pictures_are_still_pictures() -> None:
    kept, summary = look(make_picture("JPEG"), Look(sound=True, start_seconds=50))
    assert (summary.kind, summary.has_sound, len(kept.frames)) == (MediaKind.IMAGE, False, 1)


needs_sandbox = pytest.mark.skipif(sandbox_status().kind == "none", reason=sandbox_status().detail)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def decoder() -> AsyncIterator[SandboxedDecoder]:
    decoder = SandboxedDecoder()
    await decoder.start()
    yield decoder
    await decoder.close()


@needs_sandbox
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", sorted(FILMS | SOUNDS))
async def test_a_locked_child_sees_the_same(
    decoder: SandboxedDecoder, films: dict[str, bytes], name: str
) -> None:
    asked = Look(sound=True, frames_per_second=2.0)
    kept, summary = look(films[name], asked)
    media = await decoder.decode(films[name], asked)
    assert [frame.at_seconds for frame in media.frames] == kept.times
    assert [frame.rgb for frame in media.frames] == [frame.tobytes() for frame in kept.frames]
    assert (media.sound.pcm if media.sound else b"") == kept.samples.tobytes()
    assert described(media) == summary


def described(media: DecodedMedia) -> Summary:
    return Summary(
        kind=media.kind,
        format=media.format,
        frame_count=media.frame_count,
        duration_seconds=media.duration_seconds,
        looked_until_seconds=media.looked_until_seconds,
        has_sound=media.has_sound,
    )


@needs_sandbox
@pytest.mark.asyncio(loop_scope="module")
async def test_films_are_decoded_side_by_side(
    decoder: SandboxedDecoder, films: dict[str, bytes]
) -> None:
    names = ["mp4", "webm", "mp3", "wav", "avi", "flac"]
    media = await asyncio.gather(*[decoder.decode(films[name]) for name in names])
    assert [one.format for one in media] == names


@needs_sandbox
@pytest.mark.asyncio(loop_scope="module")
async def test_a_look_at_nothing_is_the_callers_error(
    decoder: SandboxedDecoder, films: dict[str, bytes]
) -> None:
    with pytest.raises(ValueError, match="second"):
        await decoder.decode(films["mp4"], Look(frames_per_second=0))
    with pytest.raises(MediaError):
        await decoder.decode(films["mp4"], Look(start_seconds=500))


def test_warming_up_makes_no_thread_and_no_noise(capfd: pytest.CaptureFixture[str]) -> None:
    moving.prepare()
    moving.warm_up()
    assert capfd.readouterr() == ("", "")
