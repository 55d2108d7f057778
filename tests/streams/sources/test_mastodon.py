"""`streams.sources.mastodon`, against a server that answers as the documentation says."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from streams.errors import (
    ConfigurationError,
    RateLimitedError,
    SourceError,
    StalledError,
    UnauthorizedError,
)
from streams.schemas import post_key
from streams.sources import mastodon_reading
from streams.sources.config import Token
from streams.sources.mastodon import MastodonConfig, MastodonSource
from streams.sources.source import (
    EventKind,
    Missed,
    Passed,
    Rejected,
    Removed,
    Source,
    SourcedItem,
    SourcedPost,
)
from tests.fakes import FakeClock
from tests.streams.sources.at_servers import taken
from tests.streams.sources.mastodon_servers import HANG, WAIT, Mastodon, event, mastodon, message
from tests.streams.sources.mastodon_shapes import SERVER, a_status, an_image

PUBLIC = "/api/v1/timelines/public"


def source(server: Mastodon, **more: Any) -> MastodonSource:
    config = MastodonConfig(name="fedi", url=server.url, **more)
    made = MastodonSource(config, clock=FakeClock(), sleep=server.settle)
    made._reading._host = "origin.example"  # as if the server gave its own statuses
    return made


def uri(number: int, name: str = "somebody") -> str:
    return f"https://origin.example/users/{name}/statuses/{number}"


def numbers(items: list[SourcedItem]) -> list[int]:
    posts = [item for item in items if isinstance(item, SourcedPost)]
    return [int(one.post.id.rpartition("/")[2]) for one in posts if one.kind is EventKind.POST]


async def read(*script: str | bytes, cursor: str | None = None, **more: Any) -> list[SourcedItem]:
    async with mastodon(scripts=[list(script)]) as server:
        items, error = await taken(source(server, **more), cursor)
    assert type(error) is SourceError
    return items


async def told(*script: bytes, cursor: str | None = None) -> list[SourcedItem]:
    async with mastodon(told=[list(script)]) as server:
        items, error = await taken(source(server, transport="sse"), cursor)
    assert type(error) is SourceError
    return items


async def test_a_first_start_begins_live() -> None:
    async with mastodon(scripts=[[message("update", a_status(5))]], timeline=[1, 4]) as server:
        reader: Source = source(server)
        (item,), _ = await taken(reader)
    assert isinstance(item, SourcedPost)
    assert (item.cursor, item.kind) == ("5", EventKind.POST)
    assert item.post.key == post_key("activitypub", uri(5), item.post.revision)
    assert (item.post.source, item.post.network) == ("fedi", "activitypub")
    assert server.subscribed == [{"type": "subscribe", "stream": "public"}]
    assert [asked for path, asked in server.asked if path == PUBLIC] == [{"limit": "1"}]


async def test_what_is_posted_after_a_first_connection_without_posts_is_not_lost() -> None:
    beat = b":thump\n"
    async with mastodon(told=[[beat], [event("update", a_status(9))]], timeline=[1, 4]) as server:
        reader = source(server, transport="sse")
        first, _ = await taken(reader)
        server.timeline = [1, 4, 6]
        second, _ = await taken(reader, first[-1].cursor)
    assert first == [Passed(cursor="4", counts={EventKind.HEARTBEAT: 1})]
    assert numbers(second) == [6, 9]


async def test_events_are_the_same_in_either_way() -> None:
    edited = a_status(5, edited_at="2026-05-25T15:00:00Z", media_attachments=[an_image(1)])
    script = [("update", a_status(5)), ("status.update", edited), ("delete", "5"),
              ("delete", "6"), ("announcement", {}), ("update", 7), ("delete", "a b")]  # fmt: skip
    by_socket = await read(*(message(*one) for one in script))
    by_events = await told(*(event(*one) for one in script))
    assert by_socket == by_events
    post, edit, removed, rejected, other, passed = by_socket
    assert isinstance(post, SourcedPost)
    assert isinstance(edit, SourcedPost)
    assert (edit.kind, edit.post.id) == (EventKind.EDIT, post.post.id)
    assert edit.post.key != post.post.key
    assert [one.url for one in edit.post.media] == [f"{SERVER}/media/1.jpg"]
    assert removed == Removed(
        cursor="5", network="activitypub", reason="deleted", post_id=uri(5), author=post.post.author
    )
    for one in (rejected, other):
        assert isinstance(one, Rejected)
        assert (one.cursor, one.reason) == ("5", "invalid_message")
    assert passed == Passed(cursor="5", counts={EventKind.DELETION: 1, EventKind.OTHER: 1})


async def test_server_sent_events_are_read_in_all_their_forms() -> None:
    status = event("update", a_status(5))
    items = await told(
        b":)\n\n:thump\n\n\n",
        status[:50],
        status[50:],
        b"event: update\ndata: {\ndata: }\n\n",
        event("update", a_status(6)).replace(b"post 6", b"post \xff\xfe"),
        b"data: 1\n\nevent: update\n\nevent: delete\n\n",
    )
    assert [type(item) for item in items] == [
        SourcedPost, Rejected, SourcedPost, Rejected, Rejected, Passed
    ]  # fmt: skip
    assert isinstance(items[2], SourcedPost)
    assert items[2].post.text == "post \ufffd\ufffd"
    assert isinstance(items[-1], Passed)
    assert items[-1].counts == {EventKind.HEARTBEAT: 2, EventKind.OTHER: 1}


@pytest.mark.parametrize("bad", ["", "{", "[]", "7", "[" * 60_000, '{"event":7}', b"\xff", b"{}"])
async def test_what_is_no_event_is_rejected_and_the_stream_goes_on(bad: str | bytes) -> None:
    items = await read(bad, message("update", a_status(5)))
    assert [type(item) for item in items] == [Rejected, SourcedPost]


async def test_nothing_is_lost_over_a_reconnection() -> None:
    before = [message("update", a_status(n)) for n in range(1, 4)]
    after = [message("update", a_status(n)) for n in range(98, 105)]
    async with mastodon(scripts=[before, after]) as server:
        reader = source(server)
        first, _ = await taken(reader)
        server.timeline = list(range(1, 101))
        second, _ = await taken(reader, first[-1].cursor)
    assert numbers(first) == [1, 2, 3]
    assert numbers(second) == [*range(4, 101), *range(98, 105)]
    keys = [item.post.key for item in second if isinstance(item, SourcedPost)]
    assert len(set(keys)) == 101
    missed = [item for item in second if isinstance(item, Missed)]
    assert missed == [Missed(cursor="100", reason="reconnected", refilled=True)]
    assert second[-1].cursor == "104"
    cursors = [int(item.cursor) for item in second]
    assert cursors == sorted(cursors)
    paths = server.paths()
    opened = len(paths) - 1 - paths[::-1].index("/api/v1/streaming")
    assert PUBLIC not in paths[paths.index("/api/v2/instance", 1) : opened]


async def test_a_gap_with_more_than_it_may_read_is_entered_as_missed() -> None:
    async with mastodon(timeline=list(range(1, 200))) as server:
        items, _ = await taken(source(server, max_pages=2), "10")
    assert numbers(items) == list(range(11, 91))
    assert items[-1] == Missed(cursor="90", reason="list_overflow", refilled=False)


async def test_a_server_where_something_is_posted_all_the_time_is_caught_up_with() -> None:
    async with mastodon(timeline=[1, 2, 3], grow=True) as server:
        items, _ = await taken(source(server), "2")
    assert items[-1] == Missed(cursor="6", reason="reconnected", refilled=True)
    assert server.paths().count(PUBLIC) == 3


async def test_what_is_posted_before_the_subscription_is_in_force_is_read() -> None:
    async with mastodon(timeline=[1, 2], meanwhile=[3]) as server:
        items, _ = await taken(source(server), "2")
    assert numbers(items) == [3]
    assert items[-1] == Missed(cursor="3", reason="reconnected", refilled=True)


async def test_what_fills_a_gap_does_not_claim_to_be_after_it() -> None:
    future = a_status(5, created_at="2099-01-01T00:00:00Z")
    future["account"]["avatar"] = f"{SERVER}/avatars/7.png"
    async with mastodon(timeline=[5], shapes={5: future}) as server:
        items, _ = await taken(source(server), "4")
    posts = [item for item in items if isinstance(item, SourcedPost)]
    assert [one.kind for one in posts] == [EventKind.PROFILE, EventKind.POST]
    assert all(one.at is not None and one.at < FakeClock().now() for one in posts)


async def test_the_stream_is_read_while_a_gap_is_filled() -> None:
    more_than_sockets_hold = [message("announcement", "x" * 250_000)] * 100
    script = [*more_than_sockets_hold, message("update", a_status(9))]
    async with mastodon(scripts=[script], timeline=[5], held=True) as server:
        items, _ = await taken(source(server), "4")
    assert numbers(items) == [5, 9]


async def test_what_is_rejected_has_a_position_of_its_own() -> None:
    bad = [message("update", a_status(n, uri=7)) for n in (1, 2)]
    first = await read("{", "[", *bad, message("delete", "a b"), message("update", "x"))
    again = await read(bad[0])
    positions = [item.position for item in first if isinstance(item, Rejected)]
    assert len(positions) == len(set(positions)) == 6
    assert all(0 <= one < 2**60 for one in positions)
    assert [item.position for item in again if isinstance(item, Rejected)] == [positions[2]]


async def test_what_arrives_late_has_an_earlier_identifier_and_is_looked_for() -> None:
    known = 116_000_000_000_000_000
    late, old = known - (30_000 << 16), known - (90_000 << 16)
    async with mastodon(timeline=[old, late, known, known + 1]) as server:
        items, _ = await taken(source(server), str(known))
    assert numbers(items) == [late, known, known + 1]
    assert items[-1].cursor == str(known + 1)


async def test_a_cursor_that_is_none_of_its_own_is_entered_as_missed() -> None:
    items = await read(message("update", a_status(5)), cursor="a b")
    assert items[0] == Missed(cursor="", reason="cursor_unusable")
    assert numbers(items) == [5]


async def test_a_boosts_deletion_is_not_that_of_what_it_shows() -> None:
    boost = message("update", a_status(9, reblog=a_status(5)))
    items = await read(boost, message("delete", "9"), message("delete", "5"))
    assert numbers(items) == [5]
    assert [type(item) for item in items] == [SourcedPost, Removed, Passed]
    assert items[0].cursor == "9"


async def test_a_profile_is_given_once_until_its_pictures_change() -> None:
    statuses = [a_status(n) for n in range(1, 5)]
    for status in statuses[1:]:
        status["account"]["avatar"] = f"{SERVER}/avatars/7.png"
    statuses[3]["account"]["header"] = f"{SERVER}/headers/7.png"
    items = await read(*(message("update", one) for one in statuses))
    profiles = [
        item for item in items if isinstance(item, SourcedPost) and item.kind is EventKind.PROFILE
    ]
    assert [len(one.post.media) for one in profiles] == [1, 2]
    assert profiles[0].cursor == "1"
    assert profiles[0].post.key != profiles[1].post.key


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mastodon_reading, "REMEMBERED", 2)
    script = [message("update", a_status(n)) for n in (1, 2, 3)]
    items = await read(*script, message("delete", "1"), message("delete", "3"))
    assert [item.post_id for item in items if isinstance(item, Removed)] == [uri(3)]


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_a_socket_that_is_open_and_silent_is_stalled(transport: Any) -> None:
    async with mastodon(scripts=[[HANG]], told=[[b":)\n\n", HANG]]) as server:
        _, error = await taken(source(server, transport=transport, silent_seconds=0.2))
    assert type(error) is StalledError


async def test_a_socket_that_answers_is_quiet_not_stalled() -> None:
    async with mastodon(scripts=[[message("update", a_status(1)), WAIT]]) as server:
        beats = 0
        async for item in source(server, silent_seconds=0.1)._items(None):
            beats += isinstance(item, Passed) and EventKind.HEARTBEAT in item.counts
            if beats == 3:
                break
    assert beats == 3


async def test_where_a_websocket_is_refused_server_sent_events_are_read() -> None:
    refusals: Any = {"/api/v1/streaming": (404, {})}
    lines = [event("update", a_status(5))]
    async with mastodon(told=[lines], refusals=refusals) as server:
        items, _ = await taken(source(server, only="remote", only_media=True))
    assert numbers(items) == [5]
    assert ("/api/v1/streaming/public/remote", {"only_media": "true"}) in server.asked
    async with mastodon(told=[lines], refusals=refusals) as server:
        items, error = await taken(source(server, transport="websocket"))
    assert (items, type(error)) == ([], SourceError)


async def test_parts_of_the_timeline_are_asked_for_by_their_names() -> None:
    async with mastodon(scripts=[[]], timeline=[5]) as server:
        await taken(source(server, only="local", only_media=True), "4")
    assert server.subscribed == [{"type": "subscribe", "stream": "public:local:media"}]
    asked = dict(server.asked)[PUBLIC]
    assert (asked["local"], asked["only_media"], asked["limit"]) == ("true", "true", "40")


async def test_the_server_says_where_it_streams() -> None:
    async with mastodon(scripts=[[message("update", a_status(5))]]) as other:
        urls = {"streaming": other.url.replace("http", "ws")}
        async with mastodon(instance={"configuration": {"urls": urls}}) as server:
            items, _ = await taken(source(server))
    assert numbers(items) == [5]
    assert server.paths() == ["/api/v2/instance", PUBLIC]
    assert "/api/v1/streaming" in other.paths()


@pytest.mark.parametrize("refused", ["/api/v2/instance", "none"])
@pytest.mark.parametrize("streaming", [7, "http://a.example", "wss://a b", None])
async def test_where_it_does_not_say_it_streams_itself(streaming: Any, refused: str) -> None:
    instance = {"configuration": {"urls": {"streaming": streaming}}}
    fields: dict[str, Any] = {"instance": instance, "refusals": {refused: (404, {})}}
    async with mastodon(scripts=[[message("update", a_status(5))]], **fields) as server:
        items, _ = await taken(source(server))
    assert numbers(items) == [5]


async def test_a_token_is_read_anew_for_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    script = [message("update", a_status(5))]
    async with mastodon(scripts=[script], token="new") as server:
        reader = source(server, token=Token(file=file))
        items, error = await taken(reader)
        assert (items, type(error)) == ([], UnauthorizedError)
        file.write_text("new\n")
        items, _ = await taken(reader)
    assert numbers(items) == [5]
    assert not [asked for _, asked in server.asked if "access_token" in asked]


async def test_a_token_that_expires_meanwhile_ends_the_stream() -> None:
    frame = '{"error":"The access token is invalid","status":401}'
    async with mastodon(scripts=[[message("update", a_status(5)), frame]]) as server:
        items, error = await taken(source(server))
    assert numbers(items) == [5]
    assert type(error) is UnauthorizedError


async def test_a_token_that_is_none_is_a_fault_of_the_configuration() -> None:
    async with mastodon() as server:
        with pytest.raises(ConfigurationError):
            await taken(source(server, token=Token(value=SecretStr("a\nb"))))


@pytest.mark.parametrize("path", ["/api/v2/instance", "/api/v1/streaming", PUBLIC])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "9"}, 9), ({"X-RateLimit-Reset": "2026-11-23T12:05:00.000000Z"}, 300)],
)
async def test_a_limit_says_how_long_it_lasts(
    path: str, headers: dict[str, str], seconds: float
) -> None:
    async with mastodon(refusals={path: (429, headers)}, scripts=[[WAIT]]) as server:
        _, error = await taken(source(server), "4")
    assert type(error) is RateLimitedError
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize("status", [500, 503, 302])
async def test_a_server_that_fails_is_unavailable(status: int) -> None:
    refusals: Any = {"/api/v1/streaming": (status, {}), "/api/v1/streaming/public": (status, {})}
    async with mastodon(refusals=refusals) as server:
        _, error = await taken(source(server))
    assert type(error) is SourceError
    assert "secret" not in str(error)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with mastodon() as server:
        pass
    _, error = await taken(source(server))
    assert type(error) is SourceError


def test_the_configuration_names_a_server() -> None:
    assert MastodonConfig(name="a", url="https://a.example").transport == "auto"
    for wrong in ("wss://a.example", "https://a b", "https://a.example?x"):
        with pytest.raises(ValidationError):
            MastodonConfig(name="a", url=wrong)
