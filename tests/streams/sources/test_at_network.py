"""The AT Protocol's adapters against its own PDS, PLC directory and AppView, on loopback."""

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.clock import SystemClock
from streams.errors import MediaVanishedError, StalledError, UnauthorizedError
from streams.media.blobs import BlobFetcher
from streams.media.fetcher import GuardedFetcher
from streams.media.politeness import LocalPoliteness
from streams.sources.at_canary import AtCanary, AtCanaryConfig
from streams.sources.at_records import POSTS, PROFILES
from streams.sources.at_search import AtSearch, AtSearchConfig
from streams.sources.config import Token
from streams.sources.firehose import FirehoseConfig, FirehoseSource
from streams.sources.source import (
    EventKind,
    Missed,
    Query,
    Rejected,
    Removed,
    Restored,
    SourcedItem,
    SourcedPost,
)
from streams.types import MediaKind, Post
from tests.at_network import PASSWORD, AtAccount, AtNetwork, noise_png

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.timeout(700)]

MP4 = bytes.fromhex("000000186674797069736f6d0000020069736f6d6d703432") + secrets.token_bytes(500)
"""What a PDS takes for a video by its first bytes; nothing here decodes it."""


@pytest.fixture
def account(at_network: AtNetwork) -> AtAccount:
    return at_network.account(f"u{secrets.token_hex(5)}")


@pytest.fixture
async def blobs(at_network: AtNetwork) -> AsyncIterator[BlobFetcher]:
    fetcher = GuardedFetcher("haechi-test/1", LocalPoliteness(), allow_origins=at_network.origins)
    yield BlobFetcher(fetcher.fetch, plc_url=at_network.plc, clock=SystemClock())
    await fetcher.close()


def firehose(at_network: AtNetwork) -> FirehoseSource:
    config = FirehoseConfig(name="relay", url=at_network.firehose, silent_seconds=3)
    return FirehoseSource(config, clock=SystemClock())


async def read(
    source: FirehoseSource, cursor: str | None, until: Callable[[list[SourcedItem]], bool]
) -> list[SourcedItem]:
    """Read until enough came."""
    items: list[SourcedItem] = []
    async with asyncio.timeout(20), aclosing(source.posts(cursor)) as given:  # type: ignore[type-var]
        async for item in given:
            items.append(item)
            if until(items):
                break
    return items


def ends_with(post_id: str) -> Callable[[list[SourcedItem]], bool]:
    return lambda items: isinstance(last := items[-1], SourcedPost) and last.post.id == post_id


def is_back(account: AtAccount) -> Callable[[list[SourcedItem]], bool]:
    return lambda items: (
        sum(isinstance(one, Restored) and one.author == account.did for one in items) == 2
    )


async def test_everything_that_an_account_does_comes_through_the_firehose(
    at_network: AtNetwork, account: AtAccount, blobs: BlobFetcher
) -> None:
    pictures = [noise_png(1), noise_png(2)]
    pictured = account.post("사진 두 장", pngs=pictures)
    filmed = account.post("영상", mp4=MP4)
    edited = account.put(POSTS, pictured.rkey, {"text": "고침"})
    face = {"avatar": account.upload(noise_png(3), "image/png"), "displayName": "아무개"}
    account.put(PROFILES, "self", face)
    account.delete(filmed)
    account.deactivate()
    account.activate()

    items = await read(firehose(at_network), "0", is_back(account))

    ours = [one for one in items if isinstance(one, SourcedPost) and one.post.author == account.did]
    post, film, edit, profile = ours
    assert [one.kind for one in ours] == [
        EventKind.POST, EventKind.POST, EventKind.EDIT, EventKind.PROFILE,
    ]  # fmt: skip
    assert (post.post.id, post.post.revision) == (pictured.uri, pictured.cid)
    assert (edit.post.id, edit.post.revision) == (pictured.uri, edited.cid)
    assert (post.post.text, edit.post.text, profile.post.text) == ("사진 두 장", "고침", "아무개")
    assert [one.kind for one in post.post.media] == [MediaKind.IMAGE] * 2
    assert [one.kind for one in film.post.media] == [MediaKind.VIDEO]
    assert len(profile.post.media) == 1
    gone = [one for one in items if isinstance(one, Removed) and one.author == account.did]
    assert [(one.post_id, one.reason) for one in gone] == [
        (filmed.uri, "deleted"),
        (None, "account_deactivated"),
    ]
    assert not [one for one in items if isinstance(one, Rejected | Missed)]
    assert [int(one.cursor) for one in items] == sorted(int(one.cursor) for one in items)

    assert (await blobs.fetch(profile.post.media[0].url)).body == noise_png(3)
    with pytest.raises(MediaVanishedError):
        await blobs.fetch(film.post.media[0].url)


async def test_the_very_bytes_come_and_those_of_a_deactivated_account_are_gone(
    at_network: AtNetwork, account: AtAccount, blobs: BlobFetcher
) -> None:
    account.post("x", pngs=[noise_png(4)])
    account.post("y", mp4=MP4)
    source = firehose(at_network)
    of_ours = await read(
        source,
        "0",
        lambda items: isinstance(items[-1], SourcedPost) and items[-1].post.text == "y",
    )
    posts = [one.post for one in of_ours if isinstance(one, SourcedPost)]
    urls = [one.media[0].url for one in posts if one.author == account.did]
    assert [(await blobs.fetch(url)).body for url in urls] == [noise_png(4), MP4]
    account.deactivate()
    for url in urls:
        with pytest.raises(MediaVanishedError):
            await blobs.fetch(url)


async def test_reading_goes_on_after_the_cursor_and_gives_nothing_twice(
    at_network: AtNetwork, account: AtAccount
) -> None:
    named = [account.post(f"post {n}").uri for n in range(6)]

    def posted(items: list[SourcedItem]) -> list[str]:
        posts = [one.post for one in items if isinstance(one, SourcedPost)]
        return [one.id for one in posts if one.author == account.did]

    def has(items: list[SourcedItem], most: int) -> bool:
        return len(posted(items)) == most

    seen: list[str] = []
    cursor = "0"
    while len(seen) < len(named):  # each call is a process that was killed after two posts
        enough = min(2, len(named) - len(seen))
        until = partial(has, most=enough)
        items = await read(firehose(at_network), cursor, until)
        seen, cursor = seen + posted(items), items[-1].cursor
    assert seen == named


async def test_a_quiet_network_is_told_from_one_that_lives(at_network: AtNetwork) -> None:
    config = FirehoseConfig(name="relay", url=at_network.firehose, silent_seconds=0.2)
    with pytest.raises(StalledError):
        async for _ in FirehoseSource(config, clock=SystemClock()).posts(None):
            pass


async def test_a_cursor_of_the_future_is_entered_and_everything_is_read(
    at_network: AtNetwork, account: AtAccount
) -> None:
    mine = account.post("x").uri
    items = await read(
        firehose(at_network),
        str(10**9),
        ends_with(mine),
    )
    assert isinstance(items[0], Missed)
    assert items[0].reason == "cursor_in_future"


async def test_a_cursor_that_is_too_old_is_entered_where_the_pds_says_so(
    at_network: AtNetwork, account: AtAccount
) -> None:
    account.post("old")
    with aged(at_network, account) as last:
        mine = account.post("new").uri
        missed, *rest = await read(firehose(at_network), "1", ends_with(mine))
    assert isinstance(missed, Missed)
    assert missed.reason == "cursor_too_old"
    assert int(missed.cursor) >= last
    assert rest


@contextmanager
def aged(at_network: AtNetwork, account: AtAccount) -> Iterator[int]:
    """Let the PDS believe that what it kept so far is years old; give the last number of that."""
    open_files = Path(f"/proc/{at_network.process.pid}/fd").iterdir()
    files = {str(file.resolve()) for file in open_files}
    for file in sorted(name for name in files if name.endswith("sequencer.sqlite")):
        with closing(sqlite3.connect(file, timeout=10)) as connection:
            kept = connection.execute("SELECT sequencedAt, seq, did FROM repo_seq").fetchall()
            if account.did not in {did for *_, did in kept}:
                continue  # another service's
            with connection:
                connection.execute("UPDATE repo_seq SET sequencedAt = '2020-01-01T00:00:00.000Z'")
            yield max(seq for _, seq, _ in kept)
            with connection:
                again = "UPDATE repo_seq SET sequencedAt = ? WHERE seq = ?"
                connection.executemany(again, [one[:2] for one in kept])
            return
    raise AssertionError("the PDS keeps its firehose elsewhere")


async def test_korean_is_found_by_the_appview_with_the_key_of_the_stream(
    at_network: AtNetwork, account: AtAccount
) -> None:
    word = "해치" + secrets.token_hex(4)
    mine = account.post(f"여기 {word} 있어요", pngs=[noise_png(5)])
    at_network.catch_up()
    password = Token(value=SecretStr(PASSWORD))
    signed_in = AtSearchConfig(
        name="bluesky", url=at_network.pds, identifier=account.handle, password=password
    )
    for config in (signed_in, AtSearchConfig(name="open", url=at_network.bsky)):
        search = AtSearch(config, clock=SystemClock())
        (post,) = [one async for one in search.search(Query(words=word))]
        assert isinstance(post, Post)
        assert (post.id, post.revision, post.author) == (mine.uri, mine.cid, account.did)
        assert post.media[0].url.startswith(f"at+blob://{account.did}/")


async def test_a_canary_is_seen_by_the_stream_and_then_is_gone(
    at_network: AtNetwork, account: AtAccount
) -> None:
    password = Token(value=SecretStr(PASSWORD))
    config = AtCanaryConfig(pds=at_network.pds, identifier=account.handle, password=password)
    canary = AtCanary(config, clock=SystemClock())
    name = await canary.publish()
    await canary.withdraw(name)
    await canary.withdraw(name)
    items = await read(
        firehose(at_network),
        "0",
        lambda some: isinstance(some[-1], Removed) and some[-1].post_id == name,
    )
    assert name in [one.post.id for one in items if isinstance(one, SourcedPost)]


async def test_a_wrong_password_is_unauthorized(at_network: AtNetwork, account: AtAccount) -> None:
    wrong = Token(value=SecretStr("wrong"))
    config = AtCanaryConfig(pds=at_network.pds, identifier=account.handle, password=wrong)
    with pytest.raises(UnauthorizedError):
        await AtCanary(config, clock=SystemClock()).publish()
