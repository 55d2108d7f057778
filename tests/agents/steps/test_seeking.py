"""`agents.steps.seeking`."""

from hypothesis import given
from hypothesis import strategies as st

from agents.steps.seeking import MAX_JOINED, that_hold
from agents.steps.triaging import URGENT_SIMILARITY, KeywordIndex
from monitors.keywords import WatchedKeyword
from streams.types import CaseId, KeywordId, PostKey

WORDS = ["해치공주", "김민지", "blue tiger 77", "ㅎㅊㄱㅈ"]
INDEX = KeywordIndex(
    [WatchedKeyword(case=CaseId("c"), keyword=KeywordId(word), text=word) for word in WORDS]
)
PARTS = [
    *WORDS,
    "해치",
    "공주",
    "헤치공주",
    "김 민 지",
    "ㄱㅣㅁㅁㅣㄴㅈㅣ",
    "blue",
    "t1ger",
    "77",
    "오늘",
    "날씨 좋다",
    "ㅋㅋ",
    "ㅣ",
    "",
]

posts = st.lists(
    st.tuples(
        st.integers(0, 999).map(lambda number: PostKey(f"{number:032x}")),
        st.lists(st.sampled_from(PARTS), max_size=4).map(tuple),
    ),
    max_size=20,
)


@given(posts)
def test_what_is_found_together_is_what_is_found_one_by_one(
    some: list[tuple[PostKey, tuple[str, ...]]],
) -> None:
    alone = [
        key
        for key, texts in some
        if any(hit.similarity >= URGENT_SIMILARITY for hit in INDEX.find(texts))
    ]
    assert that_hold(INDEX, some) == alone


def test_long_texts_are_read_one_by_one() -> None:
    far = (PostKey("1" * 32), ("바다 " * MAX_JOINED + WORDS[0],))
    near = (PostKey("2" * 32), ("오늘",))
    assert that_hold(INDEX, [far, near]) == [far[0]]


def test_loose_letters_of_another_text_hide_no_initials() -> None:
    laughing, meant = (PostKey("1"), ("오늘 ㅋㅋ",)), (PostKey("2"), ("ㅎㅊㄱㅈ",))
    assert that_hold(INDEX, [laughing, meant, laughing]) == [meant[0]]
