"""`streams.sources.jetstream`, against a WebSocket server that talks as the lexicons say.

Jetstream's own server cannot run here; the shapes are its README's and its lexicon's.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from streams.errors import (
    ConsumerTooSlowError,
    RateLimitedError,
    SourceError,
    StalledError,
    UnauthorizedError,
)
from streams.sources.jetstream import OLDEST, JetstreamConfig, JetstreamSource
from streams.sources.source import (
    EventKind,
    Missed,
    Passed,
    Rejected,
    Removed,
    Restored,
    Source,
    SourcedItem,
    SourcedPost,
)
from tests.fakes import FakeClock
from tests.streams.sources.at_servers import Stream, streaming, taken

DID = "did:plc:abcdefghijklmnopqrstuvwx"
CID = "bafyreifabvdg2r6gy3nutqoxnqkrglfkcpwq2qfhiz2mb4dxulnpkjhaxa"
TIME = 1_779_719_009_157_119
AT = datetime(2026, 5, 25, 14, 23, 29, 157119, tzinfo=UTC)
NSID = "network.bsky.jetstream.subscribeEvents"
POSTS = "app.bsky.feed.post"
Refusal = tuple[int, dict[str, str], bytes]


def commit(operation: str = "create", collection: str = POSTS, **more: Any) -> dict[str, Any]:
    record = {"$type": collection, "text": "안녕", "createdAt": "2026-05-25T14:23:28.757Z"}
    kept = {} if operation == "delete" else {"record": record, "cid": CID}
    where = {"rev": "3mrev", "operation": operation, "collection": collection, "rkey": "3mabc"}
    return where | kept | more


def v1(number: int, **parts: Any) -> str:
    kind = next(iter(parts), "identity")
    return json.dumps({"did": DID, "time_us": TIME + number, "kind": kind} | parts)


def v2(number: int, kind: str, **parts: Any) -> str:
    head = {"$type": f"{NSID}#{kind}", "seq": number, "did": DID}
    payload = head | {"time": "2026-05-25T14:23:29.157119Z"} | parts
    return json.dumps({"$type": "message", "payload": payload})


def notice(name: str) -> str:
    payload = {"$type": f"{NSID}#info", "name": name, "message": "…"}
    return json.dumps({"$type": "message", "payload": payload})


def account(active: bool, **status: str) -> dict[str, Any]:
    return {"active": active, "did": DID, "seq": 9, "time": "2026-05-25T14:23:28Z"} | status


def source(stream: Stream, **more: Any) -> JetstreamSource:
    config = JetstreamConfig(name="sky", url=stream.url, **more)
    return JetstreamSource(config, clock=FakeClock())


async def read(
    script: Iterable[str | bytes], cursor: str | None = None, **more: Any
) -> list[SourcedItem]:
    async with streaming(scripts=[script]) as stream:
        items, error = await taken(source(stream, **more), cursor)
    assert error is not None
    return items


async def test_the_first_version_is_asked_for_posts_and_profiles_from_the_cursor() -> None:
    async with streaming() as stream:
        reader: Source = source(stream, rewind_seconds=2)
        await taken(reader, str(TIME))
    assert stream.paths == ["/subscribe"]
    assert stream.asked[0]["wantedCollections"] == [POSTS, "app.bsky.actor.profile"]
    assert stream.asked[0]["cursor"] == [str(TIME - 2_000_000)]


async def test_the_second_version_is_asked_by_its_own_names() -> None:
    async with streaming() as stream:
        await taken(source(stream, version=2), "12")
    assert stream.paths == [f"/xrpc/{NSID}"]
    assert stream.subprotocols == ["xrpc.v1.json"]
    asked = stream.asked[0]
    assert (asked["collections"], asked["cursor"]) == ([POSTS, "app.bsky.actor.profile"], ["12"])
    assert "wantedCollections" not in asked


async def test_without_a_cursor_it_begins_now_and_misses_nothing() -> None:
    async with streaming(scripts=[[v1(0, commit=commit())]]) as stream:
        items, _ = await taken(source(stream))
    assert "cursor" not in stream.asked[0]
    assert [type(item) for item in items] == [SourcedPost]


FIRST = [
    v1(1, commit=commit()),
    v1(2, commit=commit("update")),
    v1(3, commit=commit("create", "app.bsky.actor.profile", rkey="self")),
    v1(4, commit=commit("delete")),
    v1(5, account=account(False, status="deleted")),
    v1(6, account=account(True)),
    v1(7, identity={"did": DID, "handle": "a.example"}),
]
SECOND = [
    v2(1, "commit", **commit()),
    v2(2, "commit", **commit("update")),
    v2(3, "commit", **commit("create", "app.bsky.actor.profile", rkey="self")),
    v2(4, "commit", **commit("delete")),
    v2(5, "account", account=account(False, status="deleted")),
    v2(6, "account", account=account(True)),
    v2(7, "sync", sync={}),
]


@pytest.mark.parametrize(("version", "script"), [(1, FIRST), (2, SECOND)])
async def test_every_kind_of_event_is_what_it_is_in_both_versions(
    version: int, script: list[str]
) -> None:
    items = await read(script, version=version)
    post, edit, profile, removed, gone, back, passed = items
    kinds = [item.kind for item in (post, edit, profile) if isinstance(item, SourcedPost)]
    assert kinds == [EventKind.POST, EventKind.EDIT, EventKind.PROFILE]
    assert isinstance(removed, Removed)
    assert removed.post_id == f"at://{DID}/{POSTS}/3mabc"
    assert isinstance(gone, Removed)
    assert (gone.reason, gone.author, gone.post_id) == ("account_deleted", DID, None)
    assert isinstance(back, Restored)
    assert isinstance(passed, Passed)
    assert passed.counts == {EventKind.OTHER: 1}
    first = TIME if version == 1 else 0
    assert [item.cursor for item in items] == [str(first + n) for n in range(1, 8)]
    assert isinstance(post, SourcedPost)
    assert post.at is not None
    assert abs((post.at - AT).total_seconds()) < 1e-3
    assert (post.post.source, post.post.network) == ("sky", "atproto")


async def test_both_versions_give_one_post_one_key() -> None:
    (one,) = await read(FIRST[:1])
    (other,) = await read(SECOND[:1], version=2)
    assert isinstance(one, SourcedPost)
    assert isinstance(other, SourcedPost)
    assert one.post.key == other.post.key


async def test_a_cursor_that_was_moved_without_a_word_is_noticed() -> None:
    hours = 3600 * 1_000_000
    script = [v1(hours, commit=commit()), v1(2 * hours, commit=commit())]
    missed, *posts = await read(script, str(TIME))
    assert isinstance(missed, Missed)
    assert (missed.reason, missed.cursor) == ("cursor_clamped", str(TIME + hours))
    assert (missed.since, missed.until) == (AT, AT.replace(hour=15))
    assert len(posts) == 2


@pytest.mark.parametrize("first", [-5_000_000, 0, 9_000_000])
async def test_a_cursor_that_was_kept_misses_nothing(first: int) -> None:
    items = await read([v1(first, commit=commit())], str(TIME), rewind_seconds=5)
    assert [type(item) for item in items] == [SourcedPost]


async def test_a_cursor_too_old_goes_on_from_the_oldest_that_is_kept() -> None:
    refusal = json.dumps({"error": "CursorTooOld", "message": "floor is 500"}).encode()
    script = [notice("OutdatedCursor"), v2(500, "commit", **commit())]
    async with streaming(scripts=[[], script], answers={0: (400, {}, refusal)}) as stream:
        items, _ = await taken(source(stream, version=2), "12")
    assert [asked["cursor"] for asked in stream.asked] == [["12"], [str(OLDEST)]]
    missed, post = items
    assert isinstance(missed, Missed)
    assert (missed.reason, missed.cursor, missed.until) == ("cursor_too_old", "500", AT)
    assert isinstance(post, SourcedPost)


async def test_where_the_oldest_is_refused_too_it_goes_on_from_now() -> None:
    refusal: Refusal = (400, {}, b'{"error":"CursorTooOld"}')
    script = [v2(900, "commit", **commit())]
    async with streaming(
        scripts=[[], [], script], answers={0: refusal, 1: refusal}
    ) as stream:  # fmt: skip
        items, _ = await taken(source(stream, version=2), "12")
    assert "cursor" not in stream.asked[2]
    assert isinstance(items[0], Missed)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("OutdatedCursor", "cursor_too_old"), ("FutureCursor", "cursor_in_future")],
)
async def test_a_notice_about_the_cursor_is_entered_once(name: str, reason: str) -> None:
    script = [notice(name), notice("New"), v2(1, "commit", **commit()), v2(2, "sync", sync={})]
    items = await read(script, "12", version=2)
    assert [item.reason for item in items if isinstance(item, Missed)] == [reason]


async def test_a_cursor_of_another_source_begins_now_and_says_so() -> None:
    async with streaming(scripts=[[v1(0, commit=commit())]]) as stream:
        items, _ = await taken(source(stream), "at://x")
    assert "cursor" not in stream.asked[0]
    assert isinstance(items[0], Missed)
    assert items[0].reason == "cursor_unusable"


@pytest.mark.parametrize(
    "junk",
    ["", "{", "[]", "7", "null", b"\xff\xfe", "[" * 100_000, '{"time_us": true, "kind": "commit"}',
     '{"time_us": 1e5}', '{"time_us": -1}', '{"time_us": 5, "kind": "commit", "commit": 7}'],
    ids=range(11),
)  # fmt: skip
async def test_junk_is_rejected_where_it_stands_and_the_rest_is_read(junk: str | bytes) -> None:
    post, rejected, after = await read([v1(1, commit=commit()), junk, v1(2, commit=commit())])
    assert rejected == Rejected(cursor=str(TIME + 1), reason="invalid_message", position=TIME + 1)
    assert isinstance(post, SourcedPost)
    assert isinstance(after, SourcedPost)


async def test_a_malformed_record_is_rejected_at_its_own_place() -> None:
    (item,) = await read([v1(3, commit=commit(record={"text": 7}))])
    assert item == Rejected(cursor=str(TIME + 3), reason="invalid_message", position=TIME + 3)


async def ended(stream: Stream, **more: Any) -> SourceError:
    _, error = await taken(source(stream, **more), "1")
    assert error is not None
    return error


async def test_the_server_says_that_we_are_too_slow() -> None:
    script = [json.dumps({"$type": "error", "error": "ConsumerTooSlow"})]
    async with streaming(scripts=[script]) as stream:
        assert isinstance(await ended(stream, version=2), ConsumerTooSlowError)


async def test_another_error_frame_ends_the_stream() -> None:
    async with streaming(scripts=[[json.dumps({"$type": "error", "error": 7})]]) as stream:
        assert (await ended(stream, version=2)).reason == "source_unavailable"


async def test_an_open_socket_that_is_silent_is_stalled() -> None:
    async with streaming(close=None) as stream:
        assert isinstance(await ended(stream, silent_seconds=0.05), StalledError)


@pytest.mark.parametrize(
    ("status", "headers", "kind", "wait"),
    [
        (429, {"Retry-After": "17"}, RateLimitedError, 17.0),
        (429, {"Retry-After": "Mon, 23 Nov 2026 12:01:00 GMT"}, RateLimitedError, 60.0),
        (401, {}, UnauthorizedError, None),
        (403, {}, UnauthorizedError, None),
        (503, {"Retry-After": "3"}, SourceError, 3.0),
        (400, {}, SourceError, None),
    ],
)
async def test_a_refused_connection_says_why(
    status: int, headers: dict[str, str], kind: type[SourceError], wait: float | None
) -> None:
    async with streaming(answers={0: (status, headers, b"no")}) as stream:
        error = await ended(stream)
    assert type(error) is kind
    assert error.retry_after_seconds == wait
    assert stream.url not in str(error)


async def test_a_request_that_is_refused_by_name_is_no_error_of_our_own() -> None:
    refusal: Refusal = (400, {}, b'{"error":"InvalidRequest","message":"secret"}')
    async with streaming(answers={0: refusal}) as stream:
        error = await ended(stream, version=2)
    assert type(error) is SourceError
    assert "secret" not in str(error)


async def test_what_merely_passed_is_not_lost_when_the_stream_ends() -> None:
    items = await read([v1(n, identity={}) for n in range(250)])
    counts = [item.counts[EventKind.OTHER] for item in items if isinstance(item, Passed)]
    assert counts == [100, 100, 50]
    assert items[-1].cursor == str(TIME + 249)


def test_the_configuration_expects_of_the_public_network_what_it_has() -> None:
    config = JetstreamConfig(name="sky", url="wss://jetstream.example")
    assert config.expect_seconds[EventKind.POST] == 30
    assert config.expect_seconds[EventKind.ACCOUNT] == 3600
    for wrong in ("https://a.example", "wss://a b", "wss://"):
        with pytest.raises(ValidationError):
            JetstreamConfig(name="sky", url=wrong)
