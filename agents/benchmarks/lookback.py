"""How looking back grows with what is kept: the store against a bare product in memory."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.looking_back import AT_LEAST, MOST_CANDIDATES, MOST_QUERIES
from monitors.lookback import DEFAULT_LOOKBACK, LookBack, SeenFingerprint, load_lookback
from streams.types import PostKey

DIMENSIONS = 512
QUERIES = 20
"""Vectors asked about at once: what one registered picture gives."""
PLANTED = 100
"""Fingerprints that are near a query."""
SMALL_BATCH = 32
"""Fingerprints of one batch of an inspection, about."""
SMALL_ROWS = 10_000
"""Added in such batches, and timed; the rest comes in large ones, and so does the wait."""
_LARGE_BATCH = 10_000
_COSINES = (0.35, 0.9)
"""Between them lie the planted ones' cosines: heavy edits to hardly any."""
_AT = datetime(2026, 1, 1, tzinfo=UTC)
_SPACE = "drawn/1/none/f32"

Rows = NDArray[np.float32]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookBackFigures:
    """What was measured with one number of fingerprints.

    Args:
        fingerprints: kept.
        added_per_second: in batches of `SMALL_BATCH`, each on the disk before the next.
        bytes_per_fingerprint: on the disk, before small files are joined: for two minutes after
            that, the joined ones are there twice.
        query_seconds: of one search for `QUERIES` vectors, the median of three.
        numpy_seconds: of one product with all vectors in memory, likewise.
        ratio: of the two.
        case_seconds: of one search for `MOST_QUERIES` vectors.
        recall: of the planted ones that the product finds.
    """

    fingerprints: int
    added_per_second: float
    bytes_per_fingerprint: float
    query_seconds: float
    numpy_seconds: float
    ratio: float
    case_seconds: float
    recall: float

    def to_json(self) -> dict[str, Any]:
        """Give the figures under the names that scripts rely upon."""
        return asdict(self)


def measure_lookback(
    sizes: Sequence[int], seed: int = 0, progress: Progress = print
) -> Iterator[LookBackFigures]:
    """Fill a temporary store for each size, and search it and a matrix alternately.

    Args:
        sizes: numbers of fingerprints, each above `PLANTED`.
        seed: of the drawing.
        progress: told what is being done.
    """
    for size in sizes:
        with TemporaryDirectory() as folder:
            progress(f"{size} fingerprints")
            yield _measure(size, np.random.default_rng(seed), Path(folder))


def _measure(size: int, chance: np.random.Generator, folder: Path) -> LookBackFigures:
    queries = _unit(chance, MOST_QUERIES)
    rows = _drawn(chance, size, queries[:QUERIES])
    store = load_lookback(DEFAULT_LOOKBACK, str(folder))
    lookback = store.of(_SPACE)
    rate = _fill(lookback, rows)
    size_bytes = sum(one.stat().st_size for one in _files(folder))
    lookback.compact()
    searches = [_timed(lambda: _searched(lookback, queries[:QUERIES])) for _ in range(3)]
    products = [_timed(lambda: _multiplied(rows, queries[:QUERIES])) for _ in range(3)]
    _, case_seconds = _timed(lambda: _searched(lookback, queries))
    store.close()
    found, wanted = searches[0][0], products[0][0]
    query_seconds, numpy_seconds = (
        float(np.median([seconds for _, seconds in some])) for some in (searches, products)
    )
    return LookBackFigures(
        fingerprints=size,
        added_per_second=rate,
        bytes_per_fingerprint=size_bytes / size,
        query_seconds=query_seconds,
        numpy_seconds=numpy_seconds,
        ratio=query_seconds / numpy_seconds,
        case_seconds=case_seconds,
        recall=len(found & wanted) / len(wanted),
    )


def _drawn(chance: np.random.Generator, size: int, queries: Rows) -> Rows:
    """Draw directions, the first of them near the queries, and shuffle them."""
    rows = np.empty((size, DIMENSIONS), np.float32)
    for start in range(0, size, _LARGE_BATCH):
        rows[start : start + _LARGE_BATCH] = _unit(chance, min(_LARGE_BATCH, size - start))
    cosines = np.linspace(*_COSINES, PLANTED, dtype=np.float32)[:, None]
    near = queries[np.arange(PLANTED) % len(queries)]
    others = rows[:PLANTED] - (rows[:PLANTED] * near).sum(axis=1, keepdims=True) * near
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    rows[:PLANTED] = cosines * near + np.sqrt(1 - cosines**2) * others
    chance.shuffle(rows)
    return rows


def _fill(lookback: LookBack, rows: Rows) -> float:
    """Add all rows; give how many a second were added in small batches."""
    small = min(SMALL_ROWS, len(rows))
    started = time.perf_counter()
    for start in range(0, small, SMALL_BATCH):
        lookback.add(_seen(rows, start, min(start + SMALL_BATCH, small)))
    rate = small / (time.perf_counter() - started)
    for start in range(small, len(rows), _LARGE_BATCH):
        lookback.add(_seen(rows, start, min(start + _LARGE_BATCH, len(rows))))
    return rate


def _seen(rows: Rows, start: int, end: int) -> list[SeenFingerprint]:
    return [
        SeenFingerprint(
            post=PostKey(f"{row:032x}"),
            medium=0,
            at_seconds=0.0,
            vector=rows[row],
            pdq=row.to_bytes(4) * 8,
            observed_at=_AT,
        )
        for row in range(start, end)
    ]


def _searched(lookback: LookBack, queries: Rows) -> set[int]:
    found = lookback.search(queries, AT_LEAST, MOST_CANDIDATES)
    return {int(one.post, 16) for one in found}


def _multiplied(rows: Rows, queries: Rows) -> set[int]:
    best = (rows @ queries.T).max(axis=1)
    return set(np.flatnonzero(best >= AT_LEAST).tolist())


def _timed(work: Callable[[], set[int]]) -> tuple[set[int], float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def _unit(chance: np.random.Generator, count: int) -> Rows:
    rows = chance.standard_normal((count, DIMENSIONS), dtype=np.float32)
    unit: Rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _files(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file()]
