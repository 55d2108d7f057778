"""Finding rough lines: a sound against many at all offsets, pitches and speeds at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.sound import BANDS, SoundFingerprint
from gpu_kernels.sound_line import (
    MIN_COMMON_WEIGHT,
    Frames,
    Line,
    SoundMatch,
    follow,
    shift_bands,
    stretched,
)

Spectra = NDArray[np.complexfloating[Any]]
"""complex64, where NumPy's stubs know only complex128."""

SPEEDS = tuple(1.03**step for step in range(-9, 11))
"""Of a query over the reference's, 0.77..1.34: half a step (1.5%) moves the ends of a 5-second
tile by half a frame, and `follow` takes it from there."""
PITCHES = tuple(range(-5, 6))
"""Semitones: a tape at 1.34 times the speed sounds five higher."""

_PLAIN = (1.0,), (0,)
_THOROUGH = SPEEDS, PITCHES

_SIZE = 512
"""Frames in one transform."""
_SEGMENT = 320
"""The reference's frames in one: 25.6 s; the next one begins 256 on, so that a tile fits in one."""
_SEGMENT_STEP = 256
_REACH = _SIZE - _SEGMENT
"""The query's frames in one, 15.4 s."""
_REACH_STEP = 160
_TILE = 64
"""Frames, 5.1 s, that must sound alike on their own for a part of a query to be found."""
_TILE_STEP = 32

CLEAR_SIMILARITY = 0.4
"""A plain match so good is not tried at other speeds and pitches; see docs/sound.md."""

_CLEAR_LEAN = 0.01
"""Of the speed, within it: copies at the same speed are told to 0.4%."""

_ROUGH_FLOOR = 1.6
"""Mean cosine times the root of the weight in frames, below which a rough line is not followed.
Chance gives 2 in 15 s against 15 s, and a copy about twice as much."""
_LINES_FOLLOWED = 3
"""The best rough lines of a pair of sounds, of different speeds or places."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedSound:
    """A reference, and its transforms.

    Args:
        frames: of the fingerprint.
        spectra: complex64 (segments, 257, 62).
        masks: complex64 (segments, 257), of the weights.
    """

    frames: Frames
    spectra: Spectra
    masks: Spectra


@dataclass(frozen=True, slots=True, order=True)
class _Rough:
    """A line, and how likely it is; ordered by that."""

    strength: float
    speed: float
    pitch: int
    lag: int
    first: int
    last: int

    def as_line(self) -> Line:
        """Give it in the query's own frames; it was found in stretched ones."""
        return Line(
            offset=self.lag,
            speed=self.speed,
            pitch=self.pitch,
            first=int(self.first / self.speed),
            last=max(int(self.first / self.speed) + 1, round(self.last / self.speed)),
        )


def match_sound(
    query: SoundFingerprint, reference: SoundFingerprint, *, thorough: bool = False
) -> SoundMatch | None:
    """Tell whether a sound, or 3 seconds of it, is a copy of another, or of a part of it.

    Args:
        query: what was found.
        reference: what it may be made of.
        thorough: try other speeds and pitches too, at about 30 times the cost.

    Returns:
        None where nothing is alike.

    Raises:
        ValueError: they are of two spaces.
    """
    if query.space != reference.space:
        raise ValueError(f"sound of space {query.space} against {reference.space}")
    if not reference.usable_seconds:
        return None
    return match_prepared(query.frames(), [prepare(reference)], thorough=thorough)[0]


def prepare(reference: SoundFingerprint) -> PreparedSound:
    """Transform a reference: about 130 kB for each 20 seconds."""
    rows, weights = reference.frames()
    starts = range(0, max(1, len(weights) - (_SEGMENT - _SEGMENT_STEP)), _SEGMENT_STEP)
    parts = [slice(start, start + _SEGMENT) for start in starts]
    return PreparedSound(
        frames=(rows, weights),
        spectra=np.stack([np.fft.rfft(rows[part], _SIZE, axis=0) for part in parts]),
        masks=np.stack([np.fft.rfft(weights[part], _SIZE) for part in parts]),
    )


def match_prepared(
    query: Frames, references: Sequence[PreparedSound], *, thorough: bool
) -> list[SoundMatch | None]:
    """Match a sound with each of several; the more at once, the cheaper each.

    Args:
        query: its frames.
        references: prepared.
        thorough: try other speeds and pitches too where there is no clear match without.
    """
    matches = _match_all(query, references, *_PLAIN)
    if thorough:
        rest = [i for i, match in enumerate(matches) if not _is_clear(match)]
        again = _match_all(query, [references[i] for i in rest], *_THOROUGH)
        for i, match in zip(rest, again, strict=True):
            matches[i] = match
    return matches


def _is_clear(match: SoundMatch | None) -> bool:
    """Tell whether other speeds need not be tried: a line that leans is a part of another one."""
    return (
        match is not None
        and match.similarity >= CLEAR_SIMILARITY
        and abs(match.speed - 1) <= _CLEAR_LEAN
    )


def _match_all(
    query: Frames,
    references: Sequence[PreparedSound],
    speeds: Sequence[float],
    pitches: Sequence[int],
) -> list[SoundMatch | None]:
    rough = _rough_lines(query, references, speeds, pitches)
    return [_best(lines, query, one.frames) for lines, one in zip(rough, references, strict=True)]


def _best(lines: list[_Rough], query: Frames, reference: Frames) -> SoundMatch | None:
    matches = [
        match
        for rough in sorted(lines, reverse=True)[:_LINES_FOLLOWED]
        if (match := follow(rough.as_line(), query, reference)) is not None
    ]
    return max(matches, key=lambda match: match.similarity, default=None)


def _rough_lines(
    query: Frames,
    references: Sequence[PreparedSound],
    speeds: Sequence[float],
    pitches: Sequence[int],
) -> list[list[_Rough]]:
    """Give each reference's lines: at most one for each speed and pair of stretches."""
    found: list[list[_Rough]] = [[] for _ in references]
    if not references or query[1].sum() < MIN_COMMON_WEIGHT:
        return found
    owners = [i for i, one in enumerate(references) for _ in one.spectra]
    places = [n * _SEGMENT_STEP for one in references for n in range(len(one.spectra))]
    spectra = np.concatenate([one.spectra for one in references]).transpose(1, 0, 2)
    masks = np.concatenate([one.masks for one in references])
    for speed in speeds:
        slowed = stretched(query, speed)
        for start, tiles in _reaches(len(slowed[1])):
            spectrum, mask = _transform(slowed, start, tiles)
            best = _strongest(_correlate(spectrum, spectra, pitches), _count(mask, masks))
            for segment, (strength, which, tile, lag) in enumerate(best):
                if strength < _ROUGH_FLOOR:
                    continue
                first, last = (start + edge for edge in tiles[tile])
                shift = places[segment] + (lag - _SIZE if lag >= _SEGMENT else lag) - start
                line = _Rough(strength, speed, pitches[which], shift, first, last)
                found[owners[segment]].append(line)
    return found


def _reaches(count: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Cut a query into overlapping reaches, and each of them into tiles and itself as a whole."""
    for start in range(0, max(1, count - (_REACH - _REACH_STEP)), _REACH_STEP):
        length = min(_REACH, count - start)
        edges = range(0, max(1, length - _TILE_STEP), _TILE_STEP)
        tiles = [(edge, min(edge + _TILE, length)) for edge in edges]
        yield start, tiles if len(tiles) == 1 else [*tiles, (0, length)]


def _transform(frames: Frames, start: int, tiles: list[tuple[int, int]]) -> tuple[Spectra, Spectra]:
    """Transform each tile where it is in its reach: (tiles, 257, 62) and (tiles, 257)."""
    rows = np.zeros((len(tiles), _SIZE, BANDS), np.float32)
    weights = np.zeros((len(tiles), _SIZE), np.float32)
    for n, (first, last) in enumerate(tiles):
        rows[n, first:last] = frames[0][start + first : start + last]
        weights[n, first:last] = frames[1][start + first : start + last]
    return np.fft.rfft(rows, axis=1).conj(), np.fft.rfft(weights, axis=1).conj()


def _correlate(
    query: Spectra, references: Spectra, pitches: Sequence[int]
) -> NDArray[np.floating[Any]]:
    """Return the sum of products at each lag, (segments, pitches, tiles, lags).

    One product of matrices for each line of the transforms, over the bands.
    """
    tiles, lines = query.shape[:2]
    shifted = np.stack([_shift(query, by) for by in pitches])
    columns = shifted.transpose(2, 3, 0, 1).reshape(lines, BANDS, -1)
    products = np.matmul(references, columns).transpose(1, 2, 0)
    sums = np.fft.irfft(products, _SIZE, axis=-1)
    return sums.reshape(-1, len(pitches), tiles, _SIZE)


def _shift(rows: Spectra, by: int) -> Spectra:
    shifted: Spectra = shift_bands(rows.real, by) + 1j * shift_bands(rows.imag, by)
    return shifted


def _count(query: Spectra, references: Spectra) -> NDArray[np.floating[Any]]:
    """Return the common weight at each lag, (segments, tiles, lags)."""
    return np.fft.irfft(references[:, None] * query, _SIZE, axis=-1)


def _strongest(
    sums: NDArray[np.floating[Any]], counts: NDArray[np.floating[Any]]
) -> list[tuple[float, int, int, int]]:
    """Give each segment's highest mean cosine times root of weight, and its pitch, tile, lag."""
    scale = np.where(counts >= MIN_COMMON_WEIGHT, np.maximum(counts, 1) ** -0.5, 0)
    strengths = sums * scale[:, None]
    flat = strengths.reshape(len(sums), -1)
    best = flat.argmax(axis=1)
    indices = np.unravel_index(best, strengths.shape[1:])
    return [
        (float(flat[n, best[n]]), int(pitch), int(tile), int(lag))
        for n, (pitch, tile, lag) in enumerate(zip(*indices, strict=True))
    ]
