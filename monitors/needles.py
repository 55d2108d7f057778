"""One spelling of a keyword, and when it is a hit and when the seam of two other words."""

import re
import unicodedata

from monitors import hangul, keywords
from monitors.keywords import Reading

MAX_TRIES = 500
"""Implausible places of one keyword in one text, after which they count as one hit: no honest
text holds so many, and looking at more would give hostile text our time."""

MAX_REPEATED = 20
"""Repetitions of a short keyword's first or last letter that are passed over: janeee."""

SHORT = 3
"""Weight of a keyword up to which a gap inside it must not be a gap between two other words."""

WORD = 2.5
"""Weight of a keyword in an alphabet up to which only whole words are hits: five letters."""


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
        self._pattern: re.Pattern[str] | None = None  # of most, none is ever needed
        self.threshold = _threshold(self.weight, alphabetic=self._alphabetic)

    def is_in(self, reading: Reading) -> bool:
        """Tell whether it stands in a text as it is, but for repetitions."""
        if self._pattern is None:
            self._pattern = re.compile(_repeatable(self.letters))
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

    def is_near(self, reading: Reading) -> bool:
        """Tell whether a text of as many letters has as many exchanged as a near-hit may have."""
        jamo = unicodedata.normalize("NFD", reading.letters)
        if len(jamo) != len(self.jamo) or not self.threshold:
            return False
        same = sum(one == other for one, other in zip(jamo, self.jamo, strict=True))
        return same >= self.threshold * len(jamo)

    def _differs(self, inside: str) -> bool:
        return keywords.collapse(_GAP.sub("", inside)) != keywords.collapse(self._literal)


class MixedNeedle:
    """A spelling in which lone consonants stand for syllables: 김ㅁㅈ, 김민지 ㅇㅅ.

    Args:
        letters: see `keywords.mixed_with_initials`.
        similarity: of a hit.
    """

    __slots__ = ("_pattern", "letters", "similarity")

    def __init__(self, letters: str, similarity: float) -> None:
        self.letters = letters
        self.similarity = similarity
        self._pattern: re.Pattern[str] | None = None

    def is_in(self, reading: Reading) -> bool:
        """Tell whether it stands in a text: its lone consonants are no part of other runs."""
        if self._pattern is None:
            self._pattern = re.compile(_between_words(self.letters))
        return self._pattern.search(reading.spaced) is not None


def _between_words(letters: str) -> str:
    """Write a pattern of a spelling that begins where a word begins, laughter behind it aside."""
    first = kind(letters[0])
    begins = rf"(?<![{_RUNS[first]}])" if first in _RUNS else r"(?<!\w)"
    ends = rf" ?[{_LAUGHTER}]*+(?![{hangul.JAMO}])" if kind(letters[-1]) == "j" else ""
    return begins + " ?".join(map(re.escape, letters)) + ends


_RUNS = {"h": f"{hangul.FIRST}-{hangul.LAST}", "j": hangul.JAMO}
_LAUGHTER = "ㅋㅎㅠㅜ"
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
