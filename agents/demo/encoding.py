"""Films, sounds and animated pictures to bytes, in memory."""

import io
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from PIL import Image

from agents.demo.films import Film, Shown
from agents.demo.tunes import RATE_HZ, Samples

_H264 = "libx264" in av.codecs_available
_VIDEO_CODEC = "libx264" if _H264 else "mpeg4"
"""Every wheel of PyAV so far has x264; another build may lack it, and the demo is no test of it."""

_KEY_SECONDS = 3.0
_FILM_BITS = 64_000

_SOUNDS: Mapping[str, tuple[str, str, int, int]] = {
    "mp3": ("mp3", "libmp3lame", 16_000, 32_000),
    "m4a": ("ipod", "aac", 16_000, 32_000),
    "ogg": ("ogg", "libopus", 48_000, 24_000),
    "wav": ("wav", "pcm_s16le", 16_000, 0),
}
"""By suffix: container, codec, samples a second, bits a second."""

SOUND_FORMATS = tuple(_SOUNDS)


def encode_film(film: Film) -> bytes:
    """Encode as MP4."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        pictures = _add_pictures(container, film)
        sound = None if film.sound is None else _add_sound(container, "aac", RATE_HZ, _FILM_BITS)
        for shown in film.frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(shown), format="rgb24")
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode())
        if sound is not None and film.sound is not None:
            _write_sound(container, sound, film.sound)
    return target.getvalue()


def encode_sound(sound: Samples, suffix: str) -> bytes:
    """Encode as one of `SOUND_FORMATS`."""
    name, codec, rate_hz, bits = _SOUNDS[suffix]
    target = io.BytesIO()
    with av.open(target, "w", format=name) as container:
        _write_sound(container, _add_sound(container, codec, rate_hz, bits), sound)
    return target.getvalue()


def encode_animation(frames: Sequence[Shown], rate: float, suffix: str) -> bytes:
    """Encode as an animated GIF or WebP."""
    pictures = [Image.fromarray(frame) for frame in frames]
    target = io.BytesIO()
    first, *others = pictures
    first.save(
        target,
        suffix.upper(),
        save_all=True,
        append_images=others,
        duration=round(1000 / rate),
        loop=0,
        quality=60,
        method=0,
    )
    return target.getvalue()


def _add_pictures(container: OutputContainer, film: Film) -> VideoStream:
    rate = Fraction(film.rate).limit_denominator(1000)
    stream = cast("VideoStream", container.add_stream(_VIDEO_CODEC, rate=rate))
    stream.height, stream.width = film.frames[0].shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.gop_size = round(_KEY_SECONDS * film.rate)
    stream.thread_count = 1
    stream.options = (
        {"crf": str(film.loss), "preset": "superfast"} if _H264 else {"q": str(film.loss // 4)}
    )
    return stream


def _add_sound(container: OutputContainer, codec: str, rate_hz: int, bits: int) -> AudioStream:
    stream = cast("AudioStream", container.add_stream(codec, rate=rate_hz))
    stream.layout = "mono"
    if bits:
        stream.bit_rate = bits
    return stream


def _write_sound(container: OutputContainer, stream: AudioStream, sound: Samples) -> None:
    whole = np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
    frame.sample_rate = RATE_HZ
    for resampled in av.AudioResampler("s16", "mono", stream.rate).resample(frame):
        container.mux(stream.encode(resampled))
    container.mux(stream.encode())
