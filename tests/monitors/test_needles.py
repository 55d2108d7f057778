"""`monitors.needles`; how they find and what they leave, in `test_triaging`."""

import pytest

from monitors.keywords import read
from monitors.needles import MAX_TRIES, Needle


def needle(text: str) -> Needle:
    return Needle(read(text)[0], 1.0)


def test_a_needle_says_how_near_is_near() -> None:
    assert [needle(one).threshold for one in ("해치", "whale", "김민지", "whales", "해치공주")] == [
        0.0,
        0.0,
        0.86,
        0.86,
        0.82,
    ]


@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        ("해치", "나의 해 치", True),
        ("해치", "피해 치료", False),
        ("jane", "jane eyre", True),
        ("jane", "janet", False),
        ("해치공주", "피해 치공주님", True),
    ],
)
def test_a_short_keyword_across_a_gap_is_a_word_or_a_seam(
    keyword: str, text: str, expected: bool
) -> None:
    assert needle(keyword).is_in(read(text)[0]) is expected


def test_seams_without_end_count_as_one_hit() -> None:
    assert not needle("해치").is_in(read("피해 치료 " * (MAX_TRIES // 2))[0])
    assert needle("해치").is_in(read("피해 치료 " * (MAX_TRIES + 1))[0])
