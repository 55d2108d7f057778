"""`streams.sources.feed_entries`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import InvalidMessageError
from streams.schemas import NewPost
from streams.sources.feed_entries import (
    MAX_MEDIA,
    entries_of,
    hub_of,
    minimum_seconds,
    parse_feed,
    to_new_post,
    topic_of,
)
from streams.types import MediaKind

BASE = "https://feeds.example/all.xml"
RSS = """<?xml version="1.0" encoding="{encoding}"?>
<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"
     xmlns:atom="http://www.w3.org/2005/Atom" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">
<channel><title>t</title><link>https://feeds.example/</link>
<atom:link rel="hub" href="https://hub.example/"/><atom:link rel="self" href="https://feeds.example/s"/>
{head}{items}</channel></rss>"""
ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="ko"><title>t</title><id>x</id>
<entry><id>tag:feeds.example,2026:1</id><title type="html">바다 &amp;amp; 산</title>
<link href="/posts/1"/><published>2026-05-25T14:23:28Z</published>
<updated>2026-05-26T00:00:00Z</updated>
<author><name>누구</name></author>
<content type="html">&lt;p&gt;여기 &lt;img src="/a.jpg" alt="그림"&gt;&lt;/p&gt;</content>
</entry></feed>"""


def rss(items: str, *, head: str = "", encoding: str = "utf-8") -> bytes:
    return RSS.format(items=items, head=head, encoding=encoding).encode(encoding, "replace")


def read(body: bytes, kind: str = "application/rss+xml") -> list[NewPost]:
    return [to_new_post(one, BASE) for one in entries_of(parse_feed(body, kind))]


def media(post: NewPost) -> list[tuple[str, MediaKind]]:
    return [(one.url, one.kind) for one in post.media]


def test_an_rss_item_gives_its_media_in_order_and_its_page_last() -> None:
    item = """<item><guid>g1</guid><title>A &lt;b&gt;film&lt;/b&gt;</title>
      <link>https://board.example/1</link><pubDate>Mon, 25 May 2026 14:23:28 GMT</pubDate>
      <description>&lt;p&gt;words &lt;img src="https://cdn.example/in.png"&gt;&lt;/p&gt;</description>
      <media:content url="https://cdn.example/v.mp4" type="video/mp4"/>
      <media:thumbnail url="https://cdn.example/t"/>
      <enclosure url="https://cdn.example/s.mp3" type="audio/mpeg" length="9"/></item>"""
    [post] = read(rss(item))
    assert (post.id, post.url, post.text) == ("g1", "https://board.example/1", "A film\nwords")
    assert media(post) == [
        ("https://cdn.example/v.mp4", MediaKind.VIDEO),
        ("https://cdn.example/s.mp3", MediaKind.AUDIO),
        ("https://cdn.example/t", MediaKind.IMAGE),
        ("https://cdn.example/in.png", MediaKind.IMAGE),
        ("https://board.example/1", MediaKind.PAGE),
    ]
    assert post.published_at is not None
    assert post.published_at.isoformat() == "2026-05-25T14:23:28+00:00"


def test_an_atom_entry_is_read_with_its_relative_addresses() -> None:
    [post] = read(ATOM.encode(), "application/atom+xml")
    assert (post.id, post.url) == ("tag:feeds.example,2026:1", "https://feeds.example/posts/1")
    assert (post.author, post.language, post.text) == ("누구", "ko", "바다 & 산\n여기")
    assert media(post)[0] == ("https://feeds.example/a.jpg", MediaKind.IMAGE)


def test_an_edit_has_another_revision_and_a_new_date_has_not() -> None:
    def revision(title: str, date: str) -> str:
        item = f"<item><guid>1</guid><title>{title}</title><link>https://b.example/1</link>{date}</item>"
        [post] = read(rss(item))
        return post.revision

    first = revision("one", "<pubDate>Mon, 25 May 2026 14:23:28 GMT</pubDate>")
    assert revision("one", "") == first
    assert revision("two", "") != first


@pytest.mark.parametrize("encoding", ["euc-kr", "cp949", "shift_jis", "utf-16"])
def test_other_character_sets_are_read(encoding: str) -> None:
    word = "海" if encoding == "shift_jis" else "바다"
    item = f"<item><title>{word}</title><link>https://b.example/1</link></item>"
    [post] = read(rss(item, encoding=encoding))
    assert post.text == word
    assert post.id == "https://b.example/1", "its page is its name where it has none"


@pytest.mark.parametrize(
    "reference", ["&#99999999999;", "&#x110000;", "&#xD800;", "&#55296;", "&#" + "9" * 5000 + ";"]
)
def test_a_number_of_no_character_does_not_hide_the_other_entries(reference: str) -> None:
    bad = f"<item><title>{reference}&</title><link>https://b.example/1</link></item>"
    good = "<item><title>바다</title><link>https://b.example/2</link></item>"
    for encoding in ("utf-8", "cp949"):
        assert [post.text for post in read(rss(bad + good, encoding=encoding))][1:] == ["바다"]


@pytest.mark.parametrize("charset", ["undefined", "hex", "idna", "zip", "é", "utf-8\0"])
def test_a_character_set_that_is_none_does_not_hide_the_entries(charset: str) -> None:
    item = "<item><title>바다</title><link>https://b.example/1</link></item>"
    [post] = read(rss(item), f"text/xml; charset={charset}")
    assert post.text == "바다"


@pytest.mark.parametrize(
    "head",
    [
        '<psc:chapter xmlns:psc="http://podlove.org/simple-chapters" title="t"/>',
        '<g:where xmlns:g="http://www.georss.org/georss">1</g:where>',
        "<image><width></width></image>",
    ],
)
def test_what_feedparser_fails_over_is_no_feed_or_read(head: str) -> None:
    found = parse_feed(rss("<item><title>a</title></item>", head=head), "")
    assert entries_of(found) or found["bozo"]


def test_a_date_that_is_none_is_left_out() -> None:
    item = "<item><link>https://b.example/1</link><pubDate>long ago</pubDate></item>"
    [post] = read(rss(item))
    assert post.published_at is None


@pytest.mark.parametrize(
    "item",
    [
        "<item><title>no page</title></item>",
        "<item><guid>1</guid><link>javascript:alert(1)</link></item>",
        "<item><guid>1</guid><link>ftp://b.example/</link></item>",
    ],
)
def test_an_entry_without_a_page_is_no_post(item: str) -> None:
    [entry] = entries_of(parse_feed(rss(item), ""))
    with pytest.raises(InvalidMessageError):
        to_new_post({**entry, "id": entry.get("id", "x")}, "mailto:x")


def test_what_a_feed_asks_for_is_heeded() -> None:
    assert minimum_seconds(parse_feed(rss("", head="<ttl>60</ttl>"), "")) == 3600
    assert minimum_seconds(parse_feed(rss("", head="<ttl>999999</ttl>"), "")) == 86_400
    period = "<sy:updatePeriod>hourly</sy:updatePeriod>"
    assert minimum_seconds(parse_feed(rss("", head=period), "")) == 3600
    often = "<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>{}</sy:updateFrequency>"
    assert minimum_seconds(parse_feed(rss("", head=often.format(24)), "")) == 3600
    assert minimum_seconds(parse_feed(rss("", head=often.format(0)), "")) == 86_400
    assert minimum_seconds(parse_feed(rss("", head="<ttl>soon</ttl>"), "")) == 0
    feed = parse_feed(rss(""), "")
    assert (hub_of(feed), topic_of(feed)) == ("https://hub.example/", "https://feeds.example/s")
    assert hub_of(parse_feed(b"", "")) is None


def test_media_are_bounded() -> None:
    many = "".join(f'<media:content url="https://c.example/{n}.jpg"/>' for n in range(200))
    [post] = read(rss(f"<item><guid>1</guid><link>https://b.example/</link>{many}</item>"))
    assert len(post.media) == MAX_MEDIA + 1


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda some: st.lists(st.dictionaries(st.text(max_size=5), some, max_size=3), max_size=2),
    max_leaves=5,
)
fields = ("id", "link", "title", "summary", "author")


@given(st.dictionaries(st.sampled_from(fields), values), st.binary(max_size=300))
def test_whatever_an_entry_holds_it_is_a_post_or_refused(
    entry: dict[str, object], body: bytes
) -> None:
    for one in [entry, *entries_of(parse_feed(body, "text/xml"))]:
        try:
            post = to_new_post(one, BASE)
        except InvalidMessageError:
            continue
        assert post.url.startswith(("http://", "https://"))
