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

BESIDE = 6
"""Letters beside a part that are glanced at first."""

MAX_GLANCED = 24
"""Letters of a spelling that are glanced at before it is held against a stretch."""

AT_ONCE = 20_000
"""Stretches glanced at together: 4 MB of letters."""

MAYBE = 1 << 17
"""Slots of a table that tells at once of most runs of letters that they begin no part."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One of a spelling's parts.

    Args:
        spelling: whose.
        offset: from the spelling's beginning.
        letters: the part itself.
        errors: that the spelling may have.
        beside: letters of the spelling nearest to the part.
        away: how far from the part's beginning each of them stands.
    """

    spelling: int
    offset: int
    letters: str
    errors: int
    beside: str
    away: Sequence[int]


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
        self._reach = max(errors, default=0)
        self._bits = _bits(_codes_of([one[:MAX_GLANCED] for one in spellings]).T)
        parts = [
            part
            for i, (one, count) in enumerate(zip(spellings, errors, strict=True))
            for part in _parts(i, one, count)
        ]
        self._tables = [
            _Table(size, some, self._longest)
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
        (codes,) = _codes_of([letters])
        there = self._around(codes)
        found = [table.find(codes, there) for table in self._tables]
        spelling, start = (np.concatenate(one) for one in zip(*found, strict=True))
        spelling, start = self._glance(there, spelling, start)
        if not len(spelling):
            return []
        width = len(letters) + 2 * self._longest + 1  # a start may lie before the text
        pairs = np.unique(spelling * width + start + self._longest)
        return self._held(letters, pairs // width, pairs % width - self._longest)

    def _glance(self, there: Codes, spelling: Ints, start: Ints) -> tuple[Ints, Ints]:
        """Keep what has enough of its letters about where they should stand."""
        kept = []
        places = np.arange(len(self._bits))[:, None] + self._longest
        for first in range(0, len(spelling), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            errors = self._errors.take(spelling[some])
            wanted = self._bits.take(spelling[some], axis=1)
            at = start[some] + errors * there.shape[1] + places
            stands = (there.ravel().take(at) & wanted) == wanted
            enough = stands.sum(axis=0) >= len(stands) - errors
            kept.append(first + np.flatnonzero(enough))
        chosen = np.concatenate(kept) if kept else np.zeros(0, np.intp)
        return spelling[chosen], start[chosen]

    def _around(self, codes: Codes) -> Codes:
        """Gather the bits of the letters that stand up to 0, 1, ... letters away.

        Returns:
            Shape (most errors of any spelling + 1, letters and `_longest` beside them).
        """
        reach = self._reach
        there = np.zeros((reach + 1, len(codes) + 2 * self._longest), np.uint64)
        there[0, self._longest : self._longest + len(codes)] = _bits(codes)
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
        shift = 3 * self._longest
        padded = f"{_PAD * shift}{letters}{_PAD * shift}"
        ends = begins + self._sizes[owner]
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
        # Of stretches alike first the one that begins as the spelling does: a neighbour is a seam.
        begun = [padded[begins[i] + shift] != self._spellings[owner[i]][0] for i in good]
        order = good[np.lexsort((begun, -scores[good]))]
        return [Near(int(owner[i]), int(begins[i]), float(scores[i])) for i in order]


def _parts(spelling: int, letters: str, errors: int) -> Iterable[_Part]:
    """Cut a spelling into parts that are as equal as can be, one more than it may have errors."""
    cuts = [round(i * len(letters) / (errors + 1)) for i in range(errors + 2)]
    for first, last in pairwise(cuts):
        beside = [*range(last, len(letters)), *range(first - 1, -1, -1)]
        near = sorted(beside, key=lambda place: max(place - last, first - 1 - place))[:BESIDE]
        yield _Part(
            spelling=spelling,
            offset=first,
            letters=letters[first:last],
            errors=errors,
            beside="".join(letters[place] for place in near),
            away=[place - first for place in near],
        )


class _Table:
    """Parts by the number of their first letters.

    Args:
        size: how many letters that are; every part has as many.
        parts: at least one.
        margin: letters beside a text in what `find` is given of it.
    """

    def __init__(self, size: int, parts: Sequence[_Part], margin: int) -> None:
        self._size = size
        numbers = _numbers(_codes_of([one.letters for one in parts]).T[:size])
        order = np.argsort(numbers, kind="stable")
        self._keys, starts = np.unique(numbers[order], return_index=True)
        self._starts = np.append(starts, len(parts))
        self._maybe = np.zeros(MAYBE, np.bool_)
        self._maybe[_slots(self._keys)] = True
        ordered = [parts[i] for i in order]
        self._letters = np.ascontiguousarray(_codes_of([one.letters for one in ordered]).T)
        self._spelling, self._offset, self._errors = (
            np.array(one, np.intp)
            for one in zip(*((p.spelling, p.offset, p.errors) for p in ordered), strict=True)
        )
        self._beside = _bits(_codes_of([one.beside for one in ordered], BESIDE).T)
        self._away = np.full((BESIDE, len(parts)), margin, np.intp)
        for row, part in enumerate(ordered):
            self._away[: len(part.away), row] = [margin + one for one in part.away]

    def find(self, codes: Codes, there: Codes) -> tuple[Ints, Ints]:
        """Give each spelling of which a part stands in a text, and where the spelling begins.

        Args:
            codes: of the text's letters.
            there: see `NearIndex._around`.
        """
        numbers = _numbers(_runs(codes, self._size))
        places = self._maybe.take(_slots(numbers)).nonzero()[0]
        numbers = numbers.take(places)
        at = np.minimum(self._keys.searchsorted(numbers), len(self._keys) - 1)
        right = self._keys.take(at) == numbers
        places, keys = places[right], at[right]
        if len(places) > MAX_PLACES:
            places, keys = _first_of_each(places, keys)
        counts = self._starts.take(keys + 1) - self._starts.take(keys)
        begins = np.repeat(self._starts.take(keys) - np.cumsum(counts) + counts, counts)
        rows = begins + np.arange(len(begins))
        place = np.repeat(places, counts)
        for extra in range(self._size, len(self._letters)):
            wanted = self._letters[extra].take(rows)
            letter = codes.take(place + extra, mode="clip")
            whole = (wanted == 0) | ((letter == wanted) & (place + extra < len(codes)))
            rows, place = rows[whole], place[whole]
        kept = [
            self._glance(there, rows[first : first + AT_ONCE], place[first : first + AT_ONCE])
            for first in range(0, len(rows), AT_ONCE)
        ]
        if kept:
            rows, place = (np.concatenate(one) for one in zip(*kept, strict=True))
        return self._spelling.take(rows), place - self._offset.take(rows)

    def _glance(self, there: Codes, rows: Ints, place: Ints) -> tuple[Ints, Ints]:
        """Keep what has enough of the letters beside the part about where they should stand."""
        errors, wanted = self._errors.take(rows), self._beside.take(rows, axis=1)
        at = self._away.take(rows, axis=1) + (place + errors * there.shape[1])
        missing = ((there.ravel().take(at) & wanted) != wanted).sum(axis=0)
        kept = (missing <= errors).nonzero()[0]
        return rows.take(kept), place.take(kept)


def _codes_of(texts: Sequence[str], width: int | None = None) -> Codes:
    """Give texts' letters, shape (texts, longest or `width`), 0 behind the end of shorter ones."""
    size = max(map(len, texts), default=0) if width is None else width
    joined = "".join(one.ljust(size, _PAD) for one in texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    return codes.reshape(len(texts), size).astype(np.uint64)


_BIT_OF = np.uint64(1) << (np.arange(1 << 16, dtype=np.uint64) * np.uint64(37) % np.uint64(64))
_BIT_OF[0] = 0
"""Of a letter's last 16 bits: looked up, not reckoned."""


def _bits(codes: Codes) -> Codes:
    """Give each letter one of 64 bits, a few share one; none where there is no letter."""
    found: Codes = _BIT_OF.take((codes & np.uint64(len(_BIT_OF) - 1)).astype(np.intp))
    return found


def _runs(codes: Codes, size: int) -> Sequence[Codes]:
    """Give all runs of so many letters: their first letters, their second, and so on."""
    count = max(0, len(codes) - size + 1)
    return [codes[i : i + count] for i in range(size)]


def _numbers(runs: Sequence[Codes] | Codes) -> Codes:
    """Give each run a number; equal runs have equal ones."""
    numbers = np.zeros(len(runs[0]), np.uint64)
    for letters in runs:
        numbers = (numbers + letters) * _PRIME
        numbers ^= numbers >> np.uint64(29)
    return numbers


def _slots(numbers: Codes) -> Ints:
    return (numbers & np.uint64(MAYBE - 1)).astype(np.intp)


def _first_of_each(places: Ints, keys: Ints) -> tuple[Ints, Ints]:
    """Keep the first `MAX_PLACES` places of each key."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    begins = np.searchsorted(ordered, ordered)
    kept = np.sort(order[np.arange(len(order)) - begins < MAX_PLACES])
    return places[kept], keys[kept]
