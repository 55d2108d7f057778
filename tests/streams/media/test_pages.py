"""`streams.media.pages`."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.media.pages import MAX_PAGE_MEDIA, looks_like_page, media_in_page, resolved
from streams.schemas import MediaItemRecord
from streams.types import MediaKind

BASE = "https://h.example/a/page.html"
HTML = "text/html; charset=utf-8"


def found(markup: str, base: str = BASE) -> list[tuple[str, MediaKind]]:
    return [(one.url, one.kind) for one in media_in_page(markup.encode(), HTML, base)]


def test_what_a_page_says_of_itself_comes_first() -> None:
    page = """<!doctype html><html><head>
    <meta property="og:video" content="/films/1.mp4"><meta property=og:video:type content=video/mp4>
    <meta name="twitter:image" content="//cdn.example/big.jpg">
    <link rel="image_src" href="https://cdn.example/src.png">
    <script type="application/ld+json">{"@graph": [{"@type": "VideoObject",
     "contentUrl": "clip.webm", "thumbnailUrl": ["t.jpg"]}]}</script></head>
    <body><img src="small.png" width=16 height=16><img src="first.jpg" alt="words">
    <img src="large.jpg" width="1600px" height="900"><audio src="a.mp3"></audio>
    <video poster="p.jpg"><source src="v.mp4"></video><a href="more.jpg#x">more</a>
    <a href="list.m3u8">no</a><a href="news.html">no</a>"""
    image, video = MediaKind.IMAGE, MediaKind.VIDEO
    assert found(page) == [
        ("https://h.example/films/1.mp4", video),
        ("https://cdn.example/big.jpg", image),
        ("https://cdn.example/src.png", image),
        ("https://h.example/a/a.mp3", MediaKind.AUDIO),
        ("https://h.example/a/p.jpg", image),
        ("https://h.example/a/v.mp4", video),
        ("https://h.example/a/clip.webm", video),
        ("https://h.example/a/t.jpg", image),
        ("https://h.example/a/more.jpg", image),
        ("https://h.example/a/large.jpg", image),
        ("https://h.example/a/first.jpg", image),
    ]


def test_a_player_is_no_film() -> None:
    page = """<meta property="og:image" content="i.jpg">
    <meta property="og:video" content="/embed/1">
    <meta property="og:video:type" content="text/html">"""
    assert found(page) == [("https://h.example/a/i.jpg", MediaKind.IMAGE)]


@pytest.mark.parametrize(
    ("tag", "url"),
    [
        ('<img src="data:image/gif;base64,R0" srcset="s.jpg 1x">', "https://h.example/a/s.jpg"),
        ('<base href="https://b.example/x/"><img src="y.jpg">', "https://b.example/x/y.jpg"),
        ('<img src=" a b.jpg ">', "https://h.example/a/a%20b.jpg"),
        ('<img src="?n=1&amp;m=2">', "https://h.example/a/page.html?n=1&m=2"),
    ],
)
def test_an_address_is_the_one_that_a_browser_would_show(tag: str, url: str) -> None:
    assert found(tag) == [(url, MediaKind.IMAGE)]


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", "data:image/png;base64,aa", "ftp://h/x", "http://[", "file:///x"),
        *("https://h.example/" + "x" * 5000, "https://h.example/\ud800", "https://h/\x00"),
    ],
)
def test_what_is_no_http_address_is_left_out(url: str) -> None:
    assert resolved(url, BASE) is None


def test_a_page_in_another_charset_is_read() -> None:
    page = '<meta charset="euc-kr"><img src="/사진.jpg" alt="해치">'.encode("cp949")
    [item] = media_in_page(page, "text/html", BASE)
    assert (item.url, item.alt_text) == ("https://h.example/사진.jpg", "해치")


def test_no_page_gives_more_than_its_share() -> None:
    many = "".join(f"<img src={number}.jpg>" for number in range(100))
    assert len(found(many)) == MAX_PAGE_MEDIA
    assert len(found("<img src=1.jpg>" * 100)) == 1


TAGS = st.sampled_from(
    ["<img src=", "<meta property=og:image content=", "<a href=", "<base href=", "<source src="]
)
SCRIPT = '<script type="application/ld+json">'


@given(st.lists(st.tuples(TAGS, st.text(max_size=40)), max_size=25), st.text(max_size=40))
def test_every_medium_is_one_that_a_record_takes(made: list[tuple[str, str]], data: str) -> None:
    page = "".join(f'{tag}"{value}">' for tag, value in made)
    page += f'{SCRIPT}{{"contentUrl": "{data}"}}</script>'
    items = media_in_page(page.encode("utf-8", "replace"), None, BASE)
    assert len(items) <= MAX_PAGE_MEDIA
    for item in items:
        assert MediaItemRecord(url=item.url, kind=item.kind).to_domain().url == item.url
        assert item.url.lower().startswith(("http://", "https://"))


@given(st.binary(max_size=300), st.text(max_size=30), st.text(max_size=30))
def test_nothing_makes_it_raise(body: bytes, content_type: str, base: str) -> None:
    looks_like_page(body, content_type)
    media_in_page(body, content_type, base)


@pytest.mark.parametrize("data", ["[" * 100_000, '{"contentUrl": "\\ud800"}', "9" * 5000, "{"])
def test_hostile_data_names_nothing(data: str) -> None:
    assert found(f"{SCRIPT}{data}</script>") == []


@pytest.mark.parametrize("tag", ["<img src=x>", "<meta property=og:image content=x>", "<a a a a>"])
def test_a_hostile_page_is_read_in_time(tag: str) -> None:
    begun = time.perf_counter()
    found(tag * (2**21 // len(tag)))
    assert time.perf_counter() - begun < 3  # below 0.5 s on a desk


@pytest.mark.parametrize(
    ("body", "content_type", "page"),
    [
        (b"<!DOCTYPE html><html>", None, True),
        (b"\xef\xbb\xbf\n<!-- x --><HTML lang=ko>", "image/jpeg", True),
        (b"just words", "text/html", True),
        (b"just words", "text/plain", False),
        (b"<svg xmlns=''>", "image/svg+xml", False),
        (b"GIF89a!!!!", "text/html", False),
        (b"", "text/html", True),
        (b"\x00\x00\x00\x18ftypmp42", "text/html", False),
    ],
)
def test_a_page_is_known_by_what_it_is(body: bytes, content_type: str | None, page: bool) -> None:
    assert looks_like_page(body, content_type) is page


def test_a_picture_is_no_page_whatever_its_host_calls_it() -> None:
    assert not looks_like_page(b"\x89PNG\r\n\x1a\n\x00\x00", "text/html")


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="true.jpg" data-original="decoy.jpg">',
        '<img src="decoy.jpg" srcset="true.jpg 2x">',
        '<!--><img src="true.jpg"><!-- x --!>',
        '<!-- x --!><img src="true.jpg">',
        '<base href="https://h.example/a/"><base href="https://b.example/"><img src="true.jpg">',
    ],
)
def test_what_a_browser_shows_is_not_hidden_by_a_decoy(markup: str) -> None:
    found = media_in_page(markup.encode(), "text/html", "https://h.example/a/page.html")
    assert "https://h.example/a/true.jpg" in {item.url for item in found}


@pytest.mark.parametrize("charset", ["undefined", "hex", "idna", "zip", "nonsense", "utf-7"])
def test_a_character_set_that_is_none_hides_nothing(charset: str) -> None:
    body = f'<meta charset="{charset}"><img src="true.jpg">'.encode()
    for said in (f"text/html; charset={charset}", "text/html"):
        found = media_in_page(body, said, "https://h.example/a/page.html")
        assert [item.url for item in found] == ["https://h.example/a/true.jpg"]
