"""`agents.steps.near`; what it must find of keywords, in `test_triaging`."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.steps.near import MAX_PLACES, Near, NearIndex

HANGUL = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=2, max_size=12)


def jamo(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def test_what_stands_whole_is_found_where_it_begins() -> None:
    index = NearIndex(["abcdefgh", "uvwxyzab"], [0.8, 0.8])
    assert index.search("--abcdefgh--uvwxyzab")[:2] == [Near(0, 2, 1.0), Near(1, 12, 1.0)]


@pytest.mark.parametrize(
    ("text", "start", "similarity"),
    [
        ("--abcdXfgh", 2, 7 / 8),  # another letter
        ("bcdefgh", -1, 7 / 8),  # one cut off before
        ("--abcdefg", 2, 7 / 8),  # and behind
        ("abcdXefgh", 1, 7 / 8),  # one more: what is as long begins one later
    ],
)
def test_one_error_is_found(text: str, start: int, similarity: float) -> None:
    found = NearIndex(["abcdefgh"], [0.8]).search(text)
    assert Near(0, start, similarity) in found
    assert found[0].similarity == similarity


def test_what_is_less_alike_than_it_needs_is_not_found() -> None:
    assert NearIndex(["abcdefgh"], [0.9]).search("abcdXfgh") == []
    assert NearIndex(["abcdefgh"], [0.8]).search("aXcdefXh") == []


def test_three_letters_are_a_part_of_their_own() -> None:
    index = NearIndex(["青い鯨", "abcdef"], [0.86, 0.82])
    assert index.search("この青い鯨は") == [Near(0, 2, 1.0)]
    assert [one.spelling for one in index.search("abcXef")] == [1]


@given(
    st.data(), st.lists(HANGUL, min_size=1, max_size=5, unique=True), st.text("가나 ", max_size=9)
)
def test_as_many_letters_may_be_exchanged_as_the_threshold_says(
    data: st.DataObject, texts: list[str], around: str
) -> None:
    spellings = [jamo(one) for one in texts]
    chosen = data.draw(st.sampled_from(range(len(spellings))))
    threshold = data.draw(st.sampled_from([0.82, 0.86]))
    letters = list(spellings[chosen])
    if len(letters) < 6:  # fewer are never looked for: `needles`
        return
    errors = int(len(letters) * (1 - threshold) + 1e-9)
    for place in data.draw(st.lists(st.sampled_from(range(len(letters))), max_size=errors)):
        letters[place] = "q"
    kept = sum(one != "q" for one in letters) / len(letters)
    index = NearIndex(
        [one for one in spellings if len(one) >= 3],
        [threshold for one in spellings if len(one) >= 3],
    )
    found = index.search(jamo(around) + "".join(letters) + jamo(around))
    place = [one for one in spellings if len(one) >= 3].index(spellings[chosen])
    assert max(one.similarity for one in found if one.spelling == place) >= kept - 1e-9


def test_a_run_of_letters_is_looked_at_so_often_and_no_more() -> None:
    index = NearIndex(["abcdefgh"], [0.8])
    whole = [one for one in index.search("abcdefgh" * (2 * MAX_PLACES)) if one.similarity == 1.0]
    assert [one.start for one in whole] == [8 * i for i in range(MAX_PLACES)]


@pytest.mark.parametrize("text", ["", "ab", "\ud800" * 9, "zzzzzzzz"])
def test_nothing_is_found_in_what_holds_nothing(text: str) -> None:
    assert NearIndex(["abcdefgh"], [0.8]).search(text) == []
    assert NearIndex([], []).search(text) == []
