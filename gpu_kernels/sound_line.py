"""Where two sounds run side by side: the line, its ends, and how alike they are along it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.sound import BANDS, FRAMES_PER_SECOND, Floats, scaled_rows

MIN_COMMON_SECONDS = 3.0
"""Less common sound than this is no match: a jingle's tail, a greeting."""

MIN_COMMON_WEIGHT = 20.0
"""Frames' worth of weight, 1.6 s: of three seconds of speech nearly half may be pauses."""

_HALF_TRUSTED = 150.0
"""Frames' worth of weight at which similarity is 71% of the mean cosine: chance falls with the
root of the length. 60 and no bound found as much on half 0 of the hard set, by less of a margin."""

_PARTING = 0.5
"""Of a line's mean cosine: frames less alike than this belong to other sound. Of .4 to .7, it put
most ends within half a second (half 0 of the hard set)."""

_COARSE = np.linspace(-0.02, 0.02, 9), np.linspace(-1, 1, 5)
"""Relative speeds and offsets (frames) that are tried around a rough line; then finer ones."""
_FINE = np.linspace(-0.004, 0.004, 5), np.linspace(-0.5, 0.5, 5)

Frames = tuple[Floats, Floats]
"""Of `SoundFingerprint.frames`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundMatch:
    """Two sounds of which one is probably made of the other.

    Args:
        similarity: 0..1.
        query_span_seconds: start and end of the common sound, in the query's time.
        reference_span_seconds: likewise, in the reference's.
        speed: of the query, over the reference's.
        pitch_semitones: of the query, over the reference's.
    """

    similarity: float
    query_span_seconds: tuple[float, float]
    reference_span_seconds: tuple[float, float]
    speed: float
    pitch_semitones: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The reference's frame `offset + speed * i` sounds like the query's frame i, first..last.

    Args:
        offset: frames of the reference.
        speed: frames of the reference in one of the query.
        pitch: bands that the query is higher.
        first: of the query.
        last: exclusive.
    """

    offset: float
    speed: float
    pitch: int
    first: int
    last: int


def follow(line: Line, query: Frames, reference: Frames) -> SoundMatch | None:
    """Straighten a rough line, find its ends, and tell how alike the sounds are along it.

    Returns:
        None where less than 3 seconds, or too little in them, is alike.
    """
    shifted = shift_bands(query[0], line.pitch), query[1]
    for grid in (_COARSE, _FINE):
        line = _straighten(line, shifted, reference, *grid)
        line = _find_ends(line, shifted, reference)
    products, weights = _along(line, shifted, reference, slice(line.first, line.last))
    return _as_match(line, float(products.sum()), float(weights.sum()), len(reference[1]))


def shift_bands(rows: NDArray[np.float32], by: int) -> Floats:
    """Lower the pitch of rows (…, 62) by so many bands; what comes in is 0."""
    shifted: Floats = np.zeros_like(rows)
    if by >= 0:
        shifted[..., : BANDS - by] = rows[..., by:]
    else:
        shifted[..., -by:] = rows[..., :by]
    return shifted


def _as_match(line: Line, product: float, weight: float, length: int) -> SoundMatch | None:
    seconds = (line.last - line.first) / FRAMES_PER_SECOND
    if product <= 0 or weight < MIN_COMMON_WEIGHT or seconds < MIN_COMMON_SECONDS:
        return None
    start, end = (line.offset + line.speed * frame for frame in (line.first, line.last))
    return SoundMatch(
        similarity=min(1.0, product / weight * (weight / (weight + _HALF_TRUSTED)) ** 0.5),
        query_span_seconds=(line.first / FRAMES_PER_SECOND, line.last / FRAMES_PER_SECOND),
        reference_span_seconds=(
            max(0.0, start) / FRAMES_PER_SECOND,
            min(float(length), end) / FRAMES_PER_SECOND,
        ),
        speed=line.speed,
        pitch_semitones=line.pitch,
    )


def _along(
    line: Line, query: Frames, reference: Frames, span: slice
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weighted cosine and the weight of each of the query's frames in a span."""
    numbers = np.arange(len(query[1]))[span]
    rows, weights = _at(reference, line.offset + line.speed * numbers)
    products = np.einsum("ij,ij->i", rows, query[0][span], dtype=np.float64)
    return products, (weights * query[1][span]).astype(np.float64)


def _at(frames: Frames, places: NDArray[np.floating[Any]]) -> Frames:
    """Interpolate rows and weights at any places (m,); 0 beyond the ends."""
    rows, weights = frames
    inside = (places >= 0) & (places <= len(weights) - 1)
    before = np.floor(places * inside).astype(np.intp)
    after = np.minimum(before + 1, len(weights) - 1)
    part = (places * inside - before).astype(np.float32)
    between = (weights[before] * (1 - part) + weights[after] * part) * inside
    mixed = rows[before] * (1 - part)[:, None] + rows[after] * part[:, None]
    return scaled_rows(mixed, between.astype(np.float32)), between.astype(np.float32)


def stretched(frames: Frames, speed: float) -> Frames:
    """Play frames so many times slower: more of them where speed is above 1."""
    count = int((len(frames[1]) - 1) * speed) + 1
    return frames if speed == 1 else _at(frames, np.arange(count) / speed)


def _straighten(
    line: Line,
    query: Frames,
    reference: Frames,
    speeds: NDArray[np.float64],
    offsets: NDArray[np.float64],
) -> Line:
    """Try lines through nearly the same middle; keep the one along which most is alike."""
    middle = (line.first + line.last - 1) / 2
    span = slice(line.first, line.last)
    best, most = line, -np.inf
    for change in speeds:
        speed = line.speed * (1 + float(change))
        through = line.offset + (line.speed - speed) * middle
        for step in offsets:
            tried = Line(
                offset=through + float(step),
                speed=speed,
                pitch=line.pitch,
                first=line.first,
                last=line.last,
            )
            alike = float(_along(tried, query, reference, span)[0].sum())
            if alike > most:
                best, most = tried, alike
    return best


def _find_ends(line: Line, query: Frames, reference: Frames) -> Line:
    """Move a line's ends to where the sounds part: the stretch of the largest sum.

    A frame adds by how much more alike it is than `_PARTING` of the line's average.
    """
    products, weights = _along(line, query, reference, slice(None))
    inside = slice(line.first, line.last)
    mean = products[inside].sum() / max(float(weights[inside].sum()), 1e-6)
    sums = np.concatenate([[0.0], np.cumsum(products - _PARTING * max(mean, 0.0) * weights)])
    lowest = np.minimum.accumulate(sums)
    last = int((sums - lowest).argmax())
    first = int(len(sums[: last + 1]) - 1 - sums[: last + 1][::-1].argmin())
    if last - first < 2:
        return line
    return Line(offset=line.offset, speed=line.speed, pitch=line.pitch, first=first, last=last)
