"""`monitors.spellings`; that what is listed is found, `tests.agents.steps.test_triaging` proves."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.hangul import SLANG
from monitors.keywords import WatchedKeyword, whole
from monitors.spellings import (
    MAX_OF_KIND,
    Found,
    Own,
    SpellingKind,
    in_force,
    is_searchable,
    spellings_of,
)
from streams.types import CaseId, KeywordId


def watched(text: str, *, added: tuple[str, ...] = (), off: tuple[str, ...] = ()) -> WatchedKeyword:
    return WatchedKeyword(case=CaseId("c"), keyword=KeywordId("k"), text=text, added=added, off=off)


def texts_of(keyword: str, kind: SpellingKind) -> list[str]:
    return [one.text for one in spellings_of(keyword) if one.kind is kind]


@pytest.mark.parametrize(
    ("keyword", "kind", "written"),
    [
        ("해치공주", SpellingKind.SPACED, "해.치.공.주"),
        ("해치공주", SpellingKind.JAMO, "ㅎㅐㅊㅣㄱㅗㅇㅈㅜ"),
        ("김민지", SpellingKind.JAMO, "기ㅁ민지"),
        ("해치공주", SpellingKind.INITIALS, "ㅎㅊㄱㅈ"),
        ("김민지", SpellingKind.INITIALS, "김ㅁㅈ"),
        ("멍멍이", SpellingKind.LOOKALIKE, "댕댕이"),
        ("Blue Whale", SpellingKind.LOOKALIKE, "8lu3wh4l3"),
        ("해치공주", SpellingKind.ROMANISED, "haechigongju"),
        ("김수현", SpellingKind.ROMANISED, "kimsoohyun"),
        ("해치공주", SpellingKind.KEYBOARD, "goclrhdwn"),
        ("유출", SpellingKind.REPEATED, "유유출출"),
        ("해치공주", SpellingKind.INSERTED, "해🔥치🔥공🔥주"),
        ("딥페이크", SpellingKind.SLANG, "뒵페"),
        ("김민지 영상", SpellingKind.SLANG, "김민지 ㅇㅅ"),
        ("바다 영상 유출", SpellingKind.SLANG, "바다 ㅇㅅ ㅇㅊ"),
        ("구매자", SpellingKind.SLANG, "9매자"),
        ("해치공주", SpellingKind.MISSPELT, "헤치공주"),
    ],
)
def test_every_kind_is_made(keyword: str, kind: SpellingKind, written: str) -> None:
    assert written in texts_of(keyword, kind)


def test_it_is_told_what_has_to_be_looked_for_by_itself() -> None:
    found = {one.text: one.found for one in spellings_of("해치공주")}
    assert found["해.치.공.주"] is Found.READ
    assert found["헤치공주"] is Found.NEAR
    assert found["ㅎㅊㄱㅈ"] is found["goclrhdwn"] is Found.OWN


@given(st.text(max_size=30) | st.text("해치공주김민지영상유출 bluewhale", max_size=30))
def test_the_list_is_bounded_without_repetition_and_the_same_every_time(text: str) -> None:
    listed = spellings_of(text)
    assert listed == spellings_of(text)
    assert len({one.text for one in listed}) == len(listed) <= 200
    assert max(Counter(one.kind for one in listed).values(), default=0) <= MAX_OF_KIND


@pytest.mark.parametrize("text", ["", " ", "🐯", "김", "a", "ㅠㅠ", "몰ㅋ"])
def test_a_keyword_that_cannot_be_looked_for_has_no_spellings(text: str) -> None:
    assert spellings_of(text) == ()
    assert not is_searchable(text)


def test_a_keyword_of_initials_is_spelled_one_way() -> None:
    assert [one.text for one in spellings_of("ㅎㅊㄱㅈ")] == ["ㅎㅊㄱㅈ"]


def test_what_an_officer_added_is_in_force_and_what_is_off_is_not() -> None:
    before = in_force(watched("해치공주"))
    assert Own("goclrhdwn", 0.9) in before
    assert Own("ㅎㅊㄱㅈ", 0.5) in before
    changed = in_force(watched("해치공주", added=("해치언니",), off=("GOCLRHDWN",)))
    assert set(changed) == {Own("해치언니", 1.0), *before} - {Own("goclrhdwn", 0.9)}


def test_slang_of_initials_alone_is_weak_evidence() -> None:
    assert {Own("ㅇㅊ", 0.5), Own("유춛", 0.9)} <= set(in_force(watched("유출")))


def test_short_slang_with_a_figure_is_left_out() -> None:
    assert "0상" not in texts_of("영상", SpellingKind.SLANG)


def test_slang_is_data_that_says_something_new() -> None:
    words = SLANG["words"]
    for word, others in words.items():
        assert len(set(others)) == len(others), word
        assert [one for one in others if whole(word) in whole(one)] == []
    assert all(len(meant) == 1 and figure.isdigit() for meant, figure in SLANG["numbers"].items())
