"""Where a video runs along another: the best line through their frames' likenesses.

A bag of frames cannot tell a copy from another recording of one room; order in time can. As the
winners of VSC 2022 and VCSL do, a copied stretch is a line in the matrix of the frames' likenesses:
its slope is the speed, its place the offset. `pattern` looks beside the line: a true copy is like
the reference's other frames just as the reference itself is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Affinity: TypeAlias = NDArray[np.float32]
"""Shape (query frames, reference frames): the highest cosine of any two views, -1..1."""
Seconds: TypeAlias = NDArray[np.float64]
"""Shape (frames,), rising."""

SPEEDS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4)
"""Reference seconds a query second. Between them the nearest frame is near enough."""

MIN_VARIETY = 0.015
"""Spread of a reference's likeness to itself from which it changes enough to have a pattern."""

FLOORS = (0.3, 0.5, 0.7)
"""Likenesses that a stretch must exceed to go on. Unrelated frames reach the first, frames of one
style or place the second; of most edits of a film, most frames reach the third."""

PATTERN = 0.6
"""Correlation of the likeness beside a line from which it may be a copy's."""

_CONTRAST = 0.5
"""Weight of what a pair of frames has beyond its row and column of the matrix."""
_STEP = 0.5
"""Seconds between the offsets that are tried: the denser pass's frames are that far apart."""
_REACH = 1.0
"""Seconds from a line within which a reference's frame stands for it."""
_OUTSIDE = -9.0
_MIN_FRAMES = 4
"""Frames on a line from which a pattern says anything."""
_MAX_CELLS = 125_000
"""Offsets x query frames looked at together: some ten arrays of 1 MB, which the cache holds. Of
15 minutes in 30 it took 0.6 s and 20 MB, where 4,000,000 took 1.5 s and 200 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """The best line.

    Args:
        similarity: mean cosine along it.
        frames: of the query on it, each looked at once.
        speed: reference seconds a query second.
        query_span_seconds: from, to.
        reference_span_seconds: from, to.
        pattern: correlation, -1..1, of the query's likeness to all of the reference's frames with
            the reference's own; None where the reference hardly changes or too few frames tell.
        pairs: the line's frames, query's and reference's.
    """

    similarity: float
    frames: int
    speed: float
    query_span_seconds: tuple[float, float]
    reference_span_seconds: tuple[float, float]
    pattern: float | None
    pairs: tuple[tuple[int, int], ...]


def align(
    affinity: Affinity,
    itself: Affinity,
    query_seconds: Seconds,
    reference_seconds: Seconds,
) -> Alignment:
    """Find the line that a copy would run along.

    That is the longest of `lines` that has the reference's pattern; where none has, the longest.

    Args:
        affinity: of query and reference, at least one frame each.
        itself: of the reference with itself.
        query_seconds: when the query's frames are.
        reference_seconds: when the reference's frames are.
    """
    found = lines(affinity, itself, query_seconds, reference_seconds)
    if found[0].pattern is None:
        return found[0]
    copied = (one for one in found if one.pattern is not None and one.pattern >= PATTERN)
    return next(copied, found[0])


def lines(
    affinity: Affinity,
    itself: Affinity,
    query_seconds: Seconds,
    reference_seconds: Seconds,
) -> list[Alignment]:
    """Find the best line at each of `FLOORS`, for arguments as of `align`.

    A long stretch of what merely looks like the reference, another recording of the room, adds up
    to more than a short copied stretch behind it does; at a higher floor it adds up to nothing.
    """
    gain = _gain(affinity)
    rows = np.arange(len(query_seconds))
    best: list[_Line | None] = [None] * len(FLOORS)
    for speed in SPEEDS:
        for columns, inside in _offsets(speed, query_seconds, reference_seconds):
            values = np.where(inside, gain[rows, columns], _OUTSIDE)
            for level, floor in enumerate(FLOORS):
                total, line, first, last = _best_stretch(values - floor)
                known = best[level]
                if known is None or total > known.total + 1e-9:
                    place = np.arange(first, last)
                    best[level] = _Line(total, speed, place, columns[line])
    seconds = (query_seconds, reference_seconds)
    found = [_described(affinity, itself, seconds, one) for one in best if one is not None]
    if not found:
        raise ValueError("no frames")
    return found


@dataclass(frozen=True, slots=True)
class _Line:
    """A stretch of the query's rows, and the reference's column of each of the query's rows."""

    total: float
    speed: float
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]


def changes(itself: Affinity) -> bool:
    """Say whether a film changes enough, by its likeness to itself, to have an order in time."""
    return float(itself.std()) >= MIN_VARIETY


def _gain(affinity: Affinity) -> NDArray[np.float64]:
    values = affinity.astype(np.float64)
    centred = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True)
    gain: NDArray[np.float64] = values + _CONTRAST * (centred + values.mean())
    return gain


def _offsets(
    speed: float, query: Seconds, reference: Seconds
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """Give, for blocks of offsets, each query frame's reference frame and whether it has one."""
    first, last = reference[0] - speed * query[-1], reference[-1] - speed * query[0]
    offsets = np.arange(first, last + _STEP / 2, _STEP)
    block = max(1, _MAX_CELLS // len(query))
    for start in range(0, len(offsets), block):
        wanted = speed * query[None] + offsets[start : start + block, None]
        right = np.clip(np.searchsorted(reference, wanted), 1, max(1, len(reference) - 1))
        right = np.minimum(right, len(reference) - 1)
        left = np.maximum(right - 1, 0)
        nearer_left = wanted - reference[left] <= reference[right] - wanted
        columns = np.where(nearer_left, left, right)
        yield columns, np.abs(reference[columns] - wanted) <= _REACH


def _best_stretch(values: NDArray[np.float64]) -> tuple[float, int, int, int]:
    """Find the line, and the stretch of it, with the largest sum (Kadane, all lines at once)."""
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    lowest = np.minimum.accumulate(sums[:, :-1], axis=1)
    gains = sums[:, 1:] - lowest
    line, last = np.unravel_index(int(gains.argmax()), gains.shape)
    first = int(sums[line, : last + 1].argmin())
    return float(gains[line, last]), int(line), first, int(last) + 1


def _described(
    affinity: Affinity,
    itself: Affinity,
    seconds: tuple[Seconds, Seconds],
    line: _Line,
) -> Alignment:
    query, reference = seconds
    rows = line.rows
    chosen = line.columns[rows]
    return Alignment(
        similarity=float(affinity[rows, chosen].mean()),
        frames=len(rows),
        speed=line.speed,
        query_span_seconds=(float(query[rows[0]]), float(query[rows[-1]])),
        reference_span_seconds=(float(reference[chosen[0]]), float(reference[chosen[-1]])),
        pattern=_pattern(affinity, itself, rows, chosen),
        pairs=tuple((int(i), int(j)) for i, j in zip(rows, chosen, strict=True)),
    )


def _pattern(
    affinity: Affinity, itself: Affinity, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> float | None:
    """Correlate the line's rows with the reference's own, at the best of three offsets."""
    count = itself.shape[1]
    if len(rows) < _MIN_FRAMES or not changes(itself):
        return None
    found = [
        _correlation(affinity[rows], itself[np.clip(columns + shift, 0, count - 1)])
        for shift in (-1, 0, 1)
    ]
    return max(found)


def _correlation(one: Affinity, other: Affinity) -> float:
    first, second = _centred(one), _centred(other)
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / scale) if scale > 1e-9 else 0.0


def _centred(values: Affinity) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    wide = wide - wide.mean(axis=1, keepdims=True)
    centred: NDArray[np.float64] = wide - wide.mean(axis=0, keepdims=True)
    return centred
