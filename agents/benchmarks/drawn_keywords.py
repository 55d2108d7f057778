"""Keywords as cases have them, drawn, and the ways in which people write around them."""

import random
import unicodedata
from collections.abc import Callable, Mapping
from typing import TypeAlias

from monitors.keywords import WatchedKeyword
from monitors.spelling_changes import listed
from monitors.spellings import SpellingKind

FAMILY = "김이박최정강조윤장임한오서신권황안송류홍전고문양손배백허남심노하곽성차주우구민진"
GIVEN = (
    "민서지우하윤준도예은시아수현진영호성재경혜유나연주희정미선소빈원동건승태규훈찬혁석철상용기환"
)
WORDS = (
    "바다 여행 일기 사진 영상 직캠 방송 유출 화장실 교실 기숙사 대학교 고등 선배 후배 여친 몰카 "
    "단톡 스토리 풀버전 원본 링크 공유 교환 하늘 구름 산책 토끼 여우 고래 새벽 달빛 커피 빵집 치킨"
).split()
ENGLISH = (
    "blue whale green tiger tutorial river stone garden party secret story video clip stream dance "
    "model night coffee panda sunny cloud dream angel queen star moon"
).split()


def draw_keyword(draw: random.Random) -> str:
    """Draw a name, a name with a word, a phrase or a handle; none is anybody's in particular."""
    name = draw.choice(FAMILY) + "".join(draw.choices(GIVEN, k=2))
    kinds: tuple[Callable[[], str], ...] = (
        lambda: name,
        lambda: f"{name} {draw.choice(WORDS)}",
        lambda: " ".join(draw.sample(WORDS, draw.randint(2, 3))),
        lambda: "".join(draw.sample(ENGLISH, 2)) + str(draw.randint(1, 99)),
        lambda: " ".join(draw.sample(ENGLISH, 3)),
    )
    return draw.choices(kinds, weights=(35, 20, 25, 10, 10))[0]()


def _between(*marks: str) -> Callable[[str, random.Random], str]:
    return lambda word, draw: draw.choice(marks).join(word)


def _jamo(word: str, _draw: random.Random) -> str:
    """Write each syllable's letters side by side, as keyboards without composition do."""
    return "".join(_LOOSE.get(one, one) for one in unicodedata.normalize("NFD", word))


def _loose(first: str, code: int) -> dict[str, str]:
    return {chr(code + i): one for i, one in enumerate(first)}


_LOOSE = (
    _loose("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ", 0x1100)
    | _loose("ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ", 0x1161)
    | _loose("ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ", 0x11A8)
)
_NEIGHBOURS = {"ᅢ": "ᅦ", "ᅦ": "ᅢ", "ᅩ": "ᅭ", "ᅮ": "ᅲ", "ᅥ": "ᅧ", "ᅡ": "ᅣ", "ᄀ": "ᄁ", "ᄃ": "ᄄ",
               "ᄇ": "ᄈ", "ᄉ": "ᄊ", "ᄌ": "ᄍ", "ᄎ": "ᄌ", "ᅵ": "ᅴ"}  # fmt: skip


def _misspelt(word: str, draw: random.Random) -> str:
    """Write one vowel or consonant as its neighbour; in an alphabet, leave one letter out."""
    letters = list(unicodedata.normalize("NFD", word))
    places = [i for i, one in enumerate(letters) if one in _NEIGHBOURS]
    if places:
        place = draw.choice(places)
        letters[place] = _NEIGHBOURS[letters[place]]
    else:
        inside = [i for i in range(1, len(letters) - 1) if letters[i] != " "]
        del letters[draw.choice(inside)]
    return unicodedata.normalize("NFC", "".join(letters))


def _repeated(word: str, draw: random.Random) -> str:
    place = draw.randrange(len(word))
    return word[:place] + word[place] * draw.randint(2, 4) + word[place + 1 :]


_DIGITS = str.maketrans({"o": "0", "i": "1", "l": "1", "e": "3", "a": "4", "s": "5", "t": "7"})
_SHAPES = str.maketrans({"a": "а", "e": "е", "o": "о", "c": "с", "p": "р", "i": "і"})
_HANGUL_SHAPES = str.maketrans({"명": "띵", "귀": "커", "비": "네", "유": "윾", "대": "머"})

_SLANG: Mapping[str, tuple[str, ...]] = {
    "영상": ("0상", "ㅇㅅ", "영썅", "엉상"),
    "유출": ("ㅇㅊ", "유쥴", "윳출"),
    "몰카": ("ㅁㅋ", "몰캬", "뫌카"),
    "사진": ("ㅅㅈ", "샤진", "싸진"),
    "직캠": ("ㅈㅋ", "찍캠"),
    "단톡": ("ㄷㅌ", "단특"),
    "원본": ("ㅇㅂ", "원뽄"),
    "링크": ("ㄹㅋ", "륑크", "링끄"),
    "공유": ("ㄱㅇ", "공윾", "꽁유"),
    "교환": ("ㄱㅎ", "교횐"),
    "풀버전": ("풀버", "ㅍㅂㅈ", "풀벼전"),
    "화장실": ("ㅎㅈㅅ", "화쟝실"),
    "기숙사": ("긱사", "ㄱㅅㅅ"),
    "여친": ("ㅇㅊ", "여췬", "녀친"),
    "고등": ("고딩", "ㄱㄷ"),
    "video": ("vid", "v1deo", "vidio"),
}
"""Written without a look at `monitors/slang.toml`, which has some of it."""


def _slang(word: str, draw: random.Random) -> str:
    """Write one of its parts as such rooms do."""
    there = [one for one in _SLANG if one in word]
    if not there:
        return word
    meant = draw.choice(there)
    return word.replace(meant, draw.choice(_SLANG[meant]))


_TEXTS: Mapping[str, Callable[[str, random.Random], str]] = {
    "as it is": lambda word, _draw: word,
    "spaces left out": lambda word, _draw: word.replace(" ", ""),
    "spaced out": _between(" "),
    "punctuation": _between(".", "_", "-", "/", "~"),
    "invisible": _between("\u200b", "\u2060", "\ufeff"),
    "emoji between": _between("🔥", "🍑", "💧"),
    "jamo": _jamo,
    "combining marks": _between("\u0336", "\u0301"),
    "look-alikes": lambda word, _draw: word.translate(_DIGITS).translate(_HANGUL_SHAPES),
    "other alphabets": lambda word, _draw: word.translate(_SHAPES),
    "wide letters": lambda word, _draw: "".join(
        chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in word
    ),
    "repeated": _repeated,
    "laughter between": _between("ㅋㅋ", "ㅎㅎ", "ㅠㅠ"),
    "slang": _slang,
    "misspelt": _misspelt,
}

Disguise: TypeAlias = Callable[[WatchedKeyword, random.Random], str]


def _of_text(trick: Callable[[str, random.Random], str]) -> Disguise:
    return lambda watched, draw: trick(watched.text, draw)


TRICKS: Mapping[str, Disguise] = {name: _of_text(trick) for name, trick in _TEXTS.items()}
"""By name; what has none of the letters that a trick changes stays as it is."""


def draw_spelling(kind: SpellingKind) -> Disguise:
    """Give the disguise of writing a keyword as one of its spellings of a kind, if it has one."""

    def disguise(watched: WatchedKeyword, draw: random.Random) -> str:
        some = [one.spelling.text for one in listed(watched) if one.spelling.kind is kind]
        return draw.choice(some) if some else watched.text

    return disguise
