"""`monitors.hangul`."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors import hangul

SYLLABLES = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)


@given(SYLLABLES)
def test_a_syllable_of_its_parts_is_itself(letter: str) -> None:
    assert hangul.syllable(*hangul.parts(letter)) == letter


@given(SYLLABLES)
def test_a_syllable_taken_apart_composes_again(letter: str) -> None:
    assert hangul.compose(hangul.loose(letter)) == letter
    assert hangul.compose(" ".join(hangul.loose(letter))) == letter


@given(st.text(SYLLABLES))
def test_decomposed_text_composes_as_unicode_says(text: str) -> None:
    assert hangul.compose(unicodedata.normalize("NFD", text)) == text


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("ㄱㅣㅁㅁㅣㄴㅈㅣ", "김민지"),
        ("ㄱ ㅣ ㅁ", "김"),
        ("ㄷㅏㄹㄱ", "닭"),
        ("ㄷㅏㄺ", "닭"),
        ("ㄷㅏㄹㄱㅣ", "달기"),
        ("ㄱㅗㅏㄴ", "관"),
        ("ㄱㅗㅓ", "고ㅓ"),
        ("ㅎㅐㅊㅣㄱㅗㅇㅈㅜ", "해치공주"),
        ("해치ㅋㅋㅋ", "해치ㅋㅋㅋ"),
        ("ㅇㅇ ㅠㅠ", "ㅇㅇ ㅠㅠ"),
        ("ᄒ ᅢ", "해"),
    ],
)
def test_jamo_that_spell_a_syllable_compose_and_others_stay(spelled: str, meant: str) -> None:
    assert hangul.compose(spelled) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("기ㅁ민지", "김민지"),
        ("해치ㅋ공주", "해치ㅋ공주"),
        ("김ㅁ민지", "김ㅁ민지"),
        ("해치ㄱ", "해치ㄱ"),
    ],
)
def test_a_final_beside_its_syllable_attaches(written: str, meant: str) -> None:
    assert hangul.attach(written) == meant


def test_initials_are_those_of_the_syllables() -> None:
    assert hangul.initials("해치공주 A") == "ㅎㅊㄱㅈ"


@pytest.mark.parametrize(
    ("word", "spellings"),
    [
        ("해치공주", ["haechigongju"]),
        ("김민지", ["gimminji", "kimminji", "minjikim"]),
        ("김밥", ["gimbap"]),
    ],
)
def test_words_are_romanised_by_the_rule_and_names_as_in_passports(
    word: str, spellings: list[str]
) -> None:
    assert hangul.romanise(word) == spellings


def test_a_word_is_typed_with_the_switch_on_latin() -> None:
    assert hangul.spell("안녕", "keyboard") == "dkssud"


@pytest.mark.parametrize(
    ("letter", "drawn_out"), [("유", "우"), ("해", "애에"), ("공", ""), ("a", ""), ("과", "아")]
)
def test_only_an_open_syllable_is_drawn_out(letter: str, drawn_out: str) -> None:
    assert sorted(hangul.elongations(letter)) == sorted(drawn_out)


def test_lookalikes_are_expanded_over_every_final() -> None:
    table = hangul.lookalikes(["머대"], ["윾유"])
    assert len(table) == 29
    assert "멍먹머윾명".translate(table) == "댕댁대유명"
