"""Small good media of every accepted container, and ways to break them. All drawn, no file read."""

import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container.input import InputContainer
from av.container.output import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Samples = NDArray[np.float32]

PICTURES = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
ANIMATIONS = ("GIF", "PNG", "WEBP", "AVIF", "TIFF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one container is filled.

    Args:
        container: FFmpeg's name of its muxer.
        video: the encoder of its pictures; None where it has none.
        audio: the encoder of its sound; None where it has none.
        audio_rate: in Hz.
        options: of the video's encoder.
        aspect: how wide a pixel is; None: as wide as high.
    """

    container: str
    video: str | None = None
    audio: str | None = None
    audio_rate: int = 44_100
    options: tuple[tuple[str, str], ...] = ()
    aspect: Fraction | None = None


FILMS: dict[str, Recipe] = {
    "mp4": Recipe(container="mp4", video="libx264", audio="aac"),
    "mov": Recipe(container="mov", video="mpeg4", audio="pcm_s16le"),
    "3gp": Recipe(container="3gp", video="mpeg4", audio="aac"),
    "webm": Recipe(container="webm", video="libvpx", audio="libopus", audio_rate=48_000),
    "vp9": Recipe(container="webm", video="libvpx-vp9", options=(("deadline", "realtime"),)),
    "matroska": Recipe(
        container="matroska",
        video="libx265",
        audio="libopus",
        audio_rate=48_000,
        options=(("x265-params", "log-level=none"),),
    ),
    "avi": Recipe(container="avi", video="msmpeg4", audio="mp3"),
    "mjpeg": Recipe(container="avi", video="mjpeg", audio="pcm_s16le"),
    "mpegts": Recipe(container="mpegts", video="libx264", audio="mp2"),
    "mpeg": Recipe(container="mpeg", video="mpeg1video", audio="mp2"),
    "mpegvideo": Recipe(container="mpeg2video", video="mpeg2video"),
    "flv": Recipe(container="flv", video="flv", audio="mp3"),
    "asf": Recipe(container="asf", video="wmv2", audio="wmav2"),
    "vorbis film": Recipe(container="matroska", video="mpeg2video", audio="vorbis"),
}
SOUNDS: dict[str, Recipe] = {
    "wav": Recipe(container="wav", audio="pcm_s16le"),
    "mp3": Recipe(container="mp3", audio="mp3"),
    "flac": Recipe(container="flac", audio="flac"),
    "ogg": Recipe(container="ogg", audio="libopus", audio_rate=48_000),
    "vorbis": Recipe(container="ogg", audio="vorbis"),
    "aac": Recipe(container="adts", audio="aac"),
    "m4a": Recipe(container="ipod", audio="aac"),
    "alac": Recipe(container="ipod", audio="alac"),
    "amr": Recipe(container="amr", audio="libopencore_amrnb", audio_rate=8000),
    "wma": Recipe(container="asf", audio="wmav2"),
    "aiff": Recipe(container="aiff", audio="pcm_s16be"),
    "caf": Recipe(container="caf", audio="pcm_s16be"),
}
"""By the name of what they try; the container's own name where it has only one."""


def scene(place: int, width: int = 160, height: int = 96) -> Pixels:
    """Draw a picture that is another for each place: stripes that turn and wander."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle, phase = place * 0.7, place * 1.3
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) / 9 + phase)
    channels = [wave, np.roll(wave, 11 + place, 0), np.sin(x / 31 + y / 17 + phase)]
    return ((np.stack(channels, -1) + 1) * 127).astype(np.uint8)


def make_picture(name: str, frames: int = 1, **options: Any) -> bytes:
    """Make a picture, or an animation of several frames, in one of Pillow's formats."""
    pages = [Image.fromarray(scene(place)) for place in range(frames)]
    more = {"save_all": True, "append_images": pages[1:]} if frames > 1 else {}
    if frames > 1 and name != "TIFF":
        more |= {"duration": 400}
    file = io.BytesIO()
    pages[0].save(file, name, **(more | options))
    return file.getvalue()


def make_film(
    recipe: Recipe,
    seconds: float = 4.0,
    *,
    rate: int = 10,
    draw: Callable[[int], Pixels] = scene,
    hold: int | None = None,
    sound: Samples | None = None,
) -> bytes:
    """Make a film or a sound.

    Args:
        recipe: container and codecs.
        seconds: how long.
        rate: frames a second.
        draw: the picture of each place.
        hold: frames that a picture stays; None: a second.
        sound: what is heard, mono in -1..1, at the recipe's rate; None: a tone that climbs.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=recipe.container) as container:
        first = draw(0)
        video = _add_video(container, recipe, rate, first) if recipe.video else None
        audio = _add_audio(container, recipe) if recipe.audio else None
        if video is not None:
            for index in range(round(seconds * rate)):
                frame = VideoFrame.from_ndarray(draw(index // (hold or rate)), format="rgb24")
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        if audio is not None:
            wave = _tone(audio.rate, seconds) if sound is None else sound
            for part in _resampled(audio, wave):
                container.mux(audio.encode(part))
            container.mux(audio.encode(None))
    return file.getvalue()


def _add_video(container: OutputContainer, recipe: Recipe, rate: int, first: Pixels) -> VideoStream:
    options = {"g": str(rate), "bf": "0", **dict(recipe.options)}
    if recipe.video == "libx264":
        options |= {"bf": "2", "preset": "ultrafast"}
    stream = container.add_stream(recipe.video or "", rate=_lawful(recipe, rate), options=options)
    if not isinstance(stream, VideoStream):
        raise TypeError("no video")
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = "yuvj420p" if recipe.video == "mjpeg" else "yuv420p"
    stream.bit_rate = 400_000
    if recipe.aspect is not None:
        stream.codec_context.sample_aspect_ratio = recipe.aspect
    return stream


def _lawful(recipe: Recipe, rate: int) -> int:
    """MPEG-1 and 2 know few rates; time runs faster there."""
    return 25 if recipe.video in {"mpeg1video", "mpeg2video"} else rate


def _add_audio(container: OutputContainer, recipe: Recipe) -> AudioStream:
    layout = "stereo" if recipe.audio == "vorbis" else "mono"
    experimental = {"strict": "experimental"} if recipe.audio == "vorbis" else {}
    stream = container.add_stream(
        recipe.audio or "", rate=recipe.audio_rate, layout=layout, options=experimental
    )
    if not isinstance(stream, AudioStream):
        raise TypeError("no sound")
    if recipe.audio == "wmav2":
        stream.bit_rate = 64_000
    return stream


def _tone(rate: int, seconds: float) -> Samples:
    """Give a tone that climbs from 300 to 900 Hz, half as loud as can be."""
    at = np.arange(round(seconds * rate)) / rate
    return np.asarray(np.sin(2 * np.pi * (300 + 300 * at / seconds) * at) / 2, np.float32)


def _resampled(stream: AudioStream, wave: Samples) -> Iterator[AudioFrame]:
    """Give a wave as the stream's encoder takes it."""
    context = stream.codec_context
    resampler = av.AudioResampler(
        context.format, context.layout, stream.rate, context.frame_size or 1024
    )
    whole = (wave * 32767).astype(np.int16).reshape(1, -1)
    frame = AudioFrame.from_ndarray(whole, format="s16", layout="mono")
    frame.sample_rate = stream.rate
    yield from resampler.resample(frame)
    yield from resampler.resample(None)


def make_av1(frames: int = 4) -> bytes:
    """Make a film in AV1, of a frame a second, out of an animated picture.

    PyAV's own encoder gives this process real-time priority, which every child inherits.
    """
    file = io.BytesIO()
    picture = io.BytesIO(make_picture("AVIF", frames, duration=1000))
    with av.open(picture, format="mov") as source, av.open(file, "w", format="webm") as target:
        track = max(source.streams.video, key=lambda stream: stream.frames)  # the other is still
        copied = target.add_stream_from_template(track, opaque=True)
        if not isinstance(source, InputContainer):
            raise TypeError("no input")
        for packet in source.demux(track):
            if packet.dts is not None:
                packet.stream = copied
                target.mux(packet)
    return file.getvalue()


def good_media() -> dict[str, bytes]:
    """Make one of each kind, container and codec that is accepted."""
    made = {f"{name} picture": make_picture(name) for name in PICTURES}
    made |= {f"{name} frames": make_picture(name, 6) for name in ANIMATIONS}
    made |= {name: make_film(recipe) for name, recipe in (FILMS | SOUNDS).items()}
    return made | {"av1": make_av1()}


def break_one(good: dict[str, bytes], rng: random.Random) -> tuple[str, bytes]:
    """Choose a good medium and break it in one to three ways.

    Returns:
        What it was made from, with the ways, and its bytes.
    """
    name = rng.choice(sorted(good))
    body = bytearray(good[name])
    ways = [rng.choice(sorted(WAYS)) for _ in range(rng.randint(1, 3))]
    for way in ways:
        WAYS[way](body, rng, good)
    return " ".join((name, *ways)), bytes(body) or b"\0"


def _flip(body: bytearray, rng: random.Random, _good: dict[str, bytes]) -> None:
    if body:
        for _ in range(rng.choice((1, 4, 32, max(1, len(body) // 100)))):
            body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)


def _truncate(body: bytearray, rng: random.Random, _good: dict[str, bytes]) -> None:
    del body[int(len(body) * rng.random()) :]


def _span(body: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(body) + 1)
    return start, start + rng.choice((1, 4, 64, 1024, 1 + len(body) // 4))


def _double(body: bytearray, rng: random.Random, _good: dict[str, bytes]) -> None:
    start, end = _span(body, rng)
    body[start:start] = body[start:end]


def _cut(body: bytearray, rng: random.Random, _good: dict[str, bytes]) -> None:
    start, end = _span(body, rng)
    del body[start:end]


def _lie(body: bytearray, rng: random.Random, _good: dict[str, bytes]) -> None:
    """Change what may be a length or a count, mostly near the beginning."""
    if len(body) < 8:
        return
    near = rng.random() < 0.7
    at = rng.randrange(min(len(body) - 4, 1024 if near else len(body)))
    size = rng.choice((1, 2, 4))
    value = rng.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, rng.randrange(2**32)))
    body[at : at + size] = value.to_bytes(4, rng.choice(("big", "little")))[:size]


def _splice(body: bytearray, rng: random.Random, good: dict[str, bytes]) -> None:
    """Put another medium's head before this one's body."""
    other = good[rng.choice(sorted(good))]
    size = rng.choice((4, 12, 64, 512))
    body[:size] = other[:size]


Way = Callable[[bytearray, random.Random, dict[str, bytes]], None]

WAYS: dict[str, Way] = {
    "flip": _flip,
    "truncate": _truncate,
    "double": _double,
    "cut": _cut,
    "lie": _lie,
    "splice": _splice,
}
