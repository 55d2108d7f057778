"""`monitors.disguises`; that they are found, `tests.agents.steps.test_triaging` proves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors import disguises


@given(st.text(min_size=1, max_size=12))
def test_any_letters_can_be_disguised(letters: str) -> None:
    for ways in (
        disguises.spaced(letters, letters),
        disguises.inserted(letters),
        disguises.jamo(letters),
        disguises.lookalikes(letters),
        disguises.repeated(letters),
        disguises.misspelt(letters),
        disguises.slang(letters, letters),
        disguises.numbered(letters),
    ):
        assert len(list(ways)) < 200


def test_words_of_slang_are_swapped_each_alone_and_all_together() -> None:
    written = list(disguises.slang("바다 영상 유출", "바다영상유출"))
    assert {"바다 ㅇㅅ 유출", "바다 영상 ㅇㅊ", "바다 ㅇㅅ ㅇㅊ"} <= set(written)


def test_slang_is_found_across_a_gap_too() -> None:
    assert "ㄷㅍ" in disguises.slang("딥 페이크", "딥페이크")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("김민지", "김ㅁㅈ"),
        ("김민지 영상", "김ㅁㅈ 영상"),
        ("해치공주", ""),
        ("해치야", ""),
        ("", ""),
    ],
)
def test_full_names_are_written_with_initials_behind_the_family_name(
    text: str, written: str
) -> None:
    assert disguises.family_and_initials(text) == written


def test_one_sound_is_written_as_its_neighbour() -> None:
    assert {"헤치", "해지"} <= set(disguises.misspelt("해치"))
    assert "whele" in disguises.misspelt("whale")
