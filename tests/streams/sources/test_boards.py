"""`streams.sources.boards`, against a board of our own on loopback. No real board was read."""

import tomllib
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from streams.errors import (
    ConfigurationError,
    RateLimitedError,
    RobotsDisallowError,
    SourceError,
)
from streams.sources.boards import ATTEMPTS, BoardConfig, BoardSource
from streams.sources.catalogue import read_catalogue
from streams.sources.config import parse
from streams.sources.polite import PoliteClient
from streams.sources.source import (
    EventKind,
    Missed,
    Passed,
    Rejected,
    Removed,
    SourcedItem,
    SourcedPost,
)
from streams.types import MediaKind
from tests.fakes import FakeClock
from tests.streams.sources.hosting import Host, Sleeper, hosted

EXAMPLE = Path(__file__).parents[3] / "docs/examples/board.toml"
BASIS = "Made up for a test, 2026-11-23: the board is our own."


class Board:
    """A board in CP949, as boards in Korea are: rows, posts, and lazy pictures."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def lists(self, *pages: Iterable[int], extra: str = "") -> None:
        for at, numbers in enumerate(pages, 1):
            rows = "".join(
                f"<tr class=row><td class=no>{no}<td><a href='/view?no={no}'>제목 {no}</a>"
                for no in numbers
            )
            html = f"<meta charset=euc-kr><table>{extra}{rows}</table>"
            self.host.give(f"/list?page={at}", html.encode("cp949"))

    def post(self, number: int, words: str = "뷁 글") -> None:
        html = (
            f"<meta charset=euc-kr><div class=body>{words}"
            f"<img src=/wait.gif data-original=/{number}.jpg></div><b class=by>누구</b>"
        )
        self.host.give(f"/view?no={number}", html.encode("cp949"))

    def posts(self, *numbers: int) -> None:
        for number in numbers:
            self.post(number)

    def read(self) -> list[str]:
        """Tell which pages were asked for since, robots.txt left out."""
        paths = [path for path in self.host.paths() if path != "/robots.txt"]
        self.host.asked.clear()
        return paths


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with hosted() as host:
        yield Board(host)


@pytest.fixture
async def client(board: Board, clock: FakeClock) -> AsyncIterator[PoliteClient]:
    origins = frozenset({board.host.origin})
    client = PoliteClient(clock=clock, sleep=Sleeper(clock), allow_origins=origins)
    yield client
    await client.close()


def a_config(board: Board, **more: Any) -> BoardConfig:
    entry = {
        "kind": "board",
        "name": "board",
        "list_url": board.host.origin + "/list?page={page}",
        "list": {"row": "tr.row", "link": "a", "number": "td.no"},
        "post": {
            "text": ".body",
            "author": ".by",
            "media": [".body img"],
            "deleted_text": "삭제된 게시물",
        },
    }
    return BoardConfig.model_validate(entry | more)


@pytest.fixture
def build(board: Board, client: PoliteClient, clock: FakeClock) -> Any:
    def build(**more: Any) -> BoardSource:
        return BoardSource(
            a_config(board, **more), clock=clock, client=client, sleep=Sleeper(clock)
        )

    return build


async def readings(source: BoardSource, cursor: str | None, *turns: Any) -> list[SourcedItem]:
    """Read once, and again after each turn of events."""
    waiting, items = list(turns), []
    async with aclosing(source.posts(cursor)) as given:  # type: ignore[type-var]
        async for item in given:
            items.append(item)
            if item == Passed(cursor=item.cursor, counts={EventKind.HEARTBEAT: 1}):
                if not waiting:
                    return items
                waiting.pop(0)()
    return items


def numbers(items: list[SourcedItem]) -> list[str]:
    return [item.post.id for item in items if isinstance(item, SourcedPost)]


def rejected(items: list[SourcedItem]) -> list[tuple[str, int, str]]:
    return [(i.reason, i.position, i.cursor) for i in items if isinstance(i, Rejected)]


async def test_new_posts_are_read_in_the_order_of_their_numbers(board: Board, build: Any) -> None:
    board.lists([3, 2, 1])
    board.posts(1, 2, 3)
    items = await readings(build(pages=1), None)
    assert numbers(items) == ["1", "2", "3"]
    first = items[0]
    assert isinstance(first, SourcedPost)
    assert (first.cursor, first.kind, first.post.source) == ("1", EventKind.POST, "board")
    assert (first.post.text, first.post.author) == ("제목 1\n뷁 글", "누구")
    assert first.post.url == f"{board.host.origin}/view?no=1"
    (picture,) = first.post.media
    assert (picture.url, picture.kind) == (f"{board.host.origin}/1.jpg", MediaKind.IMAGE)
    assert items[-1] == Passed(cursor="3", counts={EventKind.HEARTBEAT: 1})


async def test_the_list_is_read_until_it_meets_the_cursor(board: Board, build: Any) -> None:
    notice = "<tr class=row><td class=no>1<td><a href='/view?no=1'>공지</a>"
    board.lists([9, 8], [7, 6], [5, 4], extra=notice)
    board.posts(*range(1, 10))
    items = await readings(build(pages=3, reread=0), "6")
    assert numbers(items) == ["7", "8", "9"]
    assert board.read()[:2] == ["/list?page=1", "/list?page=2"]
    assert not any(isinstance(item, Missed) for item in items)


async def test_a_list_that_ran_over_is_missed(board: Board, build: Any) -> None:
    board.lists([9, 8], [7, 6])
    board.posts(6, 7, 8, 9)
    items = await readings(build(pages=2), "3")
    assert items[0] == Missed(cursor="3", reason="list_overflow")
    assert numbers(items) == ["6", "7", "8", "9"]


async def test_an_edit_is_a_post_of_its_own_and_what_is_the_same_is_not(
    board: Board, build: Any
) -> None:
    board.lists([2, 1])
    board.posts(1, 2)
    items = await readings(build(pages=1), None, lambda: None)
    assert numbers(items) == ["1", "2"]
    assert len(items) == 4
    assert board.read()[-3:] == ["/list?page=1", "/view?no=2", "/view?no=1"]
    source = build(pages=1)
    items = await readings(source, None, lambda: board.post(2, "고침"))
    edit = [item for item in items if isinstance(item, SourcedPost)][-1]
    assert (edit.kind, edit.post.id, edit.post.text) == (EventKind.EDIT, "2", "제목 2\n고침")
    assert edit.cursor == "2"


async def test_after_a_restart_what_the_list_shows_is_read_again(board: Board, build: Any) -> None:
    board.lists([3, 2, 1])
    board.posts(1, 2, 3)
    board.host.give("/view?no=2", status=410)
    items = await readings(build(pages=1, reread=2), "3")
    assert numbers(items) == ["3"]
    assert [item.post_id for item in items if isinstance(item, Removed)] == ["2"]


@pytest.mark.parametrize("how", ["404", "410", "said"])
async def test_a_known_post_that_is_gone_is_removed_once(
    board: Board, build: Any, how: str
) -> None:
    board.lists([2, 1])
    board.posts(1, 2)

    def gone() -> None:
        board.lists([2])
        said = "<script>alert('삭제된 게시물입니다.')</script>".encode("cp949")
        status = 200 if how == "said" else int(how)
        board.host.give("/view?no=1", said, status=status)

    items = await readings(build(pages=1), None, gone, lambda: None)
    removed = [item for item in items if isinstance(item, Removed)]
    assert removed == [Removed(cursor="2", network="board", reason="deleted", post_id="1")]


async def test_a_new_row_whose_post_is_gone_passes(board: Board, build: Any) -> None:
    board.lists([2, 1])
    board.posts(2)
    items = await readings(build(pages=1), None)
    assert items[0] == Passed(cursor="1", counts={EventKind.DELETION: 1})
    assert numbers(items) == ["2"]


async def test_robots_txt_is_heeded(board: Board, build: Any, clock: FakeClock) -> None:
    board.lists([2, 1])
    board.posts(1, 2)
    board.host.give("/robots.txt", "User-agent: *\nDisallow: /view\nCrawl-delay: 20\n")
    began = clock.monotonic()
    items = await readings(build(pages=1), None, lambda: None)
    assert rejected(items) == [("robots_disallow", 1, "1"), ("robots_disallow", 2, "2")]
    assert set(board.read()) == {"/list?page=1"}
    assert clock.monotonic() - began >= 60
    board.host.give("/robots.txt", "User-agent: *\nDisallow: /\n")
    with pytest.raises(RobotsDisallowError):
        await readings(build(), None)
    assert board.read() == []
    board.host.give("/robots.txt", status=500)
    with pytest.raises(SourceError):
        await readings(build(), None)
    assert board.read() == []


async def test_a_recorded_legal_basis_goes_before_robots_txt(board: Board, build: Any) -> None:
    board.lists([1])
    board.posts(1)
    board.host.give("/robots.txt", "User-agent: *\nDisallow: /\n")
    assert numbers(await readings(build(pages=1, legal_basis=BASIS), None)) == ["1"]
    assert "/robots.txt" not in board.host.paths()


async def test_no_row_leads_to_another_host(board: Board, build: Any) -> None:
    async with hosted() as other:
        row = f"<tr class=row><td class=no>9<td><a href='{other.origin}/view?no=9'>x</a>"
        board.lists([2, 1], extra=row + "<tr class=row><td>공지")
        board.posts(1)
        board.host.give("/view?no=2", status=302, Location=f"{other.origin}/x")
        items = await readings(build(pages=1), None)
        assert other.asked == []
    assert rejected(items) == [("other_host", 0, ""), ("forbidden_address", 2, "2")]
    assert Passed(cursor="", counts={EventKind.OTHER: 1}) in items
    assert numbers(items) == ["1"]


@pytest.mark.parametrize("body", ["", "<p>no rows", "<div>" * 200_000, bytes(9 * 2**20)])
async def test_a_list_that_cannot_be_read_is_told(
    board: Board, build: Any, body: str | bytes
) -> None:
    board.host.give("/list?page=1", body)
    expected = SourceError if isinstance(body, str) else ConfigurationError
    with pytest.raises(expected):
        await readings(build(), None)


async def test_a_hostile_post_does_not_hide_what_it_names(board: Board, build: Any) -> None:
    board.lists([4, 3, 2, 1])
    board.posts(4)
    board.host.give("/view?no=1", "<div>" * 200_000 + '<img src="/true.jpg">')
    board.host.give("/view?no=2", "<form>password</form>")
    board.host.give("/view?no=3", status=403)
    items = await readings(build(pages=1), None)
    assert rejected(items) == [
        ("unreadable_page", 2, "2"),
        ("unauthorized", 3, "3"),
    ]
    assert numbers(items) == ["1", "4"]
    [first] = [one for one in items if isinstance(one, SourcedPost) and one.post.id == "1"]
    assert [one.url.rpartition("/")[2] for one in first.post.media] == ["true.jpg"]


async def test_a_page_that_never_comes_does_not_stop_the_board(board: Board, build: Any) -> None:
    board.lists([2, 1])
    board.posts(2)
    board.host.give("/view?no=1", status=500)
    source = build(pages=1)
    for _ in range(ATTEMPTS - 1):
        with pytest.raises(SourceError):
            await readings(source, None)
    items = await readings(source, None)
    assert rejected(items) == [("source_unavailable", 1, "1")]
    assert numbers(items) == ["2"]


async def test_a_known_post_that_does_not_come_is_no_removal(board: Board, build: Any) -> None:
    board.lists([1])
    board.posts(1)
    items = await readings(build(pages=1), None, lambda: board.host.give("/view?no=1", status=500))
    assert Passed(cursor="1", counts={EventKind.OTHER: 1}) in items
    assert not any(isinstance(item, Removed) for item in items)


async def test_a_board_that_asks_to_be_left_alone_is(board: Board, build: Any) -> None:
    board.lists([2, 1])
    board.posts(1)
    board.host.give("/view?no=2", status=429, Retry_After="90")
    with pytest.raises(RateLimitedError):
        await readings(build(pages=1), None)


async def test_what_moved_to_another_host_is_not_read(board: Board, clock: FakeClock) -> None:
    async with hosted() as other:
        origins = frozenset({board.host.origin, other.origin})
        source = BoardSource(
            a_config(board, pages=1), clock=clock, sleep=Sleeper(clock), allow_origins=origins
        )
        board.lists([1])
        other.give("/view?no=1", "<div class=body>x</div>")
        board.host.give("/view?no=1", status=302, Location=f"{other.origin}/view?no=1")
        items = await readings(source, None)
        assert rejected(items) == [("unreadable_page", 1, "1")]
        other.give("/list?page=1", "<tr class=row>")
        board.host.give("/list?page=1", status=301, Location=f"{other.origin}/list?page=1")
        with pytest.raises(SourceError, match="another host"):
            await readings(source, None)
        await source.close()


async def test_a_cursor_of_another_source_is_told(board: Board, build: Any) -> None:
    board.lists([1])
    board.posts(1)
    items = await readings(build(pages=1), "at://other")
    assert items[0] == Missed(cursor="", reason="cursor_unusable")
    assert numbers(items) == ["1"]


async def test_private_origins_are_reached_where_they_were_allowed(
    board: Board, clock: FakeClock
) -> None:
    board.lists([1])
    board.posts(1)
    config = a_config(board, pages=1)
    refused = BoardSource(config, clock=clock, sleep=Sleeper(clock))
    with pytest.raises(ConfigurationError):
        await readings(refused, None)
    await refused.close()
    origins = frozenset({board.host.origin})
    allowed = BoardSource(config, clock=clock, sleep=Sleeper(clock), allow_origins=origins)
    assert numbers(await readings(allowed, None)) == ["1"]
    await allowed.close()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("list_url", "https://board.example.com/list"),
        ("list_url", "ftp://board.example.com/list?{page}"),
        ("list_url", "https://{page}.example.com/list"),
        ("encoding", "klingon"),
        ("poll_seconds", 29),
        ("delay_seconds", 0.5),
        ("legal_basis", "yes"),
        ("list", {"row": "tr[", "link": "a"}),
        ("post", {"text": ".a", "media": ["img["]}),
        ("post", {"text": ".a", "media": []}),
    ],
)
def test_what_cannot_work_is_refused_by_its_field(board: Board, field: str, value: Any) -> None:
    entry = a_config(board).model_dump(exclude_defaults=True) | {"kind": "board", field: value}
    with pytest.raises(ConfigurationError, match=field):
        parse(BoardConfig, entry, "stream 1")


def test_the_example_is_one() -> None:
    (named,) = read_catalogue(EXAMPLE).streams
    assert isinstance(named.config, BoardConfig)
    assert tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["stream"][0]["kind"] == "board"


async def test_the_catalogue_builds_it(clock: FakeClock) -> None:
    (named,) = read_catalogue(EXAMPLE).streams
    source = named.build(clock)
    assert isinstance(source, BoardSource)
    await source.close()
