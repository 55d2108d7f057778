"""`streams.media.containers`: what FFmpeg may read, and that it follows no name."""

import io
import struct
from dataclasses import replace

import av
import pytest
from av.container.input import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from agents.benchmarks.hostile_media import (
    FILMS,
    SOUNDS,
    make_film,
    scene,
)
from streams.errors import UndecodableMediaError
from streams.media import containers
from streams.types import Look, MediaKind
from tests.streams.media.seeing import good_films, look


@pytest.fixture(scope="module")
def films() -> dict[str, bytes]:
    return good_films()


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


def boxes(body: bytes, start: int, end: int) -> dict[bytes, list[int]]:
    """Give where each kind of an MP4's boxes begins."""
    found: dict[bytes, list[int]] = {}
    while start < end:
        found.setdefault(body[start + 4 : start + 8], []).append(start)
        start += int.from_bytes(body[start : start + 4])
    return found


def test_pictures_that_the_sound_calls_its_chapters_are_a_video() -> None:
    body = make_film(replace(FILMS["mp4"], audio="aac", audio_rate=48_000))
    (movie,) = boxes(body, 0, len(body))[b"moov"]
    length = int.from_bytes(body[movie : movie + 4])
    video, sound = boxes(body, movie + 8, movie + length)[b"trak"]
    (head,) = boxes(body, video + 8, sound)[b"tkhd"]
    chapters = struct.pack(">I4sI4s", 20, b"tref", 12, b"chap") + body[head + 20 : head + 24]
    size = int.from_bytes(body[sound : sound + 4])
    changed = bytearray(body)
    changed[sound + size : sound + size] = chapters
    struct.pack_into(">I", changed, sound, size + 20)
    struct.pack_into(">I", changed, movie, length + 20)
    kept, summary = look(bytes(changed))
    assert (summary.kind, len(kept.frames)) == (MediaKind.VIDEO, 4)


def test_a_cover_is_no_video(films: dict[str, bytes]) -> None:
    body = with_cover(films["mp3"])
    assert b"APIC" in body
    kept, summary = look(body, Look(sound=True))
    assert (summary.kind, summary.format, kept.frames) == (MediaKind.AUDIO, "mp3", [])
    assert kept.seconds == pytest.approx(4.0, abs=0.1)


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
