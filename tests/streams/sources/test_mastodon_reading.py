"""`streams.sources.mastodon_reading`; its events are tested with the source that reads them."""

from typing import Any

import pytest

from streams.sources.mastodon_reading import MastodonReading, newest
from streams.sources.source import Rejected, SourcedPost
from tests.fakes import FakeClock
from tests.streams.sources.mastodon_shapes import a_status


@pytest.mark.parametrize(
    ("known", "ids", "found"),
    [
        ("9", ["10", "8"], "10"),
        ("", ["a", "b"], "b"),
        ("5", [], "5"),
        ("5", [None, 7, "x y", "4"], "5"),
    ],
)
def test_identifiers_grow_in_length_and_then_in_order(
    known: str, ids: list[Any], found: str
) -> None:
    assert newest(known, [{"id": one} for one in ids]) == found


def test_an_edit_of_an_old_post_does_not_move_the_cursor_back(clock: FakeClock) -> None:
    reading = MastodonReading("fedi", clock)
    reading.begin("7")
    (item,) = reading.posted(a_status(3))
    assert isinstance(item, SourcedPost)
    assert item.cursor == "7"


def test_a_profile_that_is_malformed_does_not_hide_its_post(clock: FakeClock) -> None:
    status = a_status(3)
    long = "https://origin.example/" + "x" * 1500
    status["account"] |= {"uri": long, "avatar": "https://a.example/7.png"}
    reading = MastodonReading("fedi", clock)
    assert [type(item) for item in reading.posted(status)] == [Rejected]  # its author has no name
    status["account"] |= {"uri": 7, "url": None}
    assert [type(item) for item in reading.posted(status)] == [SourcedPost]
