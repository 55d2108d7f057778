"""`streams.sources.board_pages`."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streams.errors import InvalidMessageError
from streams.schemas import MAX_POST_BYTES, MediaItemRecord, NewPost
from streams.sources.board_pages import (
    MAX_MEDIA,
    ListFields,
    PostFields,
    Row,
    decoded,
    read_list,
    read_post,
    same_host,
    to_number,
)
from streams.types import MediaItem, MediaKind

URL = "https://board.example.com/list?id=a&page=1"
LIST = ListFields(row="tr.row", link="a.title", number_pattern=r"no=(\d+)")
POST = PostFields(
    text="div.body",
    author=".by",
    time=".at",
    media=("div.body img", "div.body video, div.body source", "a.file"),
    deleted=".gone",
    deleted_text="삭제된 게시물",
)


def test_rows_are_read_and_what_is_none_is_counted() -> None:
    html = """<table>
      <tr class=row><td><a class=title href="/view?no=12&x=1">A <b>title</b>\n here</a>
      <tr class=row><td><a class=title href="/view?no=11">B</a>
      <tr class=row><td><a class=title href="/view?no=11">B again</a>
      <tr class=row><td><a class=title href="/notice">notice</a>
      <tr class=row><td><a class=title href="javascript:x(no=5)">script</a>
      <tr class=row><td>no link
      <tr class=row><td><a class=title href="https://other.example/view?no=13">advertisement</a>
      </table>"""
    page = read_list(html, URL, LIST)
    assert page.rows == (
        Row(number=12, url="https://board.example.com/view?no=12&x=1", title="A title here"),
        Row(number=11, url="https://board.example.com/view?no=11", title="B"),
    )
    assert (page.foreign, page.unread, page.is_empty) == (1, 3, False)
    assert read_list("<p>nothing", URL, LIST).is_empty


@pytest.mark.parametrize(
    "fields",
    [
        ListFields(row="li", link="a", number="i"),
        ListFields(row="li", link="a", number="a", number_attribute="data-no"),
        ListFields(row="li", link="a", number_attribute="data-no"),
        ListFields(row="li", link="a", number_pattern="/([0-9]+)$"),
    ],
)
def test_a_number_is_words_an_attribute_or_in_the_link(fields: ListFields) -> None:
    html = "<li data-no=1234><i> 1,234 </i><a data-no=1234 href=/a/1234>x</a></li>"
    assert [row.number for row in read_list(html, URL, fields).rows] == [1234]


def test_media_are_taken_from_where_lazy_pages_put_them_each_once() -> None:
    html = """<div class=body>words<br>more
      <img src=/wait.gif data-original="/1.jpg" alt="a  picture">
      <img src="data:image/gif;base64,R0lGOD" data-src=//cdn.example/2.jpg>
      <img src=/1.jpg><img><img src="javascript:x">
      <video src=/3.bin></video><video><source src=/4.bin></video></div>
      <a class=file href=/5.mp4>5</a><a class=file href=/download?f=6>6</a>
      <span class=by>\n  Somebody </span><i class=at>2026.11.23 21:00:05</i>"""
    post = read_post(html, URL, POST)
    host = "https://board.example.com"
    assert post.media == (
        MediaItem(url=f"{host}/1.jpg", kind=MediaKind.IMAGE, alt_text="a picture"),
        MediaItem(url="https://cdn.example/2.jpg", kind=MediaKind.IMAGE),
        MediaItem(url=f"{host}/3.bin", kind=MediaKind.VIDEO),
        MediaItem(url=f"{host}/4.bin", kind=MediaKind.VIDEO),
        MediaItem(url=f"{host}/5.mp4", kind=MediaKind.VIDEO),
        MediaItem(url=f"{host}/download?f=6"),
    )
    assert (post.text, post.author) == ("words\nmore", "Somebody")
    assert post.published_at == datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)
    assert not post.deleted


@pytest.mark.parametrize(
    ("shown", "hour"),
    [
        ("2026-11-23T12:00:00Z", 12),
        ("2026년 11월 23일 21:00", 12),
        ("2026-11-23 (월) ", 15),
        ("2026-13-40 10:00", None),
        ("방금 전", None),
    ],
)
def test_a_time_is_koreas_unless_it_says(shown: str, hour: int | None) -> None:
    found = read_post(f"<i class=at>{shown}</i>", URL, POST).published_at
    assert (found and found.astimezone(UTC).hour) == hour


def test_only_the_board_can_say_that_a_post_is_deleted() -> None:
    said = "<script>alert('삭제된 게시물입니다')</script>"
    assert read_post(said, URL, POST).deleted
    assert read_post("<p class=gone>x", URL, POST).deleted
    assert read_post("<div class=body><p class=gone>x</div>", URL, POST).deleted
    assert not read_post("<div class=body>삭제된 게시물</div>", URL, POST).deleted
    shown = read_post("<div class=body><p class=gone><img src=/a.jpg></div>", URL, POST)
    assert not shown.deleted


def test_an_edit_is_of_words_or_media() -> None:
    def revision(html: str) -> str:
        return read_post(f"<div class=body>{html}</div>", URL, POST).revision

    assert revision("a<img src=/1.jpg>") == revision(" <p>a</p> <img src=/1.jpg alt=x>")
    assert len({revision("a"), revision("b"), revision("a<img src=/1.jpg>")}) == 3


@pytest.mark.parametrize("text", ["삭제된 뷁 게시물"])
def test_korean_is_read_however_it_is_declared(text: str) -> None:
    page = f"<meta charset=euc-kr>{text}"
    assert text in decoded(page.encode("cp949"), "text/html", None)
    assert text in decoded(text.encode("cp949"), "text/html; charset=EUC-KR", None)
    assert text in decoded(text.encode("cp949"), "text/html", None)
    assert text in decoded(text.encode(), "text/html", None)
    assert text in decoded(text.encode("cp949"), "text/html; charset=utf-8", "cp949")


UNFIT = ["", "a[", ">>", "::text", "a:nope", "tr,,a", "a b c d", "a, b c d e", "a ~ b", "a:has(b)"]


@pytest.mark.parametrize("selector", UNFIT)
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(ValidationError) as told:
        ListFields(row=selector, link="a")
    assert told.value.errors()[0]["loc"] == ("row",)


@pytest.mark.parametrize(
    "selector", ["a b c", "a > b > c > d + e", "a b c, d  e f", "a[title='x ~ y, z w v'] b c"]
)
def test_a_selector_may_have_two_descendants_and_any_children(selector: str) -> None:
    assert ListFields(row=selector, link="a").row == selector


@pytest.mark.parametrize("pattern", ["no=(", "no=[0-9]+", "(a)(b)"])
def test_what_finds_no_number_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        ListFields(row="tr", link="a", number_pattern=pattern)


def test_the_largest_post_is_one_that_can_be_kept() -> None:
    pictures = "".join(f"<img src='/{at}{'한' * 900}' alt='{'글' * 600}'>" for at in range(200))
    post = read_post(f"<div class=body>{'한' * 90_000}{pictures}</div>", URL, POST)
    assert 0 < len(post.media) <= MAX_MEDIA
    made = NewPost(
        id="1",
        url=URL,
        text=post.text,
        media=tuple(MediaItemRecord(url=one.url, alt_text=one.alt_text) for one in post.media),
    )
    assert len(made.to_bytes()) < MAX_POST_BYTES
    many = "".join(f"<img src=/{at}>" for at in range(200))
    assert len(read_post(f"<div class=body>{many}</div>", URL, POST).media) == MAX_MEDIA


def test_pictures_written_into_the_page_are_no_endless_tags() -> None:
    inline = f"<div class=body>a<img src='data:image/png;base64,{'QUJD' * 50_000}'></div>"
    assert read_post(inline, URL, POST).text == "a"


def test_a_page_that_would_keep_the_parser_busy_is_not_parsed() -> None:
    with pytest.raises(InvalidMessageError):
        read_post("<div>" * 200_000, URL, POST)
    with pytest.raises(InvalidMessageError):
        read_list("<div>" * 200_000, URL, LIST)


def test_a_deep_page_is_not_searched() -> None:
    deep = "<div class=body>" * 130 + "<img src=/a.jpg>" * 10_000
    with pytest.raises(InvalidMessageError):
        read_post(deep, URL, POST)
    assert read_post(deep[len("<div class=body>") * 10 :], URL, POST).media


def test_one_host_is_host_and_port() -> None:
    assert same_host("https://A.example/x", "http://a.example/y")
    assert not same_host("https://a.example:1/", "https://a.example:2/")
    assert not same_host("https://a.example@b.example/", "https://a.example/")
    assert not same_host("https://a.example:x/", "https://a.example/")


def test_a_number_is_of_bounded_length() -> None:
    assert to_number("0012") == 12
    assert [to_number(one) for one in ("", "-1", "1.5", "٣", "9" * 19)] == [None] * 5


PIECES = (
    *("<div class=body>", "</div>", "<img src=/a>", "<tr class=row>", "<b>", "<table>", "<svg>"),
    *("<a class=title href=/v?no=1>", "</a>", "&#0;", "\x00", "x", "<!--", "-->", "<p class=gone>"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_page_is_read_or_refused(pieces: list[str]) -> None:
    html = "".join(pieces)
    read_post(html, URL, POST)
    read_list(html, URL, LIST)
