"""Post in, priority and keyword hits out."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from ahocorasick_rs import AhoCorasick

from agents.steps.near import NearIndex
from monitors import keywords
from monitors.keywords import Reading, WatchedKeyword
from monitors.needles import MixedNeedle, Needle
from monitors.spellings import in_force
from streams.types import KeywordHit, Post, Priority

MAX_TEXT = 100_000
"""Characters searched of a post's text, and again of its media's descriptions together."""

MAX_FUZZY = 100_000
"""Jamo and letters of one text in which near-matches are looked for: 40,000 syllables of Hangul.
Beyond it only exact ones are; the bound keeps the worst text below 0.5 s (docs/text.md)."""

MAX_NEAR_TRIES = 8
"""Implausible places of near-matches of one keyword in one text, after which it counts as none."""

NEAREST = 0.99
"""The most that a near-match counts for."""

URGENT_SIMILARITY = 0.8
"""From here on a hit makes a post urgent; initials alone (0.5) do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triaged:
    """What the text says about a post.

    Args:
        priority: urgent where a keyword was found.
        hits: the best of each keyword; evidence.
    """

    priority: Priority
    hits: tuple[KeywordHit, ...]


WatchedForm: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...]]
"""What tells how a keyword is looked for: its text, what was added to it, and what is off."""

_CONSONANT = re.compile("[ㄱ-ㅎ]")


@lru_cache(maxsize=400_000)
def _needle(text: str, similarity: float) -> Needle | MixedNeedle | None:
    """Make a spelling ready, or none of it; kept, since galleries change often."""
    if mixed := keywords.mixed_with_initials(text):
        return MixedNeedle(mixed, similarity)
    reading = keywords.read(text)[0]
    return Needle(reading, similarity) if len(reading.letters) >= keywords.MIN_LETTERS else None


@lru_cache(maxsize=100_000)
def _itself(text: str) -> Needle | None:
    """Make a keyword itself ready: lone consonants in it are read past."""
    reading = keywords.read(text)[0]
    return Needle(reading, 1.0) if len(reading.letters) >= keywords.MIN_LETTERS else None


class KeywordIndex:
    """Every keyword in force, made ready once for each version of the gallery. Immutable.

    Args:
        watched: keywords of cases that may lawfully be watched.
    """

    def __init__(self, watched: Sequence[WatchedKeyword]) -> None:
        self._watched = tuple(watched)
        self._initials: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        self._needles: list[tuple[Needle, list[int]]] = []
        self._near: list[tuple[Needle, list[int]]] = []
        self._mixed: defaultdict[str, list[tuple[MixedNeedle, list[int]]]] = defaultdict(list)
        for owners in _alike(self._watched):
            self._add(self._watched[owners[0]], owners)
        self._near_index = NearIndex(
            [one.jamo for one, _ in self._near], [one.threshold for one, _ in self._near]
        )
        shapes: defaultdict[str, list[int]] = defaultdict(list)
        for i, (needle, _) in enumerate(self._needles):
            for shape in {needle.letters, needle.skeleton}:
                shapes[shape].append(i)
        self._shaped = list(shapes.values())
        self._shapes = AhoCorasick(shapes)
        self._mixes = list(self._mixed.values())
        self._mixed_shapes = AhoCorasick(self._mixed)

    def of(self, watched: Sequence[WatchedKeyword]) -> "KeywordIndex":
        """Make an index of these keywords; this one where they are its own."""
        return self if self._watched == tuple(watched) else KeywordIndex(watched)

    def _add(self, keyword: WatchedKeyword, owners: list[int]) -> None:
        self._add_itself(keyword.text, owners)
        for own in in_force(keyword):
            if typed := keywords.typed_initials(own.text):
                self._initials[typed] += [(i, own.similarity) for i in owners]
                continue
            spelled = _needle(own.text, own.similarity)
            if isinstance(spelled, MixedNeedle):
                self._mixed[spelled.letters].append((spelled, owners))
            elif spelled:
                self._needles.append((spelled, owners))

    def _add_itself(self, text: str, owners: list[int]) -> None:
        if typed := keywords.typed_initials(text):
            self._initials[typed] += [(i, 1.0) for i in owners]
        if needle := _itself(text):
            self._needles.append((needle, owners))
            if needle.threshold:
                self._near.append((needle, owners))
        elif mixed := keywords.mixed_with_initials(text):  # 김ㅁㅈ: but one letter is no initial
            self._mixed[mixed].append((MixedNeedle(mixed, 1.0), owners))

    def __len__(self) -> int:
        return len(self._watched)

    def find(self, texts: Sequence[str]) -> tuple[KeywordHit, ...]:
        """Find keywords in the texts of one post: the best hit of each, in the keywords' order."""
        best: dict[int, float] = {}
        if self._watched:
            for text in texts:
                for reading in keywords.read(text):
                    self._search(reading, best)
        return tuple(
            KeywordHit(
                case=self._watched[i].case, keyword=self._watched[i].keyword, similarity=best[i]
            )
            for i in sorted(best)
        )

    def _search(self, reading: Reading, best: dict[int, float]) -> None:
        for needle, owners in self._standing(reading):
            if best.get(owners[0], 0.0) < needle.similarity and needle.is_in(reading):
                _raise(best, owners, needle.similarity)
        if _CONSONANT.search(reading.spaced):
            for initials in keywords.loose_initials(reading) & self._initials.keys():
                for i, similarity in self._initials[initials]:
                    _raise(best, [i], similarity)
            self._search_mixed(reading, best)
        self._search_near(reading, best)

    def _search_mixed(self, reading: Reading, best: dict[int, float]) -> None:
        joined = reading.spaced.replace(" ", "")
        found = self._mixed_shapes.find_matches_as_indexes(joined, overlapping=True)
        for needle, owners in (one for i in {i for i, _, _ in found} for one in self._mixes[i]):
            if best.get(owners[0], 0.0) < needle.similarity and needle.is_in(reading):
                _raise(best, owners, needle.similarity)

    def _standing(self, reading: Reading) -> list[tuple[Needle, list[int]]]:
        """Give the needles that may stand in a text as they are, but for repetitions."""
        found = {
            shape
            for letters in {reading.letters, reading.skeleton}
            for shape, _, _ in self._shapes.find_matches_as_indexes(letters, overlapping=True)
        }
        return [self._needles[i] for i in sorted({i for one in found for i in self._shaped[one]})]

    def _search_near(self, reading: Reading, best: dict[int, float]) -> None:
        jamo = unicodedata.normalize("NFD", reading.letters[:MAX_FUZZY])[:MAX_FUZZY]
        letters: _Letters | None = None
        seams: defaultdict[int, list[int]] = defaultdict(list)
        for found in self._near_index.search(jamo):
            needle, owners = self._near[found.spelling]
            similarity = min(found.similarity, NEAREST)
            if best.get(owners[0], 0.0) >= max(similarity, keywords.ROMANISED_SIMILARITY):
                continue
            known, size = seams[found.spelling], len(needle.jamo)
            if len(known) >= MAX_NEAR_TRIES or _lies_by(found.start, known, size // 2):
                continue
            letters = letters or _Letters(reading.letters, len(jamo))
            start, end = letters.around(found.start, found.start + size)
            if start < end and needle.is_plausible(reading, start, end):
                _raise(best, owners, similarity)
            else:
                known.append(found.start)


def _alike(watched: Sequence[WatchedKeyword]) -> Iterator[list[int]]:
    """Gather the places of keywords that are looked for alike."""
    alike: defaultdict[WatchedForm, list[int]] = defaultdict(list)
    for i, one in enumerate(watched):
        alike[one.text, one.added, one.off].append(i)
    yield from alike.values()


def _lies_by(start: int, seams: Sequence[int], reach: int) -> bool:
    """Tell whether a stretch is one that was seen to be a seam, a letter further or nearer."""
    return any(abs(start - one) <= reach for one in seams)


class _Letters:
    """Where each letter of a text begins in its jamo."""

    def __init__(self, letters: str, count: int) -> None:
        sizes = map(_size, letters[:count])
        self._of_jamo = [i for i, size in enumerate(sizes) for _ in range(size)][:count]

    def around(self, first: int, last: int) -> tuple[int, int]:
        """Give the letters, first and one past the last, that hold jamo `first` to `last`."""
        first, last = max(0, first), min(last, len(self._of_jamo))
        if first >= last:
            return 0, 0
        return self._of_jamo[first], self._of_jamo[last - 1] + 1


@lru_cache(maxsize=20_000)
def _size(letter: str) -> int:
    return len(unicodedata.normalize("NFD", letter))


def _raise(best: dict[int, float], owners: list[int], similarity: float) -> None:
    if similarity:
        best.update((i, similarity) for i in owners if similarity > best.get(i, 0.0))


def triage(post: Post, index: KeywordIndex) -> Triaged:
    """Search a post's text and its media's descriptions, and set its priority.

    The priority says how soon media are inspected, never whether.
    """
    hits = index.find(list(_texts(post)))
    urgent = post.urgent or any(hit.similarity >= URGENT_SIMILARITY for hit in hits)
    return Triaged(priority=Priority.URGENT if urgent else Priority.BULK, hits=hits)


def _texts(post: Post) -> Iterator[str]:
    if post.text:
        yield post.text[:MAX_TEXT]
    left = MAX_TEXT
    for item in post.media:
        if item.alt_text and left > 0:
            yield item.alt_text[:left]
            left -= len(item.alt_text)
