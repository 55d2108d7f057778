"""`streams.sources.page_shape`."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import InvalidMessageError
from streams.sources.page_shape import MAX_ATTRIBUTES, MAX_TAGS, check_shape

ATTRIBUTES = " ".join(f"a{number}" for number in range(MAX_ATTRIBUTES + 1))

BUSY = {
    "nested": "<div>" * (MAX_TAGS + 1),
    "attributes": f"<div {ATTRIBUTES}>",
    "attributes in a quotation that is none": f'<x y="</textarea><div {ATTRIBUTES}>">',
    "attributes behind a long value": f'<div a="{"x" * 70_000}" {ATTRIBUTES}>',
    "formats": "<p>" + "".join(f"<b a={at}>" for at in range(1000)) + "</p><p>x" * 1000,
    "formats behind a quoted bracket": "".join(f'<i a=">{at}">' for at in range(1000))
    + "<p>" * 1000,
}


@pytest.mark.parametrize("html", BUSY.values(), ids=BUSY.keys())
def test_a_page_that_would_keep_the_parser_busy_is_refused(html: str) -> None:
    with pytest.raises(InvalidMessageError):
        check_shape(html)


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<tr class=a><td><a href='/b?no=3'>words</a>" * 3000,
        "<font color=red>x</font><b>y</b><p>z" * 4000,
        '<script>for (i=0;i<n;i++) { x = "<a href=\'" + u + "\'>"; }</script>',
        "<p>cut in a tag <img src=/a.jpg",
        "1 < 2 & <3",
    ],
)
def test_an_ordinary_page_is_not(html: str) -> None:
    check_shape(html)


@pytest.mark.parametrize("piece", ["<a ", '<a b="', "<a b='x' ", "<b =", "<i /", "<p a=b "])
def test_looking_takes_no_time_itself(piece: str) -> None:
    began = time.perf_counter()
    with suppress(InvalidMessageError):
        check_shape(piece * 19_000)
    assert time.perf_counter() - began < 5


@given(st.text(alphabet="<>ab='\"/ \n", max_size=200))
def test_any_text_is_refused_or_not(html: str) -> None:
    with suppress(InvalidMessageError):
        check_shape(html)
