"""`agents.benchmarks.drawn_keywords`: disguises are what their names say."""

import random

import pytest
from rapidfuzz.distance import Indel

from agents.benchmarks.drawn_keywords import TRICKS, draw_keyword, draw_spelling
from monitors.keywords import WatchedKeyword
from monitors.spellings import SpellingKind
from streams.types import CaseId, KeywordId


def watched(text: str, *added: str) -> WatchedKeyword:
    return WatchedKeyword(case=CaseId("c"), keyword=KeywordId("k"), text=text, added=added)


@pytest.mark.parametrize(
    ("trick", "expected"),
    [
        ("as it is", "비밀 song"),
        ("spaces left out", "비밀song"),
        ("jamo", "ㅂㅣㅁㅣㄹ song"),
        ("look-alikes", "네밀 50ng"),
        ("other alphabets", "비밀 sоng"),
        ("wide letters", "비밀 ｓｏｎｇ"),
    ],
)
def test_a_disguise(trick: str, expected: str) -> None:
    assert TRICKS[trick](watched("비밀 song"), random.Random(1)) == expected


@pytest.mark.parametrize("seed", range(20))
def test_a_misspelt_word_differs_by_one_letter(seed: int) -> None:
    draw = random.Random(seed)
    for word in ("해치공주", "blue whale"):
        misspelt = TRICKS["misspelt"](watched(word), draw)
        assert misspelt != word
        assert Indel.distance(misspelt, word) <= 2
    repeated = TRICKS["repeated"](watched("해치공주"), draw)
    assert len(set(repeated)) == 4 < len(repeated)


def test_keywords_are_drawn_anew_and_again() -> None:
    drawn = [draw_keyword(random.Random(seed)) for seed in range(300)]
    assert drawn == [draw_keyword(random.Random(seed)) for seed in range(300)]
    assert len(set(drawn)) > 250
    assert all(len(one.replace(" ", "")) >= 3 for one in drawn)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (SpellingKind.KEYBOARD, {"rlaalswldudtkd"}),
        (SpellingKind.ADDED, {"민지언니"}),
        (SpellingKind.SLANG, {"김민지 ㅇㅅ", "김민지 0상", "김민지 vid"}),
    ],
)
def test_a_spelling_of_a_kind_is_drawn(kind: SpellingKind, expected: set[str]) -> None:
    disguise, draw = draw_spelling(kind), random.Random(1)
    assert expected <= {disguise(watched("김민지 영상", "민지언니"), draw) for _ in range(50)}


def test_a_keyword_without_a_spelling_of_the_kind_stays_as_it_is() -> None:
    assert draw_spelling(SpellingKind.ADDED)(watched("해치공주"), random.Random(1)) == "해치공주"
