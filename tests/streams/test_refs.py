"""`streams.refs`."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from streams.refs import author_ref, post_ref, refs_of
from streams.types import Post, PostKey

POST = Post(
    key=PostKey("k"),
    source="jetstream",
    id="1",
    url="https://host.example/1",
    observed_at=datetime(2026, 11, 23, tzinfo=UTC),
    author="did:plc:a",
    network="atproto",
)


def test_a_post_is_named_alike_in_all_its_revisions_and_by_every_source_of_its_network() -> None:
    edited = replace(POST, revision="2", source="firehose", key=PostKey("other"))
    assert refs_of(POST) == refs_of(edited)
    assert refs_of(POST) == (post_ref("atproto", "1"), author_ref("atproto", "did:plc:a"))


def test_a_source_without_a_network_is_one() -> None:
    alone = replace(POST, network="")
    assert refs_of(alone) == (post_ref("jetstream", "1"), author_ref("jetstream", "did:plc:a"))


def test_nobody_has_no_name() -> None:
    assert refs_of(replace(POST, author=None))[1] is None


names = st.text(st.characters(exclude_characters="\0"), max_size=20)


@given(st.tuples(names, names), st.tuples(names, names))
def test_different_things_have_different_names(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert (post_ref(*one) == post_ref(*other)) == (one == other)
    assert post_ref(*one) != author_ref(*one)
    assert len(post_ref(*one)) == 32


def test_text_that_is_no_unicode_has_a_name() -> None:
    assert len(author_ref("board", "\ud800")) == 32
