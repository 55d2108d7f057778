"""`agents.seen_again`."""

import contextlib
from collections.abc import Sequence

import pytest

from agents import seen_again
from agents.filing import Filing
from agents.seen_again import CAP, SeenAgain
from monitors import seen, seen_views
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.keywords import WatchedKeyword
from monitors.lookback import LookBackStore, MemoryLookBackStore, SeenFingerprint
from monitors.references import Enroller
from monitors.register import CaseRegister
from streams.sources.source import Truncated
from streams.types import CaseId, KeywordId, MediaItem, Post
from tests.agents.pipeline import a_post
from tests.fakes import FakeClock, FakeRecogniser, an_adults_case, fingerprint_of, picture_bytes

SPACE = FakeRecogniser().space
KEYWORD = "해치공주"


class Kept(MemoryLookBackStore):
    """A store that outlives its closing, as a directory does."""

    def close(self) -> None:
        pass


@pytest.fixture
def store() -> Kept:
    return Kept()


@pytest.fixture
async def case(register: CaseRegister) -> CaseId:
    opened = register.open(an_adults_case("A")).id
    await Enroller(register, FakeRecogniser()).enrol_bytes(opened, picture_bytes(1))
    return opened


@pytest.fixture
def again(database: Database, keystore: KeyStore, clock: FakeClock, store: Kept) -> SeenAgain:
    word = WatchedKeyword(case=CaseId("c"), keyword=KeywordId("k"), text=KEYWORD)
    opened: list[LookBackStore] = [store]
    return SeenAgain(
        database=database,
        keystore=keystore,
        open_store=lambda: opened[0],
        file=Filing(database, lambda: store).file,
        watched=lambda _case: [word],
        clock=clock,
        days=7,
    )


def remember(
    database: Database, clock: FakeClock, number: int, *, picture: int, text: str = ""
) -> Post:
    """Remember a post that shows a picture of this number."""
    media = (MediaItem(url=f"https://host.example/{number}.jpg"),)
    post = a_post(clock, number, media=media, text=text)
    fingerprint = SeenFingerprint(
        post=post.key,
        medium=0,
        at_seconds=0.0,
        vector=fingerprint_of(picture).embeddings[0],
        pdq=None,
        observed_at=post.observed_at,
    )
    with database.write() as connection:
        seen.remember(connection, [(post, seen.compressed(post))])
        seen_views.put(connection, SPACE, [fingerprint])
    return post


async def found(again: SeenAgain, case: CaseId) -> list[Sequence[Post] | Truncated]:
    async with contextlib.aclosing(again.find(case)) as finding:
        return [item async for item in finding]  # type: ignore[misc]


def keys(items: Sequence[object]) -> list[str]:
    return [post.key for some in items if isinstance(some, list) for post in some]


async def test_what_looks_alike_comes_first_and_what_was_written_after_it(
    again: SeenAgain, case: CaseId, database: Database, clock: FakeClock
) -> None:
    written = remember(database, clock, 1, picture=91, text=f"여기 {KEYWORD} 있어요")
    alike = remember(database, clock, 2, picture=1)
    both = remember(database, clock, 3, picture=1, text=KEYWORD)
    remember(database, clock, 4, picture=92, text="오늘 날씨")
    clock.advance(60)
    items = await found(again, case)
    assert set(keys(items)[:2]) == {alike.key, both.key}
    assert keys(items)[2:] == [written.key]
    [post] = [one for some in items if isinstance(some, list) for one in some if one.id == "2"]
    assert (post.source, post.network, post.key) == ("lookback", "replay", alike.key)
    assert post.observed_at == clock.now(), "its clock starts with the search"


async def test_what_is_older_than_what_is_kept_is_not_found(
    again: SeenAgain, case: CaseId, database: Database, clock: FakeClock
) -> None:
    remember(database, clock, 1, picture=1, text=KEYWORD)
    clock.advance(8 * 86_400)
    assert keys(await found(again, case)) == []


async def test_more_than_can_be_inspected_is_said(
    again: SeenAgain,
    case: CaseId,
    database: Database,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seen_again, "MOST_HITS", 2)
    for number in range(4):
        remember(database, clock, number, picture=90 + number, text=KEYWORD)
    items = await found(again, case)
    assert len(keys(items)) == 2
    assert Truncated(reason=CAP) in items


async def test_texts_are_read_until_their_time_is_over(
    again: SeenAgain,
    case: CaseId,
    database: Database,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seen_again, "TEXT_SECONDS", -1.0)
    for number in range(4):
        remember(database, clock, number, picture=90 + number, text="오늘")
    assert Truncated(reason="time") in await found(again, case)


async def test_a_withdrawn_case_finds_nothing(
    again: SeenAgain, case: CaseId, database: Database, clock: FakeClock, register: CaseRegister
) -> None:
    remember(database, clock, 1, picture=1)
    assert len(keys(await found(again, case))) == 1
    register.withdraw("A")
    assert keys(await found(again, case)) == []
