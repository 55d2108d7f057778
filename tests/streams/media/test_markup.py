"""`streams.media.markup`."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.media.markup import Tag, plain_text, tags

WANTED = frozenset({"img", "script", "title", "a"})
FRAGMENTS = st.sampled_from(
    ["<", ">", "<img ", "<!--", "-->", "<script", "</script>", '"', "'", "=", "a", " ", "&#", "9"]
)


def read(text: str) -> list[Tag]:
    return list(tags(text, WANTED))


def test_tags_have_their_attributes_in_whatever_quotes() -> None:
    [tag] = read("""<IMG SRC='a b.jpg' alt = "5 &gt; 3" width=40 hidden src=second />""")
    assert tag.name == "img"
    assert tag.attributes == {"src": "a b.jpg", "alt": "5 > 3", "width": "40", "hidden": ""}


def test_what_stands_in_a_comment_or_a_script_is_no_tag() -> None:
    found = read("<!-- <img src=1> --><script>'<img src=2>'</script><p title='x'><img src=3>")
    assert [(tag.name, tag.content) for tag in found] == [
        ("script", "'<img src=2>'"),
        ("img", ""),
    ]
    assert read("<!-- never closed <img src=1>") == []
    assert [tag.name for tag in read("<script>never closed <img src=1>")] == ["script"]


def test_a_tag_without_an_end_is_still_a_tag_and_hides_what_it_swallowed() -> None:
    [tag] = read("<img src='a.jpg' alt='")
    assert tag.attributes["src"] == "a.jpg"


def test_words_are_told_from_tags() -> None:
    markup = "<p>One &amp; <b>two</b><!-- not --></p><script>no</script><p>three<br>four &lt; 5"
    assert plain_text(markup) == "One & two\nthree\nfour < 5"
    assert plain_text("1 < 2 and 3 > 2") == "1 < 2 and 3 > 2"
    assert plain_text("&#" + "9" * 5000 + ";").startswith("&#9")


@given(st.lists(FRAGMENTS, max_size=60).map("".join))
def test_nothing_makes_it_raise(text: str) -> None:
    read(text)
    plain_text(text)


@pytest.mark.parametrize(
    "bad", ["<!--", "<a ", "<img <", "<![", "</", "<img src='", "<script", "<script></script>", "<"]
)
def test_hostile_markup_is_read_in_time(bad: str) -> None:
    text = bad * (2**21 // len(bad))
    begun = time.perf_counter()
    read(text)
    plain_text(text)
    assert time.perf_counter() - begun < 5  # below 0.9 s on a desk; some take others hours
