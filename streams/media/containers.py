"""Which containers and codecs FFmpeg may read, told by their bytes. Runs in a locked child.

FFmpeg gets bytes in memory and the one demuxer that these bytes call for. Nothing hands it a URL
or a file's name, it may follow none that stands in a file (no protocol is allowed, no playlist's
demuxer is on the list), and the locked child could open neither.
"""

from __future__ import annotations  # PyAV's Packet is generic for type checkers only

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeVar, cast

import av
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container.input import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from streams.errors import UndecodableMediaError
from streams.media.frames import MAX_SECONDS

DEMUXERS = {
    "mov": "mp4",
    "matroska": "matroska",
    "avi": "avi",
    "mpegts": "mpegts",
    "mpeg": "mpeg",
    "mpegvideo": "mpegvideo",
    "flv": "flv",
    "asf": "asf",
    "ogg": "ogg",
    "wav": "wav",
    "mp3": "mp3",
    "flac": "flac",
    "aac": "aac",
    "amr": "amr",
    "aiff": "aiff",
    "caf": "caf",
}
"""FFmpeg's name to ours. Left out on purpose: hls, dash, concat, image2, sdp, rtsp, lavfi, whatever
reads a device or follows a name, and the some 300 others."""

VIDEO_CODECS = frozenset(
    "h264 hevc vp8 vp9 libdav1d av1 mpeg1video mpeg2video mpeg4 msmpeg4v1 msmpeg4v2 msmpeg4 h263 "
    "flv vp6 vp6f theora wmv1 wmv2 wmv3 vc1 mjpeg dvvideo prores".split()
)
AUDIO_CODECS = frozenset(
    "aac aac_latm mp3 mp3float mp2 mp2float mp1 mp1float ac3 eac3 vorbis opus libopus flac alac "
    "amrnb amrwb libopencore_amrnb libopencore_amrwb wmav1 wmav2 wmapro speex libspeex nellymoser "
    "pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_f32be "
    "pcm_f64le pcm_f64be pcm_alaw pcm_mulaw pcm_bluray pcm_dvd adpcm_ms adpcm_ima_wav adpcm_swf "
    "adpcm_ima_qt".split()
)
"""Decoders; a track in any other codec counts as undecodable."""

MAX_VIDEO_PIXELS = 36_000_000
"""Of one frame: 8192 x 4320 and a little. What its decoder needs besides is bounded by memory."""

MAX_STREAMS = 64
MAX_BROKEN_READS = 50
"""In a row, after which the rest of a container is given up."""

STILL_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
"""Pictures in MP4's clothes: AVIF is Pillow's, HEIC is not decoded."""

OPTIONS = {
    "protocol_whitelist": "",
    "format_whitelist": ",".join((*DEMUXERS, "webm", "mp4")),
    "codec_whitelist": ",".join(sorted(VIDEO_CODECS | AUDIO_CODECS)),
    "max_streams": str(MAX_STREAMS),
    "max_pixels": str(MAX_VIDEO_PIXELS),
    "threads": "1",  # a locked child cannot make threads
}

Track = TypeVar("Track", VideoStream, AudioStream)

_MP4_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"))
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_HEADS: tuple[tuple[bytes, str], ...] = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"FLV\x01", "flv"),
    (_ASF, "asf"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"#!AMR", "amr"),
    (b"caff", "caf"),
    (b"\0\0\1\xba", "mpeg"),
    (b"\0\0\1\xb3", "mpegvideo"),
)
_FORMS: dict[tuple[bytes, bytes], str] = {
    (b"RIFF", b"AVI "): "avi",
    (b"RIFF", b"WAVE"): "wav",
    (b"RF64", b"WAVE"): "wav",
    (b"FORM", b"AIFF"): "aiff",
    (b"FORM", b"AIFC"): "aiff",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerKind:
    """What bytes look like.

    Args:
        demuxer: FFmpeg's.
        name: ours, one of `frames.FORMATS`.
    """

    demuxer: str
    name: str


def sniff(body: bytes) -> ContainerKind | None:
    """Tell a container by its first bytes; None where they are no accepted container's."""
    if body[4:8] in _MP4_BOXES:
        return None if is_still(body) else ContainerKind(demuxer="mov", name=_name_mp4(body))
    demuxer = _FORMS.get((body[:4], body[8:12])) or _sniff_head(body) or _sniff_sync(body)
    if demuxer is None:
        return None
    name = "webm" if demuxer == "matroska" and b"webm" in body[:80] else DEMUXERS[demuxer]
    return ContainerKind(demuxer=demuxer, name=name)


def is_still(body: bytes) -> bool:
    """Say whether bytes are a still picture in MP4's clothes."""
    return body[4:8] == b"ftyp" and body[8:12] in STILL_BRANDS


def _name_mp4(body: bytes) -> str:
    brand = body[8:12] if body[4:8] == b"ftyp" else b"qt  "
    if brand in {b"M4A ", b"M4B "}:
        return "m4a"
    if brand[:2] == b"3g":
        return "3gp"
    return "mov" if brand == b"qt  " else "mp4"


def _sniff_head(body: bytes) -> str | None:
    return next((demuxer for head, demuxer in _HEADS if body.startswith(head)), None)


def _sniff_sync(body: bytes) -> str | None:
    if body.startswith(b"ID3"):
        return _sniff_tagged(body)
    if len(body) > 1 and body[0] == 0xFF and body[1] & 0xE0 == 0xE0:
        return "aac" if body[1] & 0xF6 == 0xF0 else "mp3"
    for packet in (188, 192):
        first = packet - 188  # a camera's packets begin with four bytes of time
        if len(body) > packet * 3 and all(body[first + packet * i] == 0x47 for i in range(3)):
            return "mpegts"
    return None


def _sniff_tagged(body: bytes) -> str:
    """Look behind an ID3 tag: an MP3's, mostly."""
    if len(body) < 10:
        return "mp3"
    size = sum((body[6 + place] & 0x7F) << (21 - 7 * place) for place in range(4))
    behind = body[10 + size : 14 + size]
    if behind == b"fLaC":
        return "flac"
    return "aac" if behind[:1] == b"\xff" and behind[1:2] and behind[1] & 0xF6 == 0xF0 else "mp3"


def open_container(body: bytes, kind: ContainerKind | None) -> InputContainer:
    """Open bytes with the one demuxer they call for; where unknown, with whichever of the listed.

    Raises:
        UndecodableMediaError: it does not read them.
    """
    try:
        return av.open(  # type: ignore[return-value]
            io.BytesIO(body),
            format=kind.demuxer if kind else None,
            options=OPTIONS,
            metadata_errors="replace",
            io_open=_refuse,
        )
    except (MemoryError, UndecodableMediaError):
        raise
    except Exception as error:
        raise UndecodableMediaError("no container that is accepted") from error


def _refuse(*_arguments: object) -> NoReturn:
    raise PermissionError("a medium names another file")


def name_of(container: InputContainer, kind: ContainerKind | None) -> str:
    """Tell our name of what was opened.

    Raises:
        UndecodableMediaError: a demuxer that is not on the list.
    """
    if kind is not None:
        return kind.name
    names = container.format.name.split(",")
    found = next((name for demuxer, name in DEMUXERS.items() if demuxer in names), None)
    if found is None:
        raise UndecodableMediaError("no container that is accepted")
    return found


def find_video(container: InputContainer) -> VideoStream | None:
    """Find the track of pictures, the default one first; a cover of one picture is none.

    That a track is but a cover or a chapter's thumbnails is the uploader's word, too: those that
    move come after the others.
    """
    known = [one for one in container.streams.video if _has_codec(one, VIDEO_CODECS)]
    found = [one for one in known if not _is_cover(one) or _moves(one)]
    return min(found, key=lambda one: (_is_cover(one), _is_second(one)), default=None)


def _moves(stream: VideoStream) -> bool:
    if stream.disposition & Disposition.timed_thumbnails:
        return stream.frames != 1  # fragments do not say how many
    return stream.frames > 1


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def find_sound(container: InputContainer) -> AudioStream | None:
    """Find the track of sound, the default one first."""
    found = [stream for stream in container.streams.audio if _has_codec(stream, AUDIO_CODECS)]
    return min(found, key=_is_second, default=None)


def _is_second(stream: Stream) -> bool:
    return not stream.disposition & Disposition.default


def _has_codec(stream: VideoStream | AudioStream, codecs: frozenset[str]) -> bool:
    # A track in an unknown codec has no context, whatever the annotation says
    context = cast(CodecContext | None, stream.codec_context)
    return context is not None and context.codec.name in codecs


def origin_seconds(container: InputContainer) -> float:
    """Tell the time that the container's clock shows at its beginning."""
    said = cast("int | None", container.start_time)
    return 0.0 if said is None else said / av.time_base


def duration_seconds(container: InputContainer) -> float:
    """Tell how long the container claims to be; 0 where it says nothing credible."""
    said = container.duration
    claimed = 0.0 if said is None else said / av.time_base
    return min(max(claimed, 0.0), MAX_SECONDS)


def read_packets(container: InputContainer, stream: Track) -> Iterator[Packet[Track]]:
    """Give a track's packets, over what is broken; the last one, empty, flushes its decoder."""
    broken = 0
    while broken < MAX_BROKEN_READS:
        try:
            for packet in container.demux(stream):
                broken = 0
                yield packet
        except (av.FFmpegError, ValueError):
            broken += 1
        else:
            return


def is_last(packet: Packet[Track]) -> bool:
    """Say whether a packet is the one that `read_packets` ends with, after the track's end."""
    return packet.size == 0 and packet.pts is None and packet.dts is None


def seek(container: InputContainer, stream: Stream, seconds: float) -> None:
    """Go to the key frame before a position; where that fails, stay or go back to the start."""
    step = float(stream.time_base or 0)
    if seconds <= 0 or not step:
        return
    at = seconds + origin_seconds(container)
    try:
        container.seek(int(at / step), stream=stream)
    except (av.FFmpegError, ValueError, OverflowError):
        return
