"""`streams.sources.at_records`; records in the shape of the lexicons, written for these tests."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.errors import InvalidMessageError
from streams.schemas import MAX_POST_BYTES, NewPost
from streams.sources.at_records import MAX_LINKS, POSTS, PROFILES, read_cid, to_new_post
from streams.types import MediaKind

DID = "did:plc:abcdefghijklmnopqrstuvwx"
CID = "bafyreifabvdg2r6gy3nutqoxnqkrglfkcpwq2qfhiz2mb4dxulnpkjhaxa"
RAW = bytes.fromhex("01551220") + bytes(range(32))


def blob(number: int, mime: str = "image/jpeg") -> dict[str, Any]:
    link = {"$link": f"bafkreitestblob{number}"}
    return {"$type": "blob", "ref": link, "mimeType": mime, "size": 1000}


def images(*numbers: int) -> dict[str, Any]:
    shown = [{"alt": f"alt {n}", "image": blob(n)} for n in numbers]
    return {"$type": "app.bsky.embed.images", "images": shown}


def a_post(**fields: Any) -> dict[str, Any]:
    return {"$type": POSTS, "text": "안녕", "createdAt": "2026-05-25T14:23:28.757Z"} | fields


def read(record: Any, collection: str = POSTS, **other: Any) -> NewPost:
    where = {"did": DID, "rkey": "3mabc", "cid": CID} | other
    return to_new_post(collection=collection, record=record, **where)


def media(record: Any, collection: str = POSTS) -> list[tuple[str, MediaKind, str]]:
    prefix = f"at+blob://{DID}/"
    return [
        (item.url.removeprefix(prefix), item.kind, item.alt_text)
        for item in read(record, collection).media
    ]


def test_a_post_has_the_names_that_every_source_of_the_network_gives_it() -> None:
    new = read(a_post(langs=["ko", "en"], embed=images(1)))
    assert new.id == f"at://{DID}/app.bsky.feed.post/3mabc"
    assert new.url == f"https://bsky.app/profile/{DID}/post/3mabc"
    assert (new.revision, new.author, new.language, new.text) == (CID, DID, "ko", "안녕")
    assert new.published_at == datetime(2026, 5, 25, 14, 23, 28, 757000, tzinfo=UTC)
    assert new.media[0].url == f"at+blob://{DID}/bafkreitestblob1"


def test_pictures_come_with_their_descriptions_in_order() -> None:
    expected = [(f"bafkreitestblob{n}", MediaKind.IMAGE, f"alt {n}") for n in (2, 1, 3)]
    assert media(a_post(embed=images(2, 1, 3))) == expected


def test_a_video_is_one_and_its_captions_are_none() -> None:
    captions = [{"lang": "ko", "file": blob(8, "text/vtt")}]
    video = {"video": blob(7, "video/mp4"), "alt": "film", "captions": captions}
    assert media(a_post(embed=video)) == [("bafkreitestblob7", MediaKind.VIDEO, "film")]


@pytest.mark.parametrize("inner", [images(1), {"video": blob(1, "video/mp4")}])
def test_media_beside_a_quoted_post_are_found(inner: dict[str, Any]) -> None:
    quoted = {"record": {"uri": f"at://{DID}/{POSTS}/3x", "cid": CID}}
    embed = {"$type": "app.bsky.embed.recordWithMedia", "record": quoted, "media": inner}
    assert [url for url, *_ in media(a_post(embed=embed))] == ["bafkreitestblob1"]


def test_a_card_gives_its_picture_and_its_address_with_the_words_on_it() -> None:
    card = {"uri": "https://a.example/x", "title": "T", "description": "D", "thumb": blob(5)}
    assert media(a_post(embed={"external": card})) == [
        ("bafkreitestblob5", MediaKind.IMAGE, ""),
        ("https://a.example/x", MediaKind.LINK, "T\nD"),
    ]


def test_links_in_the_text_are_followed_once_and_mentions_are_not() -> None:
    features = [{"uri": "https://a.example"}, {"did": DID}, {"uri": "javascript:alert(1)"}]
    facets = [{"features": features}, {"features": [{"uri": "https://a.example"}]}]
    assert media(a_post(facets=facets)) == [("https://a.example", MediaKind.LINK, "")]


def test_a_profile_is_its_name_its_words_and_its_two_pictures() -> None:
    record = {"displayName": "이름", "description": "말", "avatar": blob(1), "banner": blob(2)}
    new = read(record, PROFILES, rkey="self")
    assert (new.text, new.url) == ("이름\n말", f"https://bsky.app/profile/{DID}")
    assert [url for url, *_ in media(record, PROFILES)] == ["bafkreitestblob1", "bafkreitestblob2"]


def test_blobs_of_an_unknown_embed_and_of_the_old_form_are_found() -> None:
    unknown = {"$type": "app.bsky.embed.gallery", "items": [{"photo": blob(4), "alt": "new"}]}
    assert media(a_post(embed=unknown)) == [("bafkreitestblob4", MediaKind.IMAGE, "new")]
    old = {"images": [{"image": {"cid": "bafkreioldform1", "mimeType": "image/png"}}]}
    assert media(a_post(embed=old)) == [("bafkreioldform1", MediaKind.IMAGE, "")]


def test_decoys_crowd_out_neither_the_shown_picture_nor_the_video() -> None:
    decoys = [blob(n) for n in range(100, 300)]
    links = [{"features": [{"uri": f"https://a.example/{n}"}]} for n in range(500)]
    record = {"aaa": decoys} | a_post(embed={"aa": decoys} | images(1), facets=links)
    found = media(record)
    assert found[0] == ("bafkreitestblob1", MediaKind.IMAGE, "alt 1")
    assert sum(kind is MediaKind.LINK for _, kind, _ in found) == MAX_LINKS


def test_json_dag_cbor_and_plain_text_name_the_same_blob() -> None:
    cbor = {"$type": "blob", "ref": RAW, "mimeType": "image/png", "size": 1}
    text = read_cid(RAW)
    assert text.startswith("bafkrei")
    assert read_cid({"$link": text}) == read_cid(text) == text
    assert media(a_post(embed={"images": [{"image": cbor}]}))[0][0] == text


@pytest.mark.parametrize("value", [None, 7, "", "a b", "../x", b"", b"x" * 65, {"$link": 3}, []])
def test_what_is_no_content_identifier_is_refused(value: Any) -> None:
    with pytest.raises(InvalidMessageError):
        read_cid(value)


def test_what_is_wrong_beside_the_point_does_not_hide_the_picture() -> None:
    record = a_post(
        langs=["ko\x00\x1b[31m"],
        createdAt="never",
        text="half \ud83d a character",
        facets=[7, {"features": "x"}, {"features": [None]}],
        embed=images(1) | {"external": {"uri": 7}},
    )
    new = read(record)
    assert (new.language, new.published_at, new.text) == (None, None, "half \ufffd a character")
    assert len(new.media) == 1


@pytest.mark.parametrize(
    ("record", "other"),
    [
        (None, {}),
        ([1], {}),
        ("text", {}),
        (a_post(text=["x"]), {}),
        (a_post() | {"$type": "app.bsky.feed.like"}, {}),
        (a_post(), {"cid": None}),
        (a_post(), {"did": "did:plc:a b"}),
        (a_post(), {"did": {"x": 1}}),
        (a_post(), {"rkey": "../../x"}),
        (a_post(), {"rkey": "x" * 513}),
    ],
)
def test_what_is_no_record_or_has_no_name_is_refused(record: Any, other: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessageError):
        read(record, **other)


def test_a_record_that_is_all_padding_stays_below_the_bound_of_a_post() -> None:
    long = "\x01" * 100_000
    many = [{"alt": long, "image": blob(n)} for n in range(200)]
    links = [{"features": [{"uri": f"https://a.example/{n}/" + "a" * 1900}]} for n in range(200)]
    new = read(a_post(text=long, embed={"images": many}, facets=links))
    assert len(new.to_bytes()) < MAX_POST_BYTES


def test_a_record_nested_without_end_is_read_as_far_as_anything_shown_can_be() -> None:
    deep: dict[str, Any] = blob(1)
    for _ in range(50_000):
        deep = {"x": deep}
    assert media(a_post(embed=deep | images(2))) == [("bafkreitestblob2", MediaKind.IMAGE, "alt 2")]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
names = st.sampled_from(
    "text langs createdAt embed images image alt external uri thumb facets features media video "
    "ref cid mimeType $type $link avatar banner displayName".split()
)
shaped = st.recursive(
    anything, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=20
)


@settings(max_examples=40)
@given(st.sampled_from([POSTS, PROFILES]), shaped, shaped, shaped)
def test_whatever_comes_is_a_post_or_is_refused(
    collection: str, record: Any, cid: Any, rkey: Any
) -> None:
    for key, revision in (("3mabc", CID), (rkey, cid)):
        with contextlib.suppress(InvalidMessageError):
            new = read(record, collection, rkey=key, cid=revision)
            assert NewPost.from_bytes(new.to_bytes()) == new
