"""Hangul as uploaders take it apart: loose jamo, initials, Latin spellings.

The algebra of syllables is `unicodedata`'s (NFC and NFD); what it lacks stands here: the
compatibility jamo that keyboards give (U+3131-U+3163) carry no position in a syllable, so it never
composes a final from them.
"""

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path

DATA = tomllib.loads(Path(__file__).with_name("lookalikes.toml").read_text(encoding="utf-8"))
"""The substitutions and spellings of `lookalikes.toml`."""

SLANG = tomllib.loads(Path(__file__).with_name("slang.toml").read_text(encoding="utf-8"))
"""What people write in place of words, of `slang.toml`."""

FIRST, LAST = "가", "힣"


def _compatibility(conjoining: str) -> str:
    """Give the keyboard's jamo of a conjoining one; archaic ones stay as they are."""
    try:
        name = unicodedata.name(conjoining).split(" ", 2)[2]
        return unicodedata.lookup(f"HANGUL LETTER {name}")
    except (KeyError, ValueError, IndexError):
        return conjoining


INITIALS = "".join(_compatibility(chr(0x1100 + i)) for i in range(19))
VOWELS = "".join(_compatibility(chr(0x1161 + i)) for i in range(21))
FINALS = "".join(_compatibility(chr(0x11A8 + i)) for i in range(27))
JAMO = "ㄱ-ㅣ"
"""The compatibility jamo, as the inside of a regular expression's set."""

_KEYBOARD_JAMO = re.compile(f"[{JAMO}]")
_ANY_JAMO = re.compile(f"[{JAMO}\u1100-\u11ff]")

_LOOSE = {
    code: _compatibility(chr(code)) for code in (*range(0x1100, 0x1160), *range(0x1161, 0x1200))
}
_PAIRS = {
    "ㅗㅏ": "ㅘ", "ㅗㅐ": "ㅙ", "ㅗㅣ": "ㅚ", "ㅜㅓ": "ㅝ", "ㅜㅔ": "ㅞ", "ㅜㅣ": "ㅟ",
    "ㅡㅣ": "ㅢ", "ㄱㅅ": "ㄳ", "ㄴㅈ": "ㄵ", "ㄴㅎ": "ㄶ", "ㄹㄱ": "ㄺ", "ㄹㅁ": "ㄻ",
    "ㄹㅂ": "ㄼ", "ㄹㅅ": "ㄽ", "ㄹㅌ": "ㄾ", "ㄹㅍ": "ㄿ", "ㄹㅎ": "ㅀ", "ㅂㅅ": "ㅄ",
}  # fmt: skip
"""Two strokes of the keyboard that make one vowel or one final (KS X 5002)."""

_SPELLED = re.compile(
    rf"([{INITIALS}]) ?(?!([ㅠㅜ]) ?\2)([{VOWELS}])((?: ?[{VOWELS}])?)"
    rf"((?: ?[{FINALS}](?! ?[{VOWELS}])){{0,2}})"
)
"""A syllable spelled in jamo. ㅠㅠ and ㅜㅜ are tears, not vowels."""

_ATTACHED = re.compile(rf"([{FIRST}-{LAST}])([ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅌㅍ])(?=[{FIRST}-{LAST}])")
"""A final written beside its syllable: 기ㅁ민지. Not ㅋ and ㅎ, which laugh."""

_ELONGATIONS = {
    "아": "ㅏㅑㅘ", "어": "ㅓㅕㅝ", "오": "ㅗㅛ", "우": "ㅜㅠ", "으": "ㅡ", "이": "ㅣㅢㅟ",
    "애": "ㅐㅒㅙㅔㅖ", "에": "ㅔㅖㅞㅚㅐㅒ",
}  # fmt: skip
ELONGATING = "".join(_ELONGATIONS)
"""Syllables that may do no more than draw out the vowel before them: 유우출."""


def syllable(initial: int, vowel: int, final: int) -> str:
    """Make a syllable of indexes in `INITIALS`, `VOWELS` and, counted from 1, `FINALS`."""
    tail = chr(0x11A7 + final) if final else ""
    return unicodedata.normalize("NFC", chr(0x1100 + initial) + chr(0x1161 + vowel) + tail)


def is_syllable(letter: str) -> bool:
    """Tell whether it is a whole modern syllable."""
    return FIRST <= letter <= LAST


def compose(text: str) -> str:
    """Compose what is spelled in jamo, conjoining ones and keyboard ones: ㄱㅣㅁ, ㄱ ㅣ ㅁ to 김.

    Loose jamo become keyboard ones. Gaps in `text` are single spaces.
    """
    if text.isascii():
        return text
    whole = unicodedata.normalize("NFC", text)
    if not _ANY_JAMO.search(whole):
        return whole
    return _SPELLED.sub(_spelled, whole.translate(_LOOSE))


def _spelled(match: re.Match[str]) -> str:
    initial, _, vowel, second, tail = (part and part.replace(" ", "") for part in match.groups())
    if second:
        joined = _PAIRS.get(vowel + second)
        if joined is None:
            return syllable(INITIALS.index(initial), VOWELS.index(vowel), 0) + second + tail
        vowel = joined
    final, rest = (_PAIRS[tail], "") if tail in _PAIRS else (tail[:1], tail[1:])
    index = FINALS.index(final) + 1 if final else 0
    return syllable(INITIALS.index(initial), VOWELS.index(vowel), index) + rest


def attach(text: str) -> str:
    """Put a final that stands beside its open syllable where it belongs: 기ㅁ민지 to 김민지."""
    return _ATTACHED.sub(_attached, text) if has_loose(text) else text


def has_loose(text: str) -> bool:
    """Tell whether loose keyboard jamo stand in a text: most have none, and are soon read."""
    return not text.isascii() and _KEYBOARD_JAMO.search(text) is not None


def _attached(match: re.Match[str]) -> str:
    initial, vowel, final = parts(match[1])
    return match[0] if final else syllable(initial, vowel, FINALS.index(match[2]) + 1)


def parts(letter: str) -> tuple[int, int, int]:
    """Give a syllable's initial, vowel and final as indexes; final 0 is none."""
    codes = [ord(jamo) for jamo in unicodedata.normalize("NFD", letter)]
    return codes[0] - 0x1100, codes[1] - 0x1161, codes[2] - 0x11A7 if len(codes) > 2 else 0


@lru_cache(maxsize=20_000)
def elongations(letter: str) -> str:
    """Give the syllables that only draw out this open syllable's vowel; empty where none can."""
    if not is_syllable(letter):
        return ""
    _, vowel, final = parts(letter)
    if final:
        return ""
    return "".join(one for one, drawn in _ELONGATIONS.items() if VOWELS[vowel] in drawn)


def initials(text: str) -> str:
    """Give the initials (초성) of its syllables: 해치공주 to ㅎㅊㄱㅈ."""
    return "".join(INITIALS[parts(letter)[0]] for letter in text if is_syllable(letter))


def loose(text: str) -> str:
    """Take syllables apart into keyboard jamo: 김 to ㄱㅣㅁ."""
    return unicodedata.normalize("NFD", text).translate(_LOOSE)


def spell(text: str, alphabet: str) -> str:
    """Write syllables in Latin letters by `romanisation` or `keyboard`; the rest stays."""
    table = [
        ["" if one == "-" else one for one in DATA[alphabet][part].split()]
        for part in ("initials", "vowels", "finals")
    ]
    return "".join(
        "".join(row[i] for row, i in zip(table, parts(letter), strict=True))
        if is_syllable(letter)
        else letter
        for letter in text
    )


def romanise(text: str) -> list[str]:
    """Give the Latin spellings of a word: by the rule, then with the family name's own."""
    spelled = [spell(text, "romanisation")]
    if text[:1] in DATA["surnames"] and len(text) >= 3:
        family, passport = DATA["surnames"][text[0]], SLANG["passport"]
        for given in (
            spell(text[1:], "romanisation"),
            "".join(passport.get(one) or spell(one, "romanisation") for one in text[1:]),
        ):
            spelled += [family + given, given + family]
    return list(dict.fromkeys(spelled))


def lookalikes(pairs: Sequence[str], whole: Sequence[str]) -> dict[int, str]:
    """Expand pairs of look-alike syllables over every final, for `str.translate`."""
    table = {ord(pair[0]): pair[1] for pair in whole}
    for pair, final in product(pairs, range(28)):
        shown, meant = (syllable(*parts(one)[:2], final) for one in tuple(pair))
        table[ord(shown)] = meant
    return table
