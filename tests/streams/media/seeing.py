"""What the decoder's tests look with: sinks that keep, and the entry of the locked child."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

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


def difference(one: Pixels, other: Pixels) -> float:
    """Tell the mean absolute difference of two pictures, of 255."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


@cache
def good_films() -> dict[str, bytes]:
    """Make one film or sound by each recipe, once."""
    return {name: make_film(recipe) for name, recipe in (FILMS | SOUNDS).items()}
