"""`streams.sources.mastodon_records`."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import InvalidMessageError
from streams.schemas import MAX_POST_BYTES, PostRecord
from streams.sources.mastodon_records import (
    NETWORK,
    pictures,
    shown,
    status_id,
    to_new_post,
    to_profile,
    words,
)
from streams.types import MediaKind
from tests.streams.sources.mastodon_shapes import SERVER, a_status, an_image


def media(**more: Any) -> list[tuple[str, MediaKind, str]]:
    return [(one.url, one.kind, one.alt_text) for one in to_new_post(a_status(1, **more)).media]


def test_a_status_is_named_as_it_is_on_every_server() -> None:
    post = to_new_post(a_status(1, edited_at="2026-05-25T15:00:00.000Z"))
    assert post.id == "https://origin.example/users/somebody/statuses/1"
    assert post.url == "https://origin.example/@somebody/1"
    assert post.revision.startswith("2026-05-25T15:00:00.000Z#")
    other = to_new_post(a_status(1, media_attachments=[an_image(1)]))
    assert other.revision != to_new_post(a_status(1)).revision, "shown otherwise, looked at again"
    assert post.author == "https://origin.example/users/somebody"
    assert (post.text, post.language) == ("post 1", "ko")
    assert post.published_at == datetime(2026, 5, 25, 14, 23, 28, 757000, tzinfo=UTC)


def test_a_boost_is_the_status_that_it_shows() -> None:
    status = shown(a_status(2, reblog=a_status(1)))
    assert status_id(status) == "1"
    assert shown(a_status(1))["id"] == "1"


def test_without_a_page_of_its_own_its_name_is_its_page() -> None:
    assert to_new_post(a_status(1, url=None)).url.endswith("/statuses/1")
    with pytest.raises(InvalidMessageError):
        to_new_post(a_status(1, url=None, uri="tag:origin.example,2026:1"))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b<br>c</p>", "a\nb\nc"),
        ("가<span>나</span> &amp; &#x41;", "가나 & A"),
        ("a<!-- b -->c", "ac"),
        (None, ""),
        (7, ""),
    ],
)
def test_html_becomes_words(html: Any, text: str) -> None:
    assert words(html) == text


def test_the_warning_stands_before_the_text() -> None:
    assert to_new_post(a_status(1, spoiler_text="careful")).text == "careful\npost 1"


def test_attachments_come_with_their_kind_and_description() -> None:
    given = [
        an_image(1),
        an_image(2, type="gifv"),
        an_image(3, type="audio", description=None),
        an_image(4, type="unknown", url=None),
        an_image(5, url=None, remote_url=None),
        an_image(1),
        "nothing",
    ]
    assert media(media_attachments=given) == [
        (f"{SERVER}/media/1.jpg", MediaKind.IMAGE, "alt 1"),
        (f"{SERVER}/media/2.jpg", MediaKind.VIDEO, "alt 2"),
        (f"{SERVER}/media/3.jpg", MediaKind.AUDIO, ""),
        ("https://origin.example/media/4.jpg", MediaKind.UNKNOWN, "alt 4"),
    ]


def test_a_card_is_an_image_and_a_link() -> None:
    content = (
        '<a href="https://board.example/9">9</a><a href="https://news.example/1">1</a>'
        '<a href="javascript:x">z</a>'
    )
    card = {"url": "https://news.example/1", "title": "News", "image": f"{SERVER}/card.png"}
    assert media(content=content, card=card) == [
        (f"{SERVER}/card.png", MediaKind.IMAGE, ""),
        ("https://news.example/1", MediaKind.LINK, "News"),
        ("https://board.example/9", MediaKind.LINK, ""),
    ]


def test_only_what_the_server_resolved_is_a_mention_or_a_hashtag() -> None:
    content = (
        '<a class="u-url mention" href="https://origin.example/@x">@x</a>'
        f'<a class="mention hashtag" href="{SERVER}/tags/y">#y</a>'
        '<a class="mention" href="https://board.example/9">@z</a>'
        '<a href="https://news.example/1">1</a>'
    )
    resolved = {
        "mentions": [{"url": "https://origin.example/@x"}, 7],
        "tags": [{"name": "y", "url": f"{SERVER}/tags/y"}, {"url": 7}],
    }
    assert [url for url, _, _ in media(content=content, **resolved)] == [
        "https://news.example/1",
        "https://board.example/9",
    ]


def test_links_in_the_clothes_of_mentions_do_not_crowd_out_the_others() -> None:
    disguised = "".join(f'<a class="hashtag" href="https://a.example/{n}">#</a>' for n in range(99))
    found = media(content=disguised + '<a href="https://board.example/9">9</a>')
    assert (len(found), found[0][0]) == (45, "https://board.example/9")


def test_a_polls_choices_are_words_of_the_post() -> None:
    poll = {"options": [{"title": "yes"}, {"title": 7}, 7, {"title": "no"}]}
    assert to_new_post(a_status(1, poll=poll)).text == "post 1\nyes\nno"


@pytest.mark.parametrize("visibility", ["private", "direct"])
def test_what_is_not_public_is_refused(visibility: str) -> None:
    with pytest.raises(InvalidMessageError):
        to_new_post(a_status(1, visibility=visibility))
    assert to_new_post(a_status(1, visibility="unlisted")).id


def test_a_profile_has_the_pictures_that_are_not_the_servers_own() -> None:
    status = a_status(1)
    assert pictures(status) == ()
    status["account"]["avatar"] = f"{SERVER}/avatars/7.png"
    urls = pictures(status)
    profile = to_profile(status, urls)
    assert profile.id == "https://origin.example/users/somebody"
    assert profile.text == "Somebody\na note"
    assert [(one.url, one.kind) for one in profile.media] == [
        (f"{SERVER}/avatars/7.png", MediaKind.IMAGE)
    ]


@pytest.mark.parametrize(
    "bad",
    [7, None, [], {"reblog": 7}, {}, {"uri": 7}, a_status(1, uri="x y", url=7),
     a_status(1, edited_at=7), a_status(1, edited_at="x" * 300)],
)  # fmt: skip
def test_what_is_no_status_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidMessageError):
        to_new_post(shown(bad))


@pytest.mark.parametrize("bad", [None, 7, "", "a b", "1" * 65])
def test_what_is_no_identifier_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidMessageError):
        status_id({"id": bad})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


FIELDS = sorted([*a_status(1), "mentions", "tags", "poll", "visibility"])


@given(st.sampled_from(FIELDS), JSON)
def test_no_field_makes_it_fail_otherwise(name: str, value: Any) -> None:
    try:
        status = shown(a_status(1) | {name: value})
        pictures(status)
        to_new_post(status)
    except InvalidMessageError:
        pass


def test_the_largest_status_still_fits() -> None:
    links = "".join(f'<a href="https://a.example/{n}/{"x" * 1980}">각</a>' for n in range(100))
    images = [
        an_image(n, url=f"https://a.example/{n}{'y' * 1970}", description="각" * 9000)
        for n in range(100)
    ]
    status = a_status(1, content=links + "각" * 200_000, media_attachments=images)
    post = to_new_post(status).to_domain(
        source="m", observed_at=datetime(2026, 1, 1, tzinfo=UTC), network=NETWORK
    )
    assert len(post.media) == 95
    assert len(PostRecord.from_domain(post).to_bytes()) <= MAX_POST_BYTES
