"""The spellings of a keyword: what an officer is shown, and what is looked for beside the keyword.

Most ways to write around a search are undone by the way in which a text is read; what is not is
looked for as a word of its own: initials, Latin letters, slang, and what an officer adds.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from monitors import disguises, keywords
from monitors.keywords import WatchedKeyword
from monitors.needles import Needle

SLANG_SIMILARITY = 0.9
"""Of a keyword found in slang: the same word to who writes it, now and then another to others."""

ADDED_SIMILARITY = 1.0
"""Of a spelling that an officer added: it is meant."""

MAX_OF_KIND = 20
"""Spellings of one kind that are made; ten kinds make 200, which is what an officer can look
through."""

_MIN_WITH_FIGURES = 3
"""Letters of slang with a figure in it: 0상 alone is in 20상자."""


class SpellingKind(StrEnum):
    """How a spelling differs from its keyword."""

    SPACED = "spaced"
    JAMO = "jamo"
    INITIALS = "initials"
    LOOKALIKE = "lookalike"
    ROMANISED = "romanised"
    KEYBOARD = "keyboard"
    REPEATED = "repeated"
    INSERTED = "inserted"
    SLANG = "slang"
    MISSPELT = "misspelt"
    ADDED = "added"


class Found(StrEnum):
    """How a spelling is found: by the way in which texts are read, as a near-hit, or by itself."""

    READ = "read"
    NEAR = "near"
    OWN = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """One way to write a keyword.

    Args:
        text: the spelling.
        kind: how it differs.
        found: how it is found; only what is found by itself can be switched off.
    """

    text: str
    kind: SpellingKind
    found: Found


@dataclass(frozen=True, slots=True)
class Own:
    """A spelling that is looked for by itself.

    Args:
        text: the spelling.
        similarity: of a keyword that was found by it.
    """

    text: str
    similarity: float


def spellings_of(text: str) -> tuple[Spelling, ...]:
    """Give the spellings of a keyword, itself first; none where it cannot be looked for.

    The list is the same every time, holds nothing twice, and has `MAX_OF_KIND` of a kind at most.
    """
    word, letters = text.strip(), keywords.whole(text)
    if keywords.typed_initials(text):
        return (Spelling(text=word, kind=SpellingKind.SPACED, found=Found.READ),)
    if not is_searchable(text):
        return ()
    known: dict[str, Spelling] = {}
    needle = Needle(keywords.read(text)[0], 1.0)
    for kind, written in _written(word, letters):
        some = [
            Spelling(text=one, kind=kind, found=found)
            for one in dict.fromkeys(written)
            if one not in known and (found := _found(needle, one, kind))
        ]
        known.update((one.text, one) for one in some[:MAX_OF_KIND])
    return tuple(known.values())


def _written(word: str, letters: str) -> Iterator[tuple[SpellingKind, Iterable[str]]]:
    yield SpellingKind.SPACED, disguises.spaced(word, letters)
    yield from _generated(word)
    yield SpellingKind.JAMO, disguises.jamo(letters)
    yield SpellingKind.LOOKALIKE, disguises.lookalikes(letters)
    yield SpellingKind.REPEATED, disguises.repeated(letters)
    yield SpellingKind.INSERTED, disguises.inserted(letters)
    yield SpellingKind.MISSPELT, disguises.misspelt(letters)


def _found(needle: Needle, text: str, kind: SpellingKind) -> Found | None:
    """Tell how a spelling is found; None: not at all."""
    if any(needle.is_in(reading) for reading in keywords.read(text)):
        return Found.READ
    if kind in _OWN_KINDS:
        return Found.OWN
    if kind is SpellingKind.MISSPELT and needle.is_near(keywords.read(text)[0]):
        return Found.NEAR
    return None


_OWN_KINDS = frozenset(
    {SpellingKind.INITIALS, SpellingKind.ROMANISED, SpellingKind.KEYBOARD, SpellingKind.SLANG}
)


@lru_cache(maxsize=100_000)
def _generated(text: str) -> tuple[tuple[SpellingKind, tuple[str, ...]], ...]:
    """Give the spellings that may have to be looked for by themselves, by kind."""
    word, letters = text.strip(), keywords.whole(text)
    initials = (keywords.initials_of(word), disguises.family_and_initials(word))
    slang = (*disguises.slang(word, letters), *disguises.numbered(letters))
    made: tuple[tuple[SpellingKind, Iterable[str]], ...] = (
        (SpellingKind.INITIALS, initials),
        (SpellingKind.ROMANISED, keywords.romanised(word)),
        (SpellingKind.KEYBOARD, keywords.typed_in_latin(word)),
        (SpellingKind.SLANG, slang),
    )
    return tuple(
        (kind, tuple(one for one in _differing(texts) if _is_own(one, kind))[:MAX_OF_KIND])
        for kind, texts in made
    )


def _differing(texts: Iterable[str]) -> Iterable[str]:
    """Leave out what differs from an earlier one in its gaps alone."""
    known: dict[str, str] = {}
    for text in texts:
        known.setdefault(same_spelling(text).replace(" ", ""), text)
    return known.values()


def _is_own(text: str, kind: SpellingKind) -> bool:
    """Tell whether a spelling can be looked for without hitting everybody."""
    if kind is SpellingKind.SLANG and any(map(str.isdigit, text)):
        return len(keywords.read(text)[0].letters) >= _MIN_WITH_FIGURES
    return is_searchable(text)


def is_searchable(text: str) -> bool:
    """Tell whether a word has enough letters to be looked for."""
    return bool(
        keywords.typed_initials(text)
        or keywords.mixed_with_initials(text)
        or len(keywords.read(text)[0].letters) >= keywords.MIN_LETTERS
    )


def in_force(watched: WatchedKeyword) -> tuple[Own, ...]:
    """Give what is looked for beside a keyword: generated and added, but what is switched off."""
    if not watched.added and not watched.off:
        return _own(watched.text)
    off = set(map(same_spelling, watched.off))
    added = (Own(one, ADDED_SIMILARITY) for one in watched.added)
    return (
        *added,
        *(one for one in _own(watched.text) if same_spelling(one.text) not in off),
    )


@lru_cache(maxsize=100_000)
def _own(text: str) -> tuple[Own, ...]:
    return tuple(
        Own(one, _similarity(kind, one)) for kind, texts in _generated(text) for one in texts
    )


def _similarity(kind: SpellingKind, text: str) -> float:
    if kind is SpellingKind.INITIALS or keywords.typed_initials(text):
        return keywords.INITIALS_SIMILARITY
    return SLANG_SIMILARITY if kind is SpellingKind.SLANG else keywords.ROMANISED_SIMILARITY


def same_spelling(text: str) -> str:
    """Give what two spellings share that an officer takes for one."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
