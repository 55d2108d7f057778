"""Decode and engine alone: what the whole pipeline is measured against.

The same pictures, the same decoding and the same views as in the pipeline, in as many processes
as the pipeline has engine children, with no sandbox, network, broker or database around them.
The pictures are the benchmark's own, so decoding them outside of the sandbox is safe.
"""

import multiprocessing
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpu_kernels.engine import Engine, load_engine
from gpu_kernels.fingerprint import fingerprint_query
from gpu_kernels.models import LocatedModel
from gpu_kernels.views import Picture
from streams.media import pictures
from streams.media.frames import Limits

MAX_SIDE = 1024
"""The decoder's default: both sides see pictures of the same size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BareRate:
    """What the processes did together.

    Args:
        images: decoded and fingerprinted.
        views: embedded.
        seconds: wall time, models already loaded.
    """

    images: int
    views: int
    seconds: float

    @property
    def images_per_second(self) -> float:
        """Images of all processes a second."""
        return self.images / self.seconds


class _FirstFrame:
    """A sink of `pictures.decode` that keeps one frame as an array."""

    picture: Picture | None = None

    def add(self, width: int, height: int, strips: Iterable[bytes], at_seconds: float) -> None:
        del at_seconds
        flat = np.frombuffer(b"".join(strips), np.uint8)
        self.picture = flat.reshape(height, width, 3)

    def keep(self, frames: int) -> None:
        pass


_engine: Engine | None = None
"""Of this child process."""


def measure(
    files: Sequence[Path], located: LocatedModel, *, engine: str, processes: int
) -> BareRate:
    """Decode and fingerprint every file once, shared out over the processes."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=_load, initargs=(located, engine)
    ) as pool:
        list(pool.map(_warm_up, [files[0]] * processes * 4))
        start = time.perf_counter()
        views = sum(pool.map(_fingerprint, files, chunksize=4))
        seconds = time.perf_counter() - start
    return BareRate(images=len(files), views=views, seconds=seconds)


def _load(located: LocatedModel, engine: str) -> None:
    global _engine  # noqa: PLW0603 - one engine a child process
    import cv2

    cv2.setNumThreads(1)
    pictures.prepare()
    _engine = load_engine(engine, located.path, model=located.model, threads=1)


def _warm_up(file: Path) -> int:
    time.sleep(0.2)  # so that every process gets one
    return _fingerprint(file)


def _fingerprint(file: Path) -> int:
    if _engine is None:
        raise RuntimeError("the child has no engine")
    sink = _FirstFrame()
    limits = Limits(max_side=MAX_SIDE, max_frames=1)
    pictures.decode(file.read_bytes(), sink, limits=limits, limit_cpu=lambda _: None)
    if sink.picture is None:
        raise RuntimeError("no frame")
    return len(fingerprint_query(sink.picture, _engine).embeddings)
