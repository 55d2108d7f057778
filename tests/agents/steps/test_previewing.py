"""`agents.steps.previewing`: counted as triage finds it, shown on one harmless line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.steps.previewing import MAX_EXCERPT, MAX_EXCERPTS, Preview, Previewed, excerpt_of
from agents.steps.triaging import KeywordIndex
from monitors.keywords import WatchedKeyword
from streams.types import CaseId, KeywordId, PostKey

WATCHED = WatchedKeyword(
    case=CaseId("c"),
    keyword=KeywordId("k"),
    text="해치공주",
    added=("해치언니",),
    off=("goclrhdwn",),
)
PARTS = ["해치공주", "해.치.공.주", "헤치공주", "해치언니", "goclrhdwn", "haechi-gongju",
         "ㅎㅊㄱㅈ", "오늘", "날씨 좋다", "blue", "\x1b[31m", "\n"]  # fmt: skip


def looked(*posts: str) -> dict[tuple[str, str], Previewed]:
    preview = Preview(WATCHED)
    preview.look([(PostKey(str(i)), (text,)) for i, text in enumerate(posts)])
    return {
        (row.listed.spelling.text, row.listed.spelling.found.value): row for row in preview.rows()
    }


@pytest.mark.parametrize(
    ("text", "spelling", "found"),
    [
        ("오늘 해.치 ㄱㅗㅇ주 봤다", "해치공주", "read"),
        ("오늘 헤치공주 봤다", "해치공주", "near"),
        ("오늘 해치언니 봤다", "해치언니", "own"),
        ("오늘 goclrhdwn 봤다", "goclrhdwn", "own"),
        ("오늘 haechi gongju 봤다", "haechigongju", "own"),
        ("오늘 ㅎㅊㄱㅈ 봤다", "ㅎㅊㄱㅈ", "own"),
    ],
)
def test_a_hit_is_told_of_the_spelling_that_it_is_of(text: str, spelling: str, found: str) -> None:
    rows = looked("오늘 날씨 좋다", text)
    assert {key: row.hits for key, row in rows.items() if row.hits} == {(spelling, found): 1}
    assert rows[spelling, found].excerpts == (text,)


def test_of_many_hits_the_first_few_are_shown() -> None:
    row = looked(*(f"{i} 해치공주" for i in range(9)))["해치공주", "read"]
    assert (row.hits, row.excerpts) == (9, tuple(f"{i} 해치공주" for i in range(MAX_EXCERPTS)))


def test_an_excerpt_is_of_the_text_that_holds_the_keyword() -> None:
    preview = Preview(WATCHED)
    preview.look([(PostKey("1"), ("오늘 날씨", "옛날에 " * 500 + "해치공주 " + "있었다 " * 500))])
    (excerpt,) = preview.rows()[0].excerpts
    assert "해치공주" in excerpt
    assert len(excerpt) <= MAX_EXCERPT


def test_what_could_steer_a_terminal_is_replaced() -> None:
    (excerpt,) = looked("\x1b[31m\u202e해치공주\r\n\t다음\x00")["해치공주", "read"].excerpts
    assert excerpt == "\ufffd[31m\ufffd해치공주 다음\ufffd"


@given(st.lists(st.lists(st.sampled_from(PARTS), max_size=6).map(" ".join), max_size=16))
def test_what_is_in_force_hits_what_triage_finds(posts: list[str]) -> None:
    preview = Preview(WATCHED)
    preview.look([(PostKey(str(i)), (text,)) for i, text in enumerate(posts)])
    in_force = [row.hits for row in preview.rows() if row.listed.state != "off"]
    index = KeywordIndex([WATCHED])
    found = sum(bool(index.find([text])) for text in posts)
    assert max(in_force) <= found <= sum(in_force)


@given(st.text(max_size=300), st.text(max_size=300))
def test_an_excerpt_is_one_printable_line(before: str, behind: str) -> None:
    excerpt = excerpt_of(f"{before}해치{behind}", lambda text: "해치" in text)
    assert len(excerpt) <= MAX_EXCERPT
    assert "해치" in excerpt
    assert excerpt.isprintable()
