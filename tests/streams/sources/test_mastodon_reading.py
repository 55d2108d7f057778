"""`streams.sources.mastodon_reading`; its events are tested with the source that reads them."""

from typing import Any

import pytest

from streams.sources.mastodon_reading import MastodonReading, newest
from streams.sources.source import Passed, Rejected, Removed, SourcedPost
from streams.sources.sse import ServerEvent
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
    reading = MastodonReading("fedi", clock, "origin.example")
    reading.begin("7")
    (item,) = reading.posted(a_status(3))
    assert isinstance(item, SourcedPost)
    assert item.cursor == "7"


def test_a_profile_that_is_malformed_does_not_hide_its_post(clock: FakeClock) -> None:
    status = a_status(3)
    long = "https://origin.example/" + "x" * 1500
    status["account"] |= {"uri": long, "avatar": "https://a.example/7.png"}
    reading = MastodonReading("fedi", clock, "origin.example")
    assert [type(item) for item in reading.posted(status)] == [Rejected]  # its author has no name
    status["account"] |= {"uri": 7, "url": None}
    assert [type(item) for item in reading.posted(status)] == [SourcedPost]


def test_only_its_own_statuses_are_gone_where_a_server_drops_its_copy(clock: FakeClock) -> None:
    for host, kind in (("origin.example", Removed), ("elsewhere.example", Passed)):
        reading = MastodonReading("fedi", clock, host)
        list(reading.posted(a_status(1)))
        [item] = reading.items(ServerEvent(name="delete", data="1"))
        assert type(item) is kind
