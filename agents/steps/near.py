"""Which of very many spellings stand nearly in a text: one lookup for all, then RapidFuzz.

A spelling of m letters that differs in e of them keeps one of e + 1 parts whole. So every text's
runs of a few letters are looked up among the parts' beginnings, all at once, and what is found is
held against the spelling: its whole length, letter by letter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

LONG, SHORT = 4, 3
"""Letters of a part's beginning that are looked up; parts of three letters are their own."""

MAX_PLACES = 64
"""Places of one run of letters in one text; no honest text needs more, and looking at more would
give hostile text our time."""

MAX_WINDOWS = 100_000
"""Stretches of one text that are held against a spelling, likewise: about 0.1 s."""

MAX_GLANCED = 24
"""Letters of a spelling that are glanced at before it is held against a stretch."""

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_PAD = "\0"
"""Stands around a text, so that a stretch at its edge is held against all of a spelling."""

Ints: TypeAlias = NDArray[np.intp]
Codes: TypeAlias = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Near:
    """A stretch of a text that is nearly a spelling.

    Args:
        spelling: its place among those that were given.
        start: where the stretch begins; may lie before the text, the stretch is as long as the
            spelling.
        similarity: the share of the spelling's letters that it holds in their order.
    """

    spelling: int
    start: int
    similarity: float


@dataclass(frozen=True, slots=True)
class _Part:
    """One of a spelling's parts: `offset` letters from its beginning."""

    spelling: int
    offset: int
    letters: str


class NearIndex:
    """Spellings, made ready once. Immutable.

    Args:
        spellings: decomposed letters, at least three of each.
        thresholds: the similarity that each needs, above one half.
    """

    def __init__(self, spellings: Sequence[str], thresholds: Sequence[float]) -> None:
        self._spellings = tuple(spellings)
        self._thresholds = np.array(thresholds, np.float64)
        sizes = [len(one) for one in spellings]
        errors = [
            int(size * (1 - least) + 1e-9) for size, least in zip(sizes, thresholds, strict=True)
        ]
        self._sizes, self._errors = np.array(sizes, np.intp), np.array(errors, np.intp)
        self._longest = max(sizes, default=0)
        self._bits = np.zeros((min(self._longest, MAX_GLANCED), len(sizes)), np.uint64)
        for i, one in enumerate(spellings):
            glanced = np.array([*map(ord, one[:MAX_GLANCED])], np.uint32)
            self._bits[: len(glanced), i] = _bit(glanced)
        parts = [
            part
            for i, (one, count) in enumerate(zip(spellings, errors, strict=True))
            for part in _parts(i, one, count + 1)
        ]
        self._tables = [
            _Table(size, some)
            for size, some in (
                (LONG, [one for one in parts if len(one.letters) >= LONG]),
                (SHORT, [one for one in parts if len(one.letters) == SHORT]),
            )
            if some
        ]

    def search(self, letters: str) -> list[Near]:
        """Find the stretches that are near enough, the most alike first.

        Args:
            letters: of a text, decomposed as the spellings are.
        """
        if not self._tables or len(letters) < SHORT:
            return []
        codes = np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), np.uint32)
        found = [table.find(codes.astype(np.uint64)) for table in self._tables]
        spelling, start = (np.concatenate(one) for one in zip(*found, strict=True))
        if not len(spelling):
            return []
        spelling, start = self._glance(codes, spelling, start)
        width = len(letters) + 2 * self._longest + 1  # a start may lie before the text
        pairs = np.unique(spelling * width + start + self._longest)
        return self._held(letters, pairs // width, pairs % width - self._longest)

    def _glance(self, codes: NDArray[np.uint32], spelling: Ints, start: Ints) -> tuple[Ints, Ints]:
        """Keep what has enough of its letters about where they should stand."""
        there = self._around(codes, int(self._errors[spelling].max()))
        errors = self._errors[spelling]
        missing = np.zeros(len(spelling), np.intp)
        for place, bits in enumerate(self._bits):
            wanted = bits[spelling]
            missing += (there[errors, start + self._longest + place] & wanted) != wanted
            if place % 4 == 3:
                kept = np.flatnonzero(missing <= errors)
                spelling, start, errors, missing = (
                    one[kept] for one in (spelling, start, errors, missing)
                )
        kept = np.flatnonzero(missing <= errors)
        return spelling[kept], start[kept]

    def _around(self, codes: NDArray[np.uint32], reach: int) -> Codes:
        """Gather the bits of the letters that stand up to 0, 1, ... `reach` letters away.

        Returns:
            Shape (reach + 1, letters and `_longest` beside them).
        """
        there = np.zeros((reach + 1, len(codes) + 2 * self._longest), np.uint64)
        there[0, self._longest : self._longest + len(codes)] = _bit(codes)
        for more in range(1, reach + 1):
            there[more] = there[more - 1]
            there[more, more:] |= there[0, :-more]
            there[more, :-more] |= there[0, more:]
        return there

    def _held(self, letters: str, spelling: Ints, start: Ints) -> list[Near]:
        """Hold spellings against the stretches that begin about there."""
        reach = self._errors[spelling]
        which = np.repeat(np.arange(len(spelling)), 2 * reach + 1)[:MAX_WINDOWS]
        first = np.cumsum(2 * reach + 1) - (2 * reach + 1)
        begins = start[which] - reach[which] + np.arange(len(which)) - first[which]
        owner = spelling[which]
        padded = f"{_PAD * 3 * self._longest}{letters}{_PAD * 3 * self._longest}"
        ends = begins + self._sizes[owner]
        shift = 3 * self._longest
        scores = (
            process.cpdist(
                [self._spellings[one] for one in owner.tolist()],
                [
                    padded[a:b]
                    for a, b in zip((begins + shift).tolist(), (ends + shift).tolist(), strict=True)
                ],
                scorer=fuzz.ratio,
                dtype=np.float64,
            )
            / 100
        )
        good = np.flatnonzero(scores >= self._thresholds[owner] - 1e-9)
        order = good[np.argsort(-scores[good], kind="stable")]
        return [Near(int(owner[i]), int(begins[i]), float(scores[i])) for i in order]


def _parts(spelling: int, letters: str, count: int) -> Iterable[_Part]:
    """Cut a spelling into parts that are as equal as can be."""
    cuts = [round(i * len(letters) / count) for i in range(count + 1)]
    for first, last in pairwise(cuts):
        yield _Part(spelling, first, letters[first:last])


class _Table:
    """Parts by the number of their first letters.

    Args:
        size: how many letters that are; every part has as many.
        parts: at least one.
    """

    def __init__(self, size: int, parts: Sequence[_Part]) -> None:
        self._size = size
        longest = max(len(one.letters) for one in parts)
        self._letters = np.zeros((len(parts), longest), np.uint64)
        for row, one in enumerate(parts):
            self._letters[row, : len(one.letters)] = [ord(letter) for letter in one.letters]
        numbers = _numbers(self._letters[:, :size])
        order = np.argsort(numbers, kind="stable")
        self._keys, starts = np.unique(numbers[order], return_index=True)
        self._starts = np.append(starts, len(parts))
        self._letters = self._letters[order]
        self._spelling = np.array([one.spelling for one in parts], np.intp)[order]
        self._offset = np.array([one.offset for one in parts], np.intp)[order]

    def find(self, codes: Codes) -> tuple[Ints, Ints]:
        """Give each spelling of which a part stands in a text, and where the spelling begins."""
        runs = (
            np.lib.stride_tricks.sliding_window_view(codes, self._size)
            if len(codes) >= self._size
            else np.zeros((0, self._size), np.uint64)
        )
        numbers = _numbers(runs)
        at = np.minimum(np.searchsorted(self._keys, numbers), len(self._keys) - 1)
        places = np.flatnonzero(self._keys[at] == numbers)
        keys = at[places]
        if len(places) > MAX_PLACES:
            places, keys = _first_of_each(places, keys)
        counts = self._starts[keys + 1] - self._starts[keys]
        begins = np.repeat(self._starts[keys] - np.cumsum(counts) + counts, counts)
        rows = begins + np.arange(len(begins))
        place = np.repeat(places, counts)
        for extra in range(self._size, self._letters.shape[1]):
            wanted = self._letters[rows, extra]
            there = codes[np.minimum(place + extra, len(codes) - 1)]
            whole = (wanted == 0) | ((there == wanted) & (place + extra < len(codes)))
            rows, place = rows[whole], place[whole]
        return self._spelling[rows], place - self._offset[rows]


def _bit(codes: NDArray[np.uint32]) -> Codes:
    """Give each letter one of 64 bits: a few share one."""
    bit: Codes = np.uint64(1) << (codes.astype(np.uint64) * np.uint64(37) % np.uint64(64))
    return bit


def _numbers(runs: Codes) -> Codes:
    """Give runs of letters, shape (n, size), a number each; equal ones have equal numbers."""
    numbers = np.zeros(len(runs), np.uint64)
    for column in range(runs.shape[1]):
        numbers = (numbers + runs[:, column]) * _PRIME
        numbers ^= numbers >> np.uint64(29)
    return numbers


def _first_of_each(places: Ints, keys: Ints) -> tuple[Ints, Ints]:
    """Keep the first `MAX_PLACES` places of each key."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    begins = np.searchsorted(ordered, ordered)
    kept = np.sort(order[np.arange(len(order)) - begins < MAX_PLACES])
    return places[kept], keys[kept]
