"""`streams.sources.replay`."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.errors import ConfigurationError
from streams.schemas import MAX_POST_BYTES, post_key
from streams.sources.replay import ReplaySource
from streams.sources.source import Rejected, Source, SourcedItem, SourcedPost
from tests.fakes import FakeClock


def line(number: int, **fields: object) -> bytes:
    post = {"id": str(number), "url": f"https://a.example/{number}"}
    return json.dumps(post | fields).encode()


class Player:
    """A source over a file, whose waits are noted and take no time."""

    def __init__(self, path: Path, *, rate: float = 10, follow: bool = False) -> None:
        self.clock = FakeClock()
        self.waits: list[float] = []
        self.source = ReplaySource(
            path, rate=rate, clock=self.clock, sleep=self._sleep, follow=follow
        )

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(seconds)

    async def play(self, cursor: str | None = None) -> list[SourcedItem]:
        return [item async for item in self.source.posts(cursor)]


def ids(items: list[SourcedItem]) -> list[str]:
    named = (item for item in items if isinstance(item, SourcedPost | Rejected))
    return [one.post.id if isinstance(one, SourcedPost) else one.reason for one in named]


async def play(tmp_path: Path, content: bytes, cursor: str | None = None) -> list[SourcedItem]:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(content)
    return await Player(path).play(cursor)


async def test_each_line_is_a_post_of_the_source_replay(tmp_path: Path) -> None:
    first, second = await play(tmp_path, line(1, text="하나") + b"\n" + line(2) + b"\n")
    assert isinstance(first, SourcedPost)
    assert isinstance(second, SourcedPost)
    assert (first.post.source, first.post.id, first.post.text) == ("replay", "1", "하나")
    assert first.post.key == post_key("replay", "1")
    assert first.cursor == str(len(line(1, text="하나")) + 1)


def test_it_is_a_source(tmp_path: Path) -> None:
    source: Source = ReplaySource(tmp_path, rate=1, clock=FakeClock())
    assert source.name == "replay"


async def test_posts_come_at_the_rate_and_are_observed_when_they_come(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b"\n".join(map(line, range(5))))
    player = Player(path, rate=4)
    started = player.clock.now()
    items = await player.play()
    seconds = [
        (item.post.observed_at - started).total_seconds()
        for item in items
        if isinstance(item, SourcedPost)
    ]
    assert seconds == [0, 0.25, 0.5, 0.75, 1.0]
    assert player.waits == [0.25] * 4


async def test_a_consumer_that_was_slow_is_not_flooded_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b"\n".join(map(line, range(50))))
    player = Player(path, rate=10)
    taken = 0
    async for _ in player.source.posts(None):
        taken += 1
        if taken == 5:
            player.clock.advance(3600)
    assert 20 < len(player.waits) < 49  # one second's posts are made up for, not an hour's


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"not json", "invalid_message"),
        (b"[]", "invalid_message"),
        (b'{"id":"1"}', "invalid_message"),
        (b'{"id":"1","url":"https://a","more":1}', "invalid_message"),
        (b'{"id":"1","url":"https://a","text":"\xff\xfe"}', "invalid_message"),
        (b'{"id":"1","url":"https://a","text":"\\ud800"}', "invalid_message"),
        (b'{"id":' + b"[" * 5000, "invalid_message"),
        (b'{"id":NaN}', "invalid_message"),
        (b"\x00", "invalid_message"),
        (b" " * (MAX_POST_BYTES + 1), "oversized_message"),
        (b"x" * (MAX_POST_BYTES + 1), "oversized_message"),
        (b"x" * (5 * MAX_POST_BYTES), "oversized_message"),
    ],
)
async def test_a_line_that_is_no_post_is_rejected_and_the_next_one_read(
    tmp_path: Path, bad: bytes, reason: str
) -> None:
    start = len(line(1)) + 1
    items = await play(tmp_path, line(1) + b"\n" + bad + b"\n" + line(2) + b"\n")
    assert ids(items) == ["1", reason, "2"]
    assert items[1] == Rejected(cursor=str(start + len(bad) + 1), reason=reason, position=start)


async def test_a_line_of_just_the_largest_size_is_a_post(tmp_path: Path) -> None:
    large = line(1) + b" " * (MAX_POST_BYTES - len(line(1)))
    assert ids(await play(tmp_path, large + b"\n" + line(2))) == ["1", "2"]
    assert ids(await play(tmp_path, large)) == ["1"]


async def test_an_endless_line_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    with path.open("wb") as file:
        file.truncate(64 * MAX_POST_BYTES)  # NULs, without a line's end
    player = Player(path)
    tracemalloc.start()
    items = await player.play()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ids(items) == ["oversized_message"]
    assert peak < 8 * MAX_POST_BYTES


@pytest.mark.parametrize(
    "content",
    [
        b"\n\n" + line(1) + b"\n  \n\t\r\n" + line(2) + b"\n\n",
        line(1) + b"\r\n" + line(2) + b"\r\n",
        b"\xef\xbb\xbf" + line(1) + b"\n" + line(2),
        line(1) + b"\n" + line(2),
    ],
)
async def test_blank_lines_line_ends_and_byte_order_marks_do_no_harm(
    tmp_path: Path, content: bytes
) -> None:
    assert ids(await play(tmp_path, content)) == ["1", "2"]


@pytest.mark.parametrize("content", [b"", b"\n", b" \n\n"])
async def test_an_empty_file_holds_no_post(tmp_path: Path, content: bytes) -> None:
    assert await play(tmp_path, content) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    st.lists(
        st.sampled_from([b"", b"  ", b"rubbish", b"x" * (MAX_POST_BYTES + 2), line(1), line(2)]),
        max_size=6,
    ),
    st.booleans(),
)
def test_from_every_cursor_the_rest_is_played(
    tmp_path: Path, lines: list[bytes], ended: bool
) -> None:
    content = b"\n".join(lines) + (b"\n" if ended else b"")
    whole = asyncio.run(play(tmp_path, content))
    for taken, item in enumerate(whole, start=1):
        rest = asyncio.run(play(tmp_path, content, item.cursor))
        assert [(one.cursor, ids([one])) for one in rest] == [
            (one.cursor, ids([one])) for one in whole[taken:]
        ]


@pytest.mark.parametrize("cursor", ["", "0", "3", "-5", "rubbish", "999999", "٣", "1e3"])
async def test_a_cursor_of_another_file_plays_the_whole_file(tmp_path: Path, cursor: str) -> None:
    content = line(1) + b"\n" + line(2) + b"\n"
    assert ids(await play(tmp_path, content, cursor)) == ["1", "2"]


async def test_a_file_that_is_missing_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        await Player(tmp_path / "none").play()


async def test_a_file_that_is_followed_is_read_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(line(1) + b"\n" + line(2)[:10])
    grown = iter([line(2)[10:], b"\n" + line(3) + b"\n"])

    async def grow(seconds: float) -> None:
        if seconds < 1:  # the pace's
            return
        with path.open("ab") as file:
            file.write(next(grown))

    source = ReplaySource(path, rate=1e9, clock=FakeClock(), sleep=grow, follow=True)
    posts = cast("AsyncGenerator[SourcedItem]", source.posts(None))
    assert ids([await anext(posts) for _ in range(3)]) == ["1", "2", "3"]
    await posts.aclose()


async def test_a_followed_file_that_was_cut_short_is_played_anew(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(line(1) + b"\n" + line(2) + b"\n")

    async def rotate(seconds: float) -> None:
        if seconds >= 1:
            path.write_bytes(line(3) + b"\n")

    source = ReplaySource(path, rate=1e9, clock=FakeClock(), sleep=rotate, follow=True)
    posts = cast("AsyncGenerator[SourcedItem]", source.posts(None))
    assert ids([await anext(posts) for _ in range(3)]) == ["1", "2", "3"]
    await posts.aclose()
