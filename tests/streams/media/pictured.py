"""Small pictures, and what the tests of them look with."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from streams.media.frames import Limits, Summary
from streams.media.pictures import decode
from streams.types import Look

SIDE = 256


@dataclass(slots=True)
class Album:
    """A sink that keeps pictures."""

    frames: list[Image.Image] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def add(self, width: int, height: int, strips: Iterable[bytes], at_seconds: float) -> None:
        self.frames.append(Image.frombytes("RGB", (width, height), b"".join(strips)))
        self.times.append(at_seconds)

    def keep(self, frames: int) -> None:
        del self.frames[frames:]
        del self.times[frames:]


def look(
    body: bytes,
    *,
    max_side: int = SIDE,
    max_frames: int = 4,
    most: int = 96,
    asked: Look | None = None,
    limit: Any = lambda _: None,
) -> tuple[Album, str, int]:
    kept, summary = watch(
        body, max_side=max_side, max_frames=max_frames, most=most, asked=asked, limit=limit
    )
    return kept, summary.format, summary.frame_count


def watch(
    body: bytes,
    *,
    max_side: int = SIDE,
    max_frames: int = 4,
    most: int = 96,
    asked: Look | None = None,
    limit: Any = lambda _: None,
) -> tuple[Album, Summary]:
    kept = Album()
    limits = Limits(
        max_side=max_side, max_frames=max_frames, video_side=max_side, max_video_frames=most
    )
    return kept, decode(body, kept, limits=limits, look=asked, limit_cpu=limit)


def scene(width: int = 96, height: int = 64, mode: str = "RGB") -> Image.Image:
    """A picture whose four corners tell its orientation: red, green, blue, grey."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (200, 30, 30)
    pixels[: height // 2, width // 2 :] = (30, 200, 30)
    pixels[height // 2 :, : width // 2] = (30, 30, 200)
    pixels[height // 2 :, width // 2 :] = (120, 120, 120)
    return Image.fromarray(pixels).convert(mode)


def save(image: Image.Image, name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def difference(one: Image.Image, other: Image.Image) -> float:
    assert one.size == other.size
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


def clip(frames: int, name: str, *, size: int = 32, **options: Any) -> bytes:
    """Frames whose grey is 5 times their place."""
    pages = [Image.new("L", (size, size), 5 * place).convert("RGB") for place in range(frames)]
    return save(pages[0], name, save_all=True, append_images=pages[1:], **options)


def photograph() -> Image.Image:
    rng = np.random.default_rng(5)
    coarse = Image.fromarray(rng.integers(0, 255, (8, 12, 3), np.uint8))
    return coarse.resize((384, 256), Image.Resampling.BICUBIC)
