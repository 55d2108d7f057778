"""Search among very many reference views: the product's gallery against FAISS called bare."""

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.index import load_index
from gpu_kernels.search import FrameGallery

VIEWS = 25
"""Of a reference: what a still picture has."""
QUERY_VIEWS = 3
FILM_FRAMES = 60
"""Of the film that is searched for: a minute, one a second."""
CANDIDATES = 10
_CENTRES, _SPREAD, _NOISE = 2000, 0.6, 0.039
"""Clusters as of real embeddings; a query is a reference's view at a cosine of about .75."""
_DIMENSIONS = 512
_SPACE = "drawn/1/none/f32"

Rows = NDArray[np.float32]
T = TypeVar("T")
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeGallery:
    """What was measured.

    Args:
        vectors: in the gallery.
        gallery_ms: of one search by the product, wall time, median.
        bare_ms: of FAISS's flat index with the same vectors and as many neighbours.
        ratio: of the two.
        film_ms: of one search for a film of `FILM_FRAMES` frames, wall time.
        bare_film_ms: of FAISS's flat index with all its vectors at once.
        film_ratio: of the two.
        recall: of queries whose reference came first.
        bytes_a_vector: of the gallery, its fingerprints included, the bare index left out.
    """

    vectors: int
    gallery_ms: float
    bare_ms: float
    ratio: float
    film_ms: float
    bare_film_ms: float
    film_ratio: float
    recall: float
    bytes_a_vector: float

    def to_json(self) -> dict[str, Any]:
        """Give the figures under the names that scripts rely upon."""
        return asdict(self)


def measure_large_gallery(
    vectors: int, queries: int = 20, seed: int = 0, progress: Progress = print
) -> LargeGallery:
    """Fill a gallery with drawn vectors, and search it and a bare index alternately.

    Args:
        vectors: how many, at least `VIEWS`.
        queries: how many searches of each.
        seed: of the drawing.
        progress: told what is being done.
    """
    chance = np.random.default_rng(seed)
    gallery, before = FrameGallery(), _memory_bytes()
    drawn = _fill(gallery, chance, vectors // VIEWS, progress)
    used = _memory_bytes() - before
    bare = load_index("faiss", _DIMENSIONS)  # FAISS's own flat index, one call deep
    for start in range(0, len(drawn), 1000):
        bare.add(np.concatenate(drawn[start : start + 1000]))
    chosen = chance.integers(0, len(drawn), queries + FILM_FRAMES).tolist()
    views = [_near(chance, drawn[ordinal][:QUERY_VIEWS]) for ordinal in chosen]
    pictures, film = views[:queries], views[queries:]
    ours = [_timed(gallery.search, _fingerprint(rows), CANDIDATES) for rows in pictures]
    theirs = [_timed(bare.search, rows, CANDIDATES * 16)[1] for rows in pictures]
    gallery_ms = float(np.median([spent for _, spent in ours]))
    bare_ms = float(np.median(theirs))
    prints = [_fingerprint(rows, float(second)) for second, rows in enumerate(film)]
    film_ms = _timed(gallery.search_film, prints, CANDIDATES)[1]
    bare_film_ms = _timed(bare.search, np.concatenate(film), CANDIDATES * 16)[1]
    firsts = [nearest[0].ordinal for nearest, _ in ours]
    return LargeGallery(
        vectors=len(drawn) * VIEWS,
        gallery_ms=gallery_ms,
        bare_ms=bare_ms,
        ratio=gallery_ms / bare_ms,
        film_ms=film_ms,
        bare_film_ms=bare_film_ms,
        film_ratio=film_ms / bare_film_ms,
        recall=float(np.mean(np.equal(firsts, chosen[:queries]))),
        bytes_a_vector=max(0, used) / (len(drawn) * VIEWS),
    )


def _fill(
    gallery: FrameGallery, chance: np.random.Generator, references: int, progress: Progress
) -> list[Rows]:
    """Add drawn references to a gallery, and give their views."""
    centres = chance.standard_normal((_CENTRES, _DIMENSIONS), dtype=np.float32)
    drawn = []
    for ordinal in range(references):
        rows = _draw(chance, centres, VIEWS)
        gallery.add(ordinal, _fingerprint(rows))
        drawn.append(rows)
        if ordinal % 4000 == 0:
            progress(f"{ordinal * VIEWS} of {references * VIEWS} vectors")
    return drawn


def _timed(work: Callable[..., T], *args: Any) -> tuple[T, float]:
    """Give what some work returns, and the milliseconds that it takes."""
    started = time.perf_counter()
    found = work(*args)
    return found, 1000 * (time.perf_counter() - started)


def _draw(chance: np.random.Generator, centres: Rows, count: int) -> Rows:
    chosen = centres[chance.integers(0, len(centres), count)] * _SPREAD
    return _unit(chosen + chance.standard_normal((count, _DIMENSIONS), dtype=np.float32))


def _near(chance: np.random.Generator, rows: Rows) -> Rows:
    noise = chance.standard_normal(rows.shape, dtype=np.float32) * np.float32(_NOISE)
    return _unit(rows + noise)


def _unit(rows: Rows) -> Rows:
    unit: Rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _fingerprint(rows: Rows, at_seconds: float = 0.0) -> ImageFingerprint:
    """Make a picture's fingerprint of its embeddings alone."""
    boxes = np.tile(np.array([[0, 0, 1, 1]], np.float32), (len(rows), 1))
    return ImageFingerprint(
        width=640,
        height=480,
        space=_SPACE,
        boxes=boxes,
        embeddings=rows,
        pdq=np.zeros((0, 32), np.uint8),
        pdq_quality=np.zeros(0, np.uint8),
        detail=5.0,
        at_seconds=at_seconds,
    )


def _memory_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
