"""Keywords of a case, and the skeleton in which they are looked for.

A text is read in three steps: `_spaced` (letters, folded, with gaps kept as single spaces),
`normalise` (without the gaps), `skeleton` (look-alikes folded too, repetitions collapsed).
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from monitors import hangul
from streams.types import CaseId, KeywordId

ROMANISED_SIMILARITY = 0.9
"""Of a keyword found in a Latin spelling of its Hangul: several words may share one."""

INITIALS_SIMILARITY = 0.5
"""Of a keyword found by its initials alone (ㅎㅊㄱㅈ): weak, many words share them."""

MIN_SPELLED = 5
"""Letters of a Latin spelling worth looking for: shorter ones are English words."""

MIN_INITIALS = 3
"""Initials worth looking for."""

MIN_LETTERS = 2
"""Letters of a keyword that is looked for at all: one letter is in every text."""

SHORTEST = 2
"""Syllables of a keyword up to which look-alike Hangul is not folded: 네네 is no 비비."""

_MAX_EXPANSION = 4
"""Letters that one character may turn into: a ligature of 18 would multiply hostile text."""

_MAX_TABLE = 20_000
"""Characters remembered: all of Hangul and Latin, and a bound on what hostile text can add."""

_FILLERS = "\u115f\u1160\u3164\uffa0"
_NAMED = re.compile(
    r"^(?:.* )?(?:LATIN (?:CAPITAL |SMALL )?LETTER|SYMBOL LETTER)(?: SMALL CAPITAL)? ([A-Z])"
    r"(?: WITH (?:.* )?STROKE)?$"
)
"""Letters that NFKD leaves alone: 🅐, 🇦, ᴀ, ø."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedKeyword:
    """One keyword of one case.

    Args:
        case: whose.
        keyword: which.
        text: as the officer typed it.
        added: spellings that an officer added, looked for as they are.
        off: generated spellings that an officer switched off.
    """

    case: CaseId
    keyword: KeywordId
    text: str
    added: tuple[str, ...] = ()
    off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read a text.

    Args:
        spaced: normalised letters, each gap a single space.
        letters: the skeleton's letters before repetitions are collapsed.
        skeleton: `letters`, repetitions and drawn-out vowels collapsed.
    """

    spaced: str
    letters: str
    skeleton: str

    @property
    def positions(self) -> Sequence[int]:
        """Where each of `letters` stands in `spaced`; of most texts nobody asks."""
        return _positions(self.spaced)


@lru_cache(maxsize=8)
def _positions(spaced: str) -> Sequence[int]:
    return [i for i, letter in enumerate(spaced) if letter != " " and not "ㄱ" <= letter <= "ㅣ"]


class _Letters(dict[int, str]):
    """A table for `str.translate` that learns what each character stands for.

    Args:
        shapes: characters that are read as others.
    """

    def __init__(self, shapes: Mapping[int, str]) -> None:
        super().__init__()
        self._shapes = shapes

    def __missing__(self, code: int) -> str:
        letters = _letters_of(self._shapes.get(code, chr(code)))[:_MAX_EXPANSION]
        if len(self) < _MAX_TABLE:
            self[code] = letters
        return letters


class _Same(dict[int, str]):
    """A table for `str.translate` that learns what it leaves alone: a miss costs much."""

    def __missing__(self, code: int) -> str:
        if len(self) < _MAX_TABLE:
            self[code] = chr(code)
        return chr(code)


def _letters_of(char: str) -> str:
    """Give the letters of a character: "" for what takes no room, " " for what parts letters."""
    if hangul.is_syllable(char) or "ㄱ" <= char <= "ㅣ":
        return char
    if char in _FILLERS:
        return ""
    name = unicodedata.name(char, "")
    if "HANGUL" in name:
        return _jamo_of(char, name)
    named = _NAMED.match(name)
    if named:
        return named[1].lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return "".join(map(_letter_of, folded))


def _jamo_of(char: str, name: str) -> str:
    if name.startswith("HALFWIDTH "):
        return unicodedata.lookup(name.removeprefix("HALFWIDTH "))
    if unicodedata.category(char) == "Lo":
        return char
    return "".join(map(_letter_of, unicodedata.normalize("NFKD", char)))


def _letter_of(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if unicodedata.combining(char) or category in {"Mn", "Me", "Cf", "Cn"}:
        return ""
    if category == "Cc":
        return " " if char.isspace() else ""
    if category[0] in "LNM" and not "\u02b9" <= char <= "\u02ff":
        return char
    return " "


def _folding(section: str) -> dict[int, str]:
    data: dict[str, str] = hangul.DATA[section]
    return {ord(shown): meant for meant, shapes in data.items() for shown in shapes}


_LETTERS = _Letters({})
_SHAPED = _Letters(_folding("letters"))
_SYMBOLS = _folding("symbols")
_JAMO_SHAPES = _folding("jamo")
_LOOKALIKES = _folding("digits") | hangul.lookalikes(
    hangul.DATA["syllables"]["with_finals"], hangul.DATA["syllables"]["whole"]
)


_FOLDED = _Same(_LOOKALIKES)


def _set(table: dict[int, str]) -> str:
    return "[" + re.escape("".join(map(chr, table))) + "]"


_SYMBOL = re.compile(rf"{_set(_SYMBOLS)}(?=\w)|(?<=\w){_set(_SYMBOLS)}")
_LAUGHTER = ("ㅋㅋ", "ㅎㅎ", "ㅠㅠ", "ㅜㅜ")
_BESIDE_JAMO = re.compile(
    rf"(?<=[{hangul.JAMO}]){''.join(f'(?<!{one})' for one in _LAUGHTER)}{_set(_JAMO_SHAPES)}"
    rf"|{_set(_JAMO_SHAPES)}(?=[{hangul.JAMO}])(?!{'|'.join(_LAUGHTER)})"
)
"""A letter beside laughter is itself: blㅋㅋue has no vowel in it."""
_DROPPED = re.compile(rf"[ {hangul.JAMO}]")
_REPEATED = re.compile(r"(.)\1+", re.DOTALL)
_THRICE = re.compile(r"(.)\1{2,}", re.DOTALL)
_DRAWN_OUT = re.compile(rf"([{hangul.FIRST}-{hangul.LAST}])([{hangul.ELONGATING}]+)")


def _spaced(text: str, letters: _Letters = _LETTERS) -> str:
    return hangul.compose(" ".join(text.translate(letters).split()))


def normalise(text: str) -> str:
    """Give the letters of a text as one reads them: folded, composed, without what parts them.

    Repetitions of three and more are cut to two. Idempotent.
    """
    return _THRICE.sub(r"\1\1", whole(text))


def whole(text: str) -> str:
    """Give the letters of a text, folded and composed, without what parts them."""
    joined = _spaced(text).replace(" ", "")
    return unicodedata.normalize("NFC", hangul.compose(joined))


def skeleton(text: str) -> str:
    """Give the form in which two spellings of one word are equal: look-alikes folded too."""
    return _read(text).skeleton


def read(text: str) -> tuple[Reading, ...]:
    """Read a text: as it stands and, where symbols may stand for letters, with them as letters."""
    if not _SYMBOL.search(text):
        return (_read(text),)
    return _read(text), _read(_SYMBOL.sub(lambda match: match[0].translate(_SYMBOLS), text))


def _read(text: str) -> Reading:
    if hangul.has_loose(text):
        text = _BESIDE_JAMO.sub(lambda match: match[0].translate(_JAMO_SHAPES), text)
    spaced = hangul.attach(_spaced(text, _SHAPED))
    letters = _DROPPED.sub("", spaced.translate(_FOLDED))
    return Reading(spaced=spaced, letters=letters, skeleton=collapse(letters))


def collapse(letters: str) -> str:
    """Collapse repeated letters and drawn-out vowels: 유우우출 to 유출, bluuue to blue."""
    return _DRAWN_OUT.sub(_undrawn, _REPEATED.sub(r"\1", letters))


def _undrawn(match: re.Match[str]) -> str:
    kept = match[1]
    for letter in match[2]:
        if letter != kept[-1] and letter not in hangul.elongations(kept[-1]):
            kept += letter
    return kept


def initials_of(text: str) -> str:
    """Give the initials to look for; empty where they are too few to mean anything."""
    letters = whole(text)
    if not all(map(hangul.is_syllable, letters)) or len(letters) < MIN_INITIALS:
        return ""
    return hangul.initials(letters)


def typed_initials(text: str) -> str:
    """Give a keyword that is nothing but initials (ㅎㅊㄱㅈ); empty where it is more."""
    letters = whole(text)
    return letters if len(letters) >= MIN_LETTERS and re.fullmatch("[ㄱ-ㅎ]+", letters) else ""


def mixed_with_initials(text: str) -> str:
    """Give a word in which lone consonants stand for syllables (김ㅁㅈ); empty where none do."""
    mixed = _spaced(text).replace(" ", "")
    lone = re.search("[ㄱ-ㅎ]", mixed) and not re.fullmatch("[ㄱ-ㅎ]+", mixed)
    return mixed if lone and len(mixed) > MIN_LETTERS and re.search("[^ㄱ-ㅣ]", mixed) else ""


def loose_initials(reading: Reading) -> set[str]:
    """Give the runs of lone consonants of a text, laughter at their end cut off."""
    runs = re.findall(r"[ㄱ-ㅎ](?: ?[ㄱ-ㅎ])*", reading.spaced)
    whole = {run.replace(" ", "") for run in runs}
    return whole | {run.rstrip("ㅋㅎ") for run in whole}


def romanised(text: str) -> list[str]:
    """Give the romanised spellings of a Hangul keyword."""
    letters = whole(text)
    return _latin(letters, hangul.romanise(letters))


def typed_in_latin(text: str) -> list[str]:
    """Give a Hangul keyword as it comes out with the keyboard's switch on Latin."""
    letters = whole(text)
    return _latin(letters, [hangul.spell(letters, "keyboard").lower()])


def _latin(letters: str, spelled: list[str]) -> list[str]:
    if not _is_hangul(letters):
        return []
    return [one for one in dict.fromkeys(spelled) if len(one) >= MIN_SPELLED]


def _is_hangul(letters: str) -> bool:
    return any(map(hangul.is_syllable, letters))
