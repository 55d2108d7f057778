"""What the decoder's tests look with: sinks that keep, and the entry of the locked child."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

import av
import numpy as np
from numpy.typing import NDArray

from agents.benchmarks.hostile_media import FILMS, SOUNDS, Pixels, make_film
from streams.media import looking
from streams.media.frames import Limits, Summary
from streams.types import Look


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
    """Look as a child does, unlocked."""
    kept = Kept()
    summary = looking.decode(
        body, kept, limit_cpu=lambda _: None, limits=limits or Limits(), look=asked or Look()
    )
    return kept, summary


def restamp(body: bytes, container: str, said: Callable[[int, float], float]) -> bytes:
    """Put a film into another container with other stamps.

    Args:
        body: a film.
        container: FFmpeg's name of it.
        said: from a packet's place and seconds to those that it shall say.
    """
    file = io.BytesIO()
    with (
        av.open(io.BytesIO(body), "r") as source,
        av.open(file, "w", format=container) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for place, packet in enumerate(source.demux(source.streams.video[0])):
            if packet.pts is not None and packet.dts is not None and packet.time_base is not None:
                late = int(said(place, float(packet.pts * packet.time_base)) / packet.time_base)
                packet.dts, packet.pts = min(packet.dts, late), late
                packet.stream = stream
                target.mux(packet)
    return file.getvalue()


def difference(one: Pixels, other: Pixels) -> float:
    """Tell the mean absolute difference of two pictures, of 255."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


@cache
def good_films() -> dict[str, bytes]:
    """Make one film or sound by each recipe, once."""
    return {name: make_film(recipe) for name, recipe in (FILMS | SOUNDS).items()}
