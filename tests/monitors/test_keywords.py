"""`monitors.keywords`."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.keywords import (
    initials_of,
    mixed_with_initials,
    normalise,
    read,
    romanised,
    skeleton,
    typed_in_latin,
    typed_initials,
)

JAMO = st.text("ㄱㄲㄳㄴㅁㅅㅇㅋㅎㅏㅐㅗㅜㅠㅣ가각기 각.\u200b", max_size=12)


@given(st.text() | JAMO)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.text() | JAMO)
def test_skeletons_hold_no_gap_and_positions_follow_the_letters(text: str) -> None:
    for reading in read(text):
        assert " " not in reading.skeleton
        assert len(reading.letters) == len(reading.positions)
        assert reading.positions == sorted(set(reading.positions))


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("Blue Whale", "bluewhale"),
        ("ＢＬＵＥ　ｗｈａｌｅ", "bluewhale"),
        ("b\u200bl\u00adu\u2060e", "blue"),
        ("b̸l̴u̷ë", "blue"),
        ("Bløe Łódź", "bloelodz"),
        ("🅱lue 🇼hale ᴛᴜᴛ", "bluewhaletut"),
        ("ⓑⓛⓤⓔ", "blue"),
        ("Straße", "strasse"),
        ("b-l.u_e!", "blue"),
        ("bluuuue", "bluue"),
        ("해 치・공🐯주", "해치공주"),
        ("ㄱㅣㅁ", "김"),
        ("\uffa1\uffdc\uffb1", "김"),
        ("ᄒ\u1162치", "해치"),
        ("㉮㉯", "가나"),
        ("ㅋㅋㅋㅋㅋ", "ㅋㅋ"),
        ("해\u3164치", "해치"),
        ("٣ ３", "33"),
        ("", ""),
        ("🐯 !? \u0301\ud800\x00", ""),
    ],
)
def test_a_text_is_read_as_people_read_it(written: str, read_as: str) -> None:
    assert normalise(written) == read_as


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("댕댕이", "멍멍이"),
        ("띵작", "명작"),
        ("커엽다", "귀엽다"),
        ("괄도네넴띤", "팔도비빔면"),
        ("윾출", "유출"),
        ("유우우출", "유출"),
        ("해애치", "해치"),
        ("기ㅁ민지", "김민지"),
        ("김민지ㅋㅋㅠㅠ", "김민지"),
        ("フㅣㅁ", "김"),
        ("whаle", "whale"),
        ("ΒLUΕ", "blue"),
        ("b1ue", "blue"),
        ("wh4l3", "whale"),
        ("c00l", "cool"),
    ],
)
def test_lookalikes_share_a_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("해치", "해피"),
        ("우유", "우"),
        ("김민지", "김민주"),
        ("blue", "blur"),
        ("나아가", "나가요"),
    ],
)
def test_other_words_have_other_skeletons(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


def test_symbols_are_read_as_gaps_and_as_letters() -> None:
    assert [reading.skeleton for reading in read("wh@le")] == ["whie", "whaie"]
    assert len(read("a whale, he said")) == 1


@pytest.mark.parametrize(
    ("text", "initials"), [("해치공주", "ㅎㅊㄱㅈ"), ("해치", ""), ("해치 TV", ""), ("", "")]
)
def test_initials_are_looked_for_from_three_syllables(text: str, initials: str) -> None:
    assert initials_of(text) == initials


@pytest.mark.parametrize(("text", "typed"), [("ㅎㅊㄱㅈ", "ㅎㅊㄱㅈ"), ("ㅎㅊ주", ""), ("ㅎ", "")])
def test_a_keyword_of_initials_is_known(text: str, typed: str) -> None:
    assert typed_initials(text) == typed


def test_latin_spellings_too_short_to_mean_anything_are_left_out() -> None:
    assert romanised("이도") == typed_in_latin("이도") == []
    assert romanised("blue") == typed_in_latin("blue") == []
    assert romanised("해치공주") == ["haechigongju"]
    assert typed_in_latin("해치공주") == ["goclrhdwn"]


@pytest.mark.parametrize(
    ("text", "mixed"),
    [
        ("김 ㅁㅈ", "김ㅁㅈ"),
        ("김민지 ㅇㅅ", "김민지ㅇㅅ"),
        ("ㅁㅈ", ""),
        ("몰ㅋ", ""),
        ("김민지", ""),
    ],
)
def test_a_word_with_lone_consonants_for_syllables_is_known(text: str, mixed: str) -> None:
    assert mixed_with_initials(text) == mixed


@pytest.mark.parametrize("unit", ["\u0301\u0323", "ㄱ ", "해애에", "ﷺ", "\u202e", "ㅠ", "\ud800"])
def test_hostile_text_is_read_in_bounded_time(unit: str) -> None:
    started = time.perf_counter()
    read(unit * (100_000 // len(unit)))
    assert time.perf_counter() - started < 5
