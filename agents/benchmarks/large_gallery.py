"""Search among very many reference views: the product's gallery against FAISS called bare."""

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.index import load_index
from gpu_kernels.search import FrameGallery

VIEWS = 25
"""Of a reference: what a still picture has."""
QUERY_VIEWS = 3
CANDIDATES = 10
_CENTRES, _SPREAD, _NOISE = 2000, 0.6, 0.039
"""Clusters as of real embeddings; a query is a reference's view at a cosine of about .75."""
_DIMENSIONS = 512
_SPACE = "drawn/1/none/f32"

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeGallery:
    """What was measured.

    Args:
        vectors: in the gallery.
        gallery_ms: of one search by the product, wall time, median.
        bare_ms: of FAISS's flat index with the same vectors and as many neighbours.
        ratio: of the two.
        recall: of queries whose reference came first.
        bytes_a_vector: of this process's memory, the bare index left out.
    """

    vectors: int
    gallery_ms: float
    bare_ms: float
    ratio: float
    recall: float
    bytes_a_vector: float

    def to_json(self) -> dict[str, Any]:
        """Give the figures under the names that scripts rely upon."""
        return asdict(self)


def measure_large_gallery(
    vectors: int, queries: int = 20, seed: int = 0, progress: Callable[[str], None] = print
) -> LargeGallery:
    """Fill a gallery with drawn vectors, and search it and a bare index alternately.

    Args:
        vectors: how many, at least `VIEWS`.
        queries: how many searches of each.
        seed: of the drawing.
        progress: told what is being done.
    """
    chance = np.random.default_rng(seed)
    centres = chance.standard_normal((_CENTRES, _DIMENSIONS), dtype=np.float32)
    gallery, before = FrameGallery(), _memory_bytes()
    bare_rows = []
    for ordinal in range(vectors // VIEWS):
        rows = _draw(chance, centres, VIEWS)
        gallery.add(ordinal, _fingerprint(rows))
        bare_rows.append(rows)
        if ordinal % 4000 == 0:
            progress(f"{ordinal * VIEWS} of {vectors} vectors")
    used = _memory_bytes() - before - vectors * _DIMENSIONS * 4  # without the rows kept here
    bare = load_index("faiss", _DIMENSIONS)  # FAISS's own flat index, one call deep
    for start in range(0, len(bare_rows), 1000):
        bare.add(np.concatenate(bare_rows[start : start + 1000]))
    theirs, ours, found = [], [], 0
    for _ in range(queries):
        ordinal = int(chance.integers(len(bare_rows)))
        query = _near(chance, bare_rows[ordinal][:QUERY_VIEWS])
        started = time.perf_counter()
        nearest = gallery.search(_fingerprint(query), CANDIDATES)
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        bare.search(query, CANDIDATES * 16)
        theirs.append(time.perf_counter() - started)
        found += nearest[0].ordinal == ordinal
    gallery_ms, bare_ms = (1000 * float(np.median(one)) for one in (ours, theirs))
    return LargeGallery(
        vectors=len(bare_rows) * VIEWS,
        gallery_ms=gallery_ms,
        bare_ms=bare_ms,
        ratio=gallery_ms / bare_ms,
        recall=found / queries,
        bytes_a_vector=max(0, used) / (len(bare_rows) * VIEWS),
    )


def _draw(chance: np.random.Generator, centres: Rows, count: int) -> Rows:
    chosen = centres[chance.integers(0, len(centres), count)] * _SPREAD
    return _unit(chosen + chance.standard_normal((count, _DIMENSIONS), dtype=np.float32))


def _near(chance: np.random.Generator, rows: Rows) -> Rows:
    noise = chance.standard_normal(rows.shape, dtype=np.float32) * np.float32(_NOISE)
    return _unit(rows + noise)


def _unit(rows: Rows) -> Rows:
    unit: Rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _fingerprint(rows: Rows) -> ImageFingerprint:
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
    )


def _memory_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
