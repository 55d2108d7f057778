"""Post in, priority and keyword hits out."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from monitors import hangul, keywords
from monitors.keywords import Reading, WatchedKeyword
from streams.types import KeywordHit, Post, Priority

MAX_TEXT = 100_000
"""Characters searched of a post's text, and again of its media's descriptions together."""

MAX_FUZZY = 100_000
"""Jamo and letters of one text in which near-matches are looked for: 40,000 syllables of Hangul.
Beyond it only exact ones are; the bound keeps the worst text below 0.5 s (docs/text.md)."""

MAX_TRIES = 500
"""Implausible places of one keyword in one text, after which they count as one hit: no honest
text holds so many, and looking at more would give hostile text our time."""

MAX_NEAR_TRIES = 8
"""Likewise for near-matches, after which the text counts as none."""

NEAREST = 0.99
"""The most that a near-match counts for."""

MAX_REPEATED = 20
"""Repetitions of a short keyword's first or last letter that are passed over: janeee."""

URGENT_SIMILARITY = 0.8
"""From here on a hit makes a post urgent; initials alone (0.5) do not."""

SHORT = 3
"""Weight of a keyword up to which a gap inside it must not be a gap between two other words."""

WORD = 2.5
"""Weight of a keyword in an alphabet up to which only whole words are hits: five letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triaged:
    """What the text says about a post.

    Args:
        priority: urgent where a keyword was found.
        hits: the best of each keyword; evidence.
    """

    priority: Priority
    hits: tuple[KeywordHit, ...]


class Needle:
    """One spelling of a keyword, made ready to be looked for.

    Args:
        reading: of the spelling.
        similarity: of an exact hit.
    """

    __slots__ = ("_alphabetic", "_gaps", "_literal", "_pattern", "jamo", "letters", "similarity",
                 "skeleton", "threshold", "weight")  # fmt: skip

    def __init__(self, reading: Reading, similarity: float) -> None:
        self.letters = reading.letters
        self.skeleton = reading.skeleton
        self.similarity = similarity
        self.jamo = unicodedata.normalize("NFD", self.letters)
        self._alphabetic = all(kind(letter) in "ad" for letter in self.letters)
        self.weight = len(self.letters) * (0.5 if self._alphabetic else 1)
        short = self.weight <= keywords.SHORTEST and not self._alphabetic
        self._literal = _GAP.sub("", reading.spaced) if short else ""
        self._gaps = len(_GAP.findall(reading.spaced))
        self._pattern = re.compile(_repeatable(self.letters))
        self.threshold = _threshold(self.weight, alphabetic=self._alphabetic)

    def is_in(self, reading: Reading) -> bool:
        """Tell whether it stands in a text as it is, but for repetitions."""
        if self.skeleton not in reading.skeleton and self.letters not in reading.letters:
            return False
        tries = 0
        match = self._pattern.search(reading.letters)
        while match:
            if tries >= MAX_TRIES or self.is_plausible(reading, match.start(), match.end()):
                return True
            tries += 1
            match = self._pattern.search(reading.letters, match.start() + 1)
        return False

    def is_plausible(self, reading: Reading, start: int, end: int) -> bool:
        """Tell whether letters `start` to `end` are a word, not the seam of two others.

        Long keywords always are. Short ones may have gaps inside, but then must begin where a word
        begins (피해 치료 holds no 해치); in an alphabet they must end where one ends, too.
        """
        first, last = reading.positions[start], reading.positions[end - 1]
        inside = reading.spaced[first : last + 1]
        if self._literal and self._differs(inside):
            return False
        gaps = len(_GAP.findall(inside))
        if self._alphabetic and self.weight <= WORD:
            spelled_out = gaps in {0, self._gaps, end - start - 1}
            return spelled_out and _begins(reading.spaced, first) and _ends(reading.spaced, last)
        if not gaps or self.weight > SHORT:
            return True
        return _begins(reading.spaced, first) and (
            not self._alphabetic or _ends(reading.spaced, last)
        )

    def _differs(self, inside: str) -> bool:
        return keywords.collapse(_GAP.sub("", inside)) != keywords.collapse(self._literal)

    def similarity_in(self, reading: Reading, jamo: str, alphabet: set[str]) -> float:
        """Give the similarity of the nearest plausible stretch; 0 below the threshold.

        Args:
            reading: of the text.
            jamo: its letters, decomposed, as far as near-matches are looked for.
            alphabet: the set of `jamo`, made once.
        """
        if not self.threshold or self._is_out_of_reach(alphabet):
            return 0.0
        cutoff = 100 * self.threshold
        size, offset = len(self.jamo), 0
        padded = f"{_PAD * size}{jamo}{_PAD * size}"
        for _ in range(MAX_NEAR_TRIES):
            found = fuzz.partial_ratio_alignment(self.jamo, padded[offset:], score_cutoff=cutoff)
            if found is None:
                break
            first = offset + found.dest_start - size
            start = max(0, _letters_in(jamo[: max(first, 0) + 1]) - 1)
            end = min(len(reading.letters), _letters_in(jamo[: first + size]))
            if start < end and self.is_plausible(reading, start, end):
                return min(found.score / 100, NEAREST)
            offset += found.dest_start + 1
        return 0.0

    def _is_out_of_reach(self, alphabet: set[str]) -> bool:
        """Tell cheaply that no stretch can be near enough: too few of its letters occur."""
        present = sum(map(alphabet.__contains__, self.jamo))
        return present < self.threshold * len(self.jamo)


_PAD = "\0"
"""Stands around a text, so that a stretch at its edge is held against all of a keyword."""

_GAP = re.compile(rf"[ {hangul.JAMO}]+")


def kind(letter: str) -> str:
    """Sort a letter: Hangul, loose jamo, digit, alphabet (has case), other script, gap."""
    if hangul.is_syllable(letter):
        return "h"
    if "ㄱ" <= letter <= "ㅣ":
        return "j"
    if letter.isdigit():
        return "d"
    if letter == " ":
        return " "
    return "a" if letter.islower() or letter.isupper() else "o"


def _begins(spaced: str, first: int) -> bool:
    """Tell whether a word begins there, repetitions of its first letter aside."""
    for i in range(first, max(-1, first - MAX_REPEATED), -1):
        if i == 0 or kind(spaced[i - 1]) != kind(spaced[i]):
            return True
        if spaced[i - 1] != spaced[first]:
            break
    return False


def _ends(spaced: str, last: int) -> bool:
    """Tell whether a word ends there, repetitions of its last letter aside."""
    for i in range(last, min(len(spaced), last + MAX_REPEATED)):
        if i + 1 == len(spaced) or kind(spaced[i + 1]) != kind(spaced[i]):
            return True
        if spaced[i + 1] != spaced[last]:
            break
    return False


def _repeatable(letters: str) -> str:
    """Write a pattern in which each letter but the first and last may be repeated or drawn out."""
    runs = [match[0] for match in re.finditer(r"(.)\1*", letters, re.DOTALL)]
    pattern = ""
    for i, run in enumerate(runs):
        most = f"{len(run)}" if i in {0, len(runs) - 1} else f"{len(run)},"
        following = runs[i + 1][0] if i + 1 < len(runs) else ""
        drawn = "".join(one for one in hangul.elongations(run[0]) if one not in following + run[0])
        pattern += f"{re.escape(run[0])}{{{most}}}"
        pattern += f"[{drawn}]{{0,20}}" if drawn and following else ""
    return pattern


def _threshold(weight: float, *, alphabetic: bool) -> float:
    """Give the similarity a near-match needs; 0 where none is looked for.

    Up to two syllables or five letters every neighbour is another word. From there on: one jamo of
    eight may differ, or one letter of eight (0.86); two jamo of twelve from four syllables (0.82).
    """
    if weight < SHORT:
        return 0.0
    return 0.82 if weight > SHORT and not alphabetic else 0.86


def _letters_in(jamo: str) -> int:
    """Count the letters that a decomposed text holds, one begun at its end included."""
    return len(unicodedata.normalize("NFC", jamo))


class KeywordIndex:
    """Every keyword in force, made ready once for each version of the gallery. Immutable.

    Args:
        watched: keywords of cases that may lawfully be watched.
    """

    def __init__(self, watched: Sequence[WatchedKeyword]) -> None:
        self._watched = tuple(watched)
        self._exact: dict[Needle, list[int]] = {}
        self._near: dict[Needle, list[int]] = {}
        self._initials: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        by_text: defaultdict[str, list[int]] = defaultdict(list)
        for i, keyword in enumerate(self._watched):
            by_text[keyword.text].append(i)
        for text, owners in by_text.items():
            self._add(text, owners)

    def _add(self, text: str, owners: list[int]) -> None:
        reading = keywords.read(text)[0]
        if typed := keywords.typed_initials(text):
            self._initials[typed] += [(i, 1.0) for i in owners]
        if initials := keywords.initials_of(text):
            self._initials[initials] += [(i, keywords.INITIALS_SIMILARITY) for i in owners]
        if len(reading.letters) < keywords.MIN_LETTERS:
            return
        needle = Needle(reading, 1.0)
        self._exact[needle] = owners
        if needle.threshold:
            self._near[needle] = owners
        for spelling in keywords.latin_spellings(text):
            spelled = keywords.read(spelling)[0]
            self._exact[Needle(spelled, keywords.ROMANISED_SIMILARITY)] = owners

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
        for needle, owners in self._exact.items():
            if best.get(owners[0], 0.0) < needle.similarity and needle.is_in(reading):
                _raise(best, owners, needle.similarity)
        if any("ㄱ" <= letter <= "ㅎ" for letter in reading.spaced):
            for initials in keywords.loose_initials(reading) & self._initials.keys():
                for i, similarity in self._initials[initials]:
                    _raise(best, [i], similarity)
        jamo = unicodedata.normalize("NFD", reading.letters[:MAX_FUZZY])[:MAX_FUZZY]
        alphabet = set(jamo)
        for needle, owners in self._near.items():
            if best.get(owners[0], 0.0) < keywords.ROMANISED_SIMILARITY:
                _raise(best, owners, needle.similarity_in(reading, jamo, alphabet))


def _raise(best: dict[int, float], owners: list[int], similarity: float) -> None:
    if similarity:
        best.update((i, similarity) for i in owners if similarity > best.get(i, 0.0))


def triage(post: Post, index: KeywordIndex) -> Triaged:
    """Search a post's text and its media's descriptions, and set its priority.

    The priority says how soon media are inspected, never whether.
    """
    hits = index.find(list(_texts(post)))
    urgent = any(hit.similarity >= URGENT_SIMILARITY for hit in hits)
    return Triaged(priority=Priority.URGENT if urgent else Priority.BULK, hits=hits)


def _texts(post: Post) -> Iterator[str]:
    if post.text:
        yield post.text[:MAX_TEXT]
    left = MAX_TEXT
    for item in post.media:
        if item.alt_text and left > 0:
            yield item.alt_text[:left]
            left -= len(item.alt_text)
