"""`agents.benchmarks.drawn_keywords`: disguises are what their names say."""

import random

import pytest
from rapidfuzz.distance import Indel

from agents.benchmarks.drawn_keywords import TRICKS, draw_keyword


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
    assert TRICKS[trick]("비밀 song", random.Random(1)) == expected


@pytest.mark.parametrize("seed", range(20))
def test_a_misspelt_word_differs_by_one_letter(seed: int) -> None:
    draw = random.Random(seed)
    for word in ("해치공주", "blue whale"):
        misspelt = TRICKS["misspelt"](word, draw)
        assert misspelt != word
        assert Indel.distance(misspelt, word) <= 2
    repeated = TRICKS["repeated"]("해치공주", draw)
    assert len(set(repeated)) == 4 < len(repeated)


def test_keywords_are_drawn_anew_and_again() -> None:
    drawn = [draw_keyword(random.Random(seed)) for seed in range(300)]
    assert drawn == [draw_keyword(random.Random(seed)) for seed in range(300)]
    assert len(set(drawn)) > 250
    assert all(len(one.replace(" ", "")) >= 3 for one in drawn)
