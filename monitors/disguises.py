"""The ways in which people write around a search for a word, each as a list of examples.

What is found of them, and how, `monitors.spellings` tells.
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping

from monitors import hangul

MARKS = "._-~/*·,"
"""Put between letters."""

BETWEEN = ("\u200b", "\u2060", "🔥", "♡", "^", "ㅋㅋ", "\u0336", "][", ")(", " # ")
"""What is put in: invisible, pictures, laughter, strokes through the letters, brackets."""

MAX_PLACES = 6
"""Places at which one thing is shown: an officer reads the list."""

_FULL_WIDTH = 0xFEE0
_CIRCLED = 0x24D0
_FIRST_VOWEL, _FIRST_FINAL = 0x1161, 0x11A7

_INITIALS = ("ㄱㄲ", "ㄷㄸ", "ㅂㅃ", "ㅅㅆ", "ㅈㅉ", "ㅈㅊ", "ㄱㅋ", "ㄷㅌ", "ㅂㅍ")
_VOWELS = ("ㅐㅔ", "ㅒㅖ", "ㅖㅔ", "ㅙㅚ", "ㅚㅞ", "ㅗㅛ", "ㅜㅠ", "ㅏㅑ", "ㅓㅕ", "ㅢㅣ", "ㅡㅜ")
_FINALS = ("ㅅㅆ", "ㄱㄲ", "ㄴㅇ", "ㅅㄷ", "ㅁㅇ")
_LATIN = ("ae", "iy", "ou", "ck", "sz", "vw")
"""Neighbours: pairs that sound or are written alike."""


def spaced(text: str, letters: str) -> Iterator[str]:
    """Write a word with gaps that it has not, or without those that it has."""
    yield from (text, letters, " ".join(letters))
    for place in _places(1, len(letters)):
        yield f"{letters[:place]} {letters[place:]}"
    for mark in MARKS:
        yield mark.join(letters)


def inserted(letters: str) -> Iterator[str]:
    """Put signs between the letters, that one reads past."""
    for sign in BETWEEN:
        yield sign.join(letters)
    middle = (len(letters) + 1) // 2
    for sign in ("ㅋㅋ", "!!", "❤️"):
        yield f"{letters[:middle]}{sign}{letters[middle:]}"


def jamo(letters: str) -> Iterator[str]:
    """Take syllables apart."""
    if not any(map(hangul.is_syllable, letters)):
        return
    loose = hangul.loose(letters)
    yield from (loose, " ".join(loose))
    for place in _places(0, len(letters)):
        if hangul.is_syllable(letters[place]):
            yield letters[:place] + hangul.loose(letters[place]) + letters[place + 1 :]
    for place in _places(0, len(letters)):
        yield letters[:place] + _final_beside(letters[place]) + letters[place + 1 :]


def _final_beside(letter: str) -> str:
    if not hangul.is_syllable(letter):
        return letter
    initial, vowel, final = hangul.parts(letter)
    if not final:
        return letter
    return hangul.syllable(initial, vowel, 0) + hangul.FINALS[final - 1]


def lookalikes(letters: str) -> Iterator[str]:
    """Swap letters for others of their shape: all that can be, then each alone."""
    for table in _TABLES:
        yield letters.translate(table)
    loose = hangul.loose(letters)
    yield loose.translate(_table("jamo"))
    for table in _TABLES[:3]:
        for place in _places(0, len(letters)):
            yield letters[:place] + letters[place].translate(table) + letters[place + 1 :]


def repeated(letters: str) -> Iterator[str]:
    """Write letters more than once, and draw vowels out."""
    yield "".join(letter * 2 for letter in letters)
    yield letters + letters[-1] * 2
    for place in _places(0, len(letters)):
        yield letters[:place] + letters[place] * 3 + letters[place + 1 :]
    for place in _places(0, len(letters)):
        drawn = hangul.elongations(letters[place])[:1]
        yield letters[: place + 1] + drawn * 2 + letters[place + 1 :]


def misspelt(letters: str) -> Iterator[str]:
    """Write one sound as its neighbour."""
    decomposed = unicodedata.normalize("NFD", letters)
    for place, letter in enumerate(decomposed):
        for other in _NEIGHBOURS.get(letter, ""):
            changed = decomposed[:place] + other + decomposed[place + 1 :]
            yield unicodedata.normalize("NFC", changed)


def slang(text: str, letters: str) -> Iterator[str]:
    """Swap a word's parts for what people write in their place: each alone, then all."""
    words: Mapping[str, list[str]] = hangul.SLANG["words"]
    lower = text.casefold()
    base = lower if any(word in lower for word in words) else letters
    there = sorted((word for word in words if word in base), key=len, reverse=True)
    for word in there:
        for other in words[word]:
            yield base.replace(word, other)
    if len(there) > 1:
        for word in there:
            base = base.replace(word, words[word][0])
        yield base


def numbered(letters: str) -> Iterator[str]:
    """Write a syllable as the figure that is read so: 구매자 as 9매자."""
    numbers: Mapping[str, str] = hangul.SLANG["numbers"]
    if len(letters) < _MIN_NUMBERED:
        return
    for place in _places(0, len(letters)):
        if letters[place] in numbers:
            yield letters[:place] + numbers[letters[place]] + letters[place + 1 :]


_MIN_NUMBERED = 3
"""Letters of a word with a figure: 1기 is no 일기."""


def family_and_initials(text: str) -> str:
    """Give a full name as gossip writes it: 김ㅁㅈ; empty where it begins with no such name."""
    name, _, rest = text.partition(" ")
    known: Mapping[str, str] = hangul.DATA["surnames"]
    if len(name) != _FULL_NAME or name[0] not in known or not all(map(hangul.is_syllable, name)):
        return ""
    return f"{name[0]}{hangul.initials(name[1:])} {rest}".strip()


_FULL_NAME = 3
"""Syllables of nearly all Koreans' names."""


def _places(first: int, end: int) -> range:
    """Give the places to show: the first few."""
    return range(first, min(end, first + MAX_PLACES))


def _table(section: str) -> dict[int, str]:
    """Give each letter one of the shapes that are read as it."""
    data: Mapping[str, str] = hangul.DATA[section]
    return {ord(meant): shapes[0] for meant, shapes in data.items()}


def _shifted(by: int, letters: str) -> dict[int, str]:
    return {ord(one): chr(ord(one) + by) for one in letters}


def _swapped() -> dict[int, str]:
    syllables = hangul.DATA["syllables"]
    one_way = hangul.lookalikes(syllables["with_finals"], syllables["whole"])
    return {**{ord(meant): chr(shown) for shown, meant in one_way.items()}, **one_way}


_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_TABLES: tuple[dict[int, str], ...] = (
    _table("digits"),
    _swapped(),
    _table("letters"),
    _table("symbols"),
    _shifted(_FULL_WIDTH, _ALPHABET + "0123456789"),
    _shifted(_CIRCLED - ord("a"), _ALPHABET),
)


def _neighbours() -> dict[str, str]:
    found: dict[str, str] = {}
    sides: tuple[tuple[tuple[str, ...], Callable[[str], str]], ...] = (
        (_INITIALS, lambda one: chr(0x1100 + hangul.INITIALS.index(one))),
        (_VOWELS, lambda one: chr(_FIRST_VOWEL + hangul.VOWELS.index(one))),
        (_FINALS, lambda one: chr(_FIRST_FINAL + 1 + hangul.FINALS.index(one))),
        (_LATIN, lambda one: one),
    )
    for pairs, conjoining in sides:
        for one, other in (tuple(map(conjoining, pair)) for pair in pairs):
            found[one] = found.get(one, "") + other
            found[other] = found.get(other, "") + one
    return found


_NEIGHBOURS = _neighbours()
