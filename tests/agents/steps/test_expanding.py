"""`agents.steps.expanding`."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from agents.steps.expanding import followed, fresh, shares, spread
from streams.schemas import MAX_MEDIA, post_key
from streams.types import MediaItem, MediaKind, Post, Priority

KINDS = st.lists(st.sampled_from(MediaKind), max_size=MAX_MEDIA)


def a_post(kinds: list[MediaKind]) -> Post:
    media = tuple(MediaItem(url=f"https://h.example/{at}", kind=k) for at, k in enumerate(kinds))
    return Post(
        key=post_key("s", "1"),
        source="s",
        id="1",
        url="https://h.example/post",
        media=media,
        observed_at=datetime(2026, 11, 23, tzinfo=UTC),
    )


@given(KINDS)
def test_links_are_pages_to_an_urgent_post_and_nothing_to_another(kinds: list[MediaKind]) -> None:
    post = a_post(kinds)
    urgent, bulk = followed(post, Priority.URGENT).media, followed(post, Priority.BULK).media
    assert [item.url for item in urgent] == [item.url for item in post.media]
    assert MediaKind.LINK not in {item.kind for item in (*urgent, *bulk)}
    assert bulk == tuple(item for item in post.media if item.kind is not MediaKind.LINK)


@given(KINDS, st.data())
def test_a_post_stays_within_its_limit_and_every_medium_has_one_place(
    kinds: list[MediaKind], data: st.DataObject
) -> None:
    post = a_post(kinds)
    known = {item.url for item in post.media}
    named = {}
    for index, most in shares(post.media).items():
        count = data.draw(st.integers(0, 30))
        items = [MediaItem(url=f"https://p.example/{index}/{at}") for at in range(count)]
        taken = fresh(items, known, most)
        assert taken == items[:most]
        if taken:
            named[index] = taken
    whole, places = spread(post, named)
    assert len(whole.media) <= MAX_MEDIA
    assert sorted(index for one in places for index in one) == list(range(len(whole.media)))
    for index, item in enumerate(post.media):
        stands = [whole.media[at] for at in places[index]]
        assert stands == list(named.get(index, [item]))


def test_a_page_among_a_hundred_media_still_names_one() -> None:
    assert shares(a_post([MediaKind.PAGE] + [MediaKind.IMAGE] * 99).media) == {0: 1}
    assert shares(a_post([MediaKind.PAGE] * 3).media) == {0: 34, 1: 33, 2: 33}


def test_what_a_post_has_already_is_not_taken_again() -> None:
    items = [MediaItem(url=f"https://h.example/{at}") for at in (0, 1, 1)]
    known = {"https://h.example/0"}
    assert fresh(items, known, 9) == [items[1]]
    assert fresh(items, known, 9) == []
