"""`streams.sources.firehose`, against a WebSocket server; a real PDS: `test_at_network.py`."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import libipld
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ConsumerTooSlowError, SourceError, StalledError
from streams.sources.firehose import FirehoseConfig, FirehoseSource, _Reading
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
POSTS = "app.bsky.feed.post"
AT = datetime(2026, 5, 25, 14, 23, 29, tzinfo=UTC)


class Link(bytes):
    """A CID as bytes, for `cbor`."""


def cbor(value: Any) -> bytes:
    """Encode as DAG-CBOR, links included; the library cannot encode them."""
    if isinstance(value, Link):
        return b"\xd8\x2a" + libipld.encode_dag_cbor(b"\0" + bytes(value))
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: (len(pair[0]), pair[0]))
        body = b"".join(libipld.encode_dag_cbor(name) + cbor(inner) for name, inner in pairs)
        return _head(5, len(value)) + body
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(cbor, value))
    return bytes(libipld.encode_dag_cbor(value))


def _head(major: int, size: int) -> bytes:
    return bytes([major << 5 | size]) if size < 24 else bytes([major << 5 | 25]) + size.to_bytes(2)


def link(block: bytes) -> Link:
    return Link(bytes.fromhex("01711220") + hashlib.sha256(block).digest())


def section(content: bytes) -> bytes:
    size, prefix = len(content), b""
    while size >= 128:
        prefix, size = prefix + bytes([size & 127 | 128]), size >> 7
    return prefix + bytes([size]) + content


def car(*blocks: bytes) -> bytes:
    roots = [link(blocks[0])] if blocks else [link(b"")]
    header = cbor({"version": 1, "roots": roots})
    return section(header) + b"".join(section(bytes(link(block)) + block) for block in blocks)


def frame(name: str, seq: Any = 1, **body: Any) -> bytes:
    head = cbor({"op": 1, "t": name})
    return head + cbor({"seq": seq, "time": "2026-05-25T14:23:29Z"} | body)


def error(name: str) -> bytes:
    return cbor({"op": -1}) + cbor({"error": name, "message": "…"})


def record(text: str = "안녕") -> dict[str, Any]:
    image = {"$type": "blob", "ref": link(b"picture"), "mimeType": "image/png", "size": 7}
    embed = {"$type": "app.bsky.embed.images", "images": [{"alt": "a", "image": image}]}
    return {"$type": POSTS, "text": text, "createdAt": "2026-05-25T14:23:28Z", "embed": embed}


def op(action: str, block: bytes | None, path: str = f"{POSTS}/3m") -> dict[str, Any]:
    return {"action": action, "path": path, "cid": None if block is None else link(block)}


def commit(seq: int, *ops: Any, blocks: Iterable[bytes] = (), **more: Any) -> bytes:
    body = {"repo": DID, "ops": list(ops), "blocks": car(*blocks), "tooBig": False}
    return frame("#commit", seq, **body | more)


def created(seq: int, path: str = f"{POSTS}/3m", text: str = "안녕") -> bytes:
    block = cbor(record(text))
    return commit(seq, op("create", block, path), blocks=[block])


def source(stream: Stream, **more: Any) -> FirehoseSource:
    return FirehoseSource(FirehoseConfig(name="relay", url=stream.url, **more), clock=FakeClock())


async def read(
    script: Iterable[str | bytes], cursor: str | None = None, **more: Any
) -> list[SourcedItem]:
    async with streaming(scripts=[script]) as stream:
        items, ended = await taken(source(stream, **more), cursor)
    assert ended is not None
    return items


async def test_a_post_comes_with_its_picture_from_the_blocks() -> None:
    (item,) = await read([created(5)])
    assert isinstance(item, SourcedPost)
    assert (item.cursor, item.kind, item.at) == ("5", EventKind.POST, AT)
    assert item.post.id == f"at://{DID}/{POSTS}/3m"
    assert item.post.revision == libipld.encode_cid(bytes(link(cbor(record()))))
    blob = libipld.encode_cid(bytes(link(b"picture")))
    assert [one.url for one in item.post.media] == [f"at+blob://{DID}/{blob}"]
    assert item.post.text == "안녕"


async def test_every_kind_of_event_is_what_it_is() -> None:
    block = cbor(record())
    edit, removed, gone, back, ended, passed = await read(
        [
            commit(1, op("update", block), blocks=[block]),
            commit(2, op("delete", None)),
            frame("#account", 3, did=DID, active=False, status="suspended"),
            frame("#account", 4, did=DID, active=True),
            frame("#tombstone", 5, did=DID),
            frame("#identity", 6, did=DID, handle="a.example"),
            frame("#sync", 7, did=DID, rev="3m"),
            frame("#new", 8),
            commit(9),
            commit(10, op("create", block, "app.bsky.feed.like/3m")),
        ]
    )
    assert isinstance(edit, SourcedPost)
    assert edit.kind is EventKind.EDIT
    assert isinstance(removed, Removed)
    assert removed.post_id == f"at://{DID}/{POSTS}/3m"
    assert isinstance(gone, Removed)
    assert gone.reason == "account_suspended"
    assert isinstance(back, Restored)
    assert isinstance(ended, Removed)
    assert ended.reason == "account_deleted"
    assert passed == Passed(cursor="10", counts={EventKind.OTHER: 5}, at=AT)


async def test_only_the_last_of_a_commits_operations_moves_the_cursor_past_it() -> None:
    one, two = cbor(record("1")), cbor(record("2"))
    ops = [op("create", one, f"{POSTS}/3m1"), op("delete", None), op("create", two, f"{POSTS}/3m2")]
    items = await read([commit(8, *ops, blocks=[one, two])])
    assert [item.cursor for item in items] == ["7", "7", "8"]


async def test_a_record_that_the_commit_does_not_carry_is_counted() -> None:
    block = cbor(record())
    script = [commit(1, op("create", block)), commit(2, op("create", block), blocks=[b"\xff"])]
    script.append(frame("#commit", 3, repo=DID, ops=[op("create", block)], blocks="text"))
    assert await read(script) == [
        Rejected(cursor=str(n), reason="missing_block", position=n) for n in (1, 2, 3)
    ]


async def test_a_commit_that_was_too_big_to_send_is_entered_as_missed() -> None:
    missed, passed = await read([commit(4, tooBig=True)])
    assert missed == Missed(cursor="3", reason="commit_too_big", since=AT, until=AT)
    assert passed.cursor == "4"


JUNK = [
    b"", b"\xff", b"text", cbor({"op": 1}), cbor({"op": 1, "t": "#commit"}) + cbor([]),
    cbor({"op": 1, "t": 7}) + cbor({}), cbor({"op": 9, "t": "#commit"}) + cbor({"seq": 1}),
    b"\x81" * 100_000, frame("#commit", "x"), frame("#commit", -1), frame("#commit", True),
    "#commit",
]  # fmt: skip


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
async def test_junk_is_rejected_after_what_was_read_last(junk: str | bytes) -> None:
    before, rejected, after = await read([created(5), junk, created(6)])
    assert rejected == Rejected(cursor="5", reason="invalid_message", position=5)
    assert isinstance(before, SourcedPost)
    assert isinstance(after, SourcedPost)


@pytest.mark.parametrize(
    "ops", [None, 7, [7], [{"path": 7}], [{"path": f"{POSTS}/a b", "action": "delete"}]]
)
async def test_a_malformed_commit_is_rejected_at_its_own_place(ops: Any) -> None:
    script = [frame("#commit", 6, repo=DID, ops=ops)]
    assert await read(script) == [Rejected(cursor="6", reason="invalid_message", position=6)]


async def test_it_goes_on_after_the_cursor() -> None:
    async with streaming(scripts=[[created(8)]]) as stream:
        reader: Source = source(stream)
        items, _ = await taken(reader, "7")
    assert stream.paths == ["/xrpc/com.atproto.sync.subscribeRepos"]
    assert stream.asked == [{"cursor": ["7"]}]
    assert [type(item) for item in items] == [SourcedPost]


async def test_a_cursor_too_old_is_entered_before_the_first_event_that_is_kept() -> None:
    info = cbor({"op": 1, "t": "#info"}) + cbor({"name": "OutdatedCursor"})
    missed, post = await read([info, created(900)], "7")
    assert missed == Missed(cursor="899", reason="cursor_too_old", until=AT)
    assert isinstance(post, SourcedPost)


async def test_a_server_that_began_anew_is_read_from_its_beginning() -> None:
    async with streaming(scripts=[[error("FutureCursor")], [created(1)]]) as stream:
        items, _ = await taken(source(stream), "700")
    assert [asked["cursor"] for asked in stream.asked] == [["700"], ["0"]]
    assert items[0] == Missed(cursor="0", reason="cursor_in_future", until=AT)
    assert isinstance(items[1], SourcedPost)


async def test_numbers_may_be_left_out_and_repeated_but_a_step_back_is_entered() -> None:
    script = [created(5), created(9), created(9), created(3), created(4)]
    items = await read(script)
    assert [item.cursor for item in items] == ["5", "9", "9", "2", "3", "4"]
    assert [item for item in items if isinstance(item, Missed)] == [
        Missed(cursor="2", reason="sequence_jump", until=AT)
    ]


@pytest.mark.parametrize(
    ("script", "close", "kind"),
    [
        ([error("ConsumerTooSlow")], (1000, ""), ConsumerTooSlowError),
        ([], (1008, "ConsumerTooSlow"), ConsumerTooSlowError),
        ([error("Other")], (1000, ""), SourceError),
        ([], (1000, ""), SourceError),
        ([], None, StalledError),
    ],
)
async def test_every_end_has_its_reason(
    script: list[bytes], close: Any, kind: type[SourceError]
) -> None:
    async with streaming(scripts=[script], close=close) as stream:
        _, ended = await taken(source(stream, silent_seconds=0.1), "1")
    assert type(ended) is kind


async def test_a_server_that_is_away_is_an_error_of_the_source() -> None:
    async with streaming() as stream:
        pass
    _, ended = await taken(source(stream))
    assert type(ended) is SourceError
    assert stream.url not in str(ended)


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(JUNK)), max_size=4))
def test_whatever_comes_is_an_item_or_the_streams_end(frames: list[str | bytes]) -> None:
    reading = _Reading("relay", FakeClock(), None, None)
    for one in frames:
        for item in reading.items(one):
            assert item.cursor.isdigit()
