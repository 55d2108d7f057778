"""`agents.intake`."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import sqlalchemy as sa

from agents import intake as intake_module
from agents.intake import Intake
from monitors import inbox
from monitors.database import Database
from monitors.tables import cursors, dead_letters
from streams.errors import ConfigurationError, InboxFullError, OversizedMessageError, TransientError
from streams.schemas import MAX_MEDIA
from streams.sources.source import Rejected, SourcedItem, SourcedPost
from streams.types import MediaItem
from tests.agents.pipeline import a_post, until
from tests.fakes import FakeClock


class Script:
    """A source that plays what it is told; an exception in it is raised once."""

    name = "replay"

    def __init__(self, *items: SourcedItem | Exception, hangs: bool = False) -> None:
        self._items = list(items)
        self._hangs = hangs
        self.resumed: list[str | None] = []

    async def posts(self, cursor: str | None) -> AsyncIterator[SourcedItem]:
        self.resumed.append(cursor)
        for item in list(self._items):
            if isinstance(item, Exception):
                self._items.remove(item)
                raise item
            if cursor is None or int(item.cursor) > int(cursor):
                yield item
        if self._hangs:
            await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(intake_module, "LINGER_SECONDS", 0.01)


@pytest.fixture
def intake(database: Database, clock: FakeClock) -> Intake:
    return Intake(database, clock, "here")


def items(clock: FakeClock, numbers: Sequence[int]) -> list[SourcedItem]:
    return [SourcedPost(post=a_post(clock, n), cursor=str(n)) for n in numbers]


def waiting(database: Database) -> int:
    with database.read() as connection:
        return inbox.waiting(connection).posts


async def test_a_source_is_read_to_its_end_into_the_inbox(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    source = Script(*items(clock, range(1, 251)))
    await intake.read(source)
    assert waiting(database) == 250
    assert intake.arrived.is_set()
    with database.write() as connection:
        rows = dict(connection.execute(sa.select(cursors.c.source, cursors.c.cursor)).all())
    assert rows == {"replay": "250"}
    assert source.resumed == [None]


async def test_each_row_knows_from_where_its_source_gives_it_again(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    posts = []
    for number in (1, 2, 3):
        posts.append(SourcedPost(post=a_post(clock, number), cursor=str(10 * number)))
        clock.advance(1)
    await intake.read(Script(*posts))
    with database.read() as connection:
        assert inbox.resume_cursor(connection, "replay") is None
    with database.write() as connection:
        inbox.end_dead(connection, posts[0].post.key, "bug", clock.now())
    again = Script()
    await intake.read(again)
    assert again.resumed == ["10"]


async def test_what_is_no_post_is_a_dead_letter_once_and_the_rest_goes_on(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    huge = SourcedPost(
        post=a_post(
            clock, 2, media=(MediaItem(url="https://h.example/", alt_text="한" * 9000),) * MAX_MEDIA
        ),
        cursor="3",
    )
    script = [
        *items(clock, [1]),
        Rejected(cursor="2", reason="invalid_message", position=77),
        huge,
        *items(clock, [4]),
    ]
    await intake.read(Script(*script))
    await intake.read(Script(*script))
    assert waiting(database) == 2
    with database.read() as connection:
        letters = connection.execute(
            sa.select(dead_letters).order_by(dead_letters.c.record_offset)
        ).all()
    assert [(one.epoch, one.topic, one.reason) for one in letters] == [
        ("source", "source:replay", "invalid_message"),
        ("source", "source:replay", "oversized_message"),
    ]
    assert letters[0].record_offset == 77


async def test_an_interrupted_source_is_taken_up_again(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    source = Script(*items(clock, [1]), TransientError("away"), *items(clock, [2]))
    await intake.read(source)
    assert len(source.resumed) == 2
    assert waiting(database) == 2


async def test_a_failure_that_comes_with_an_item_is_not_lost(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    for number in range(1, 20):
        source = Script(*items(clock, [number]), TransientError("away"))
        async with asyncio.timeout(5):
            await intake.read(source)
    assert waiting(database) == 19


async def test_a_source_that_cannot_work_is_said(intake: Intake, clock: FakeClock) -> None:
    with pytest.RaisesGroup(ConfigurationError):
        await intake.read(Script(ConfigurationError("no such file")))


async def test_another_collector_waits_until_the_lease_ends(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    other = Intake(database, clock, "there")
    reading = asyncio.ensure_future(intake.read(Script(*items(clock, [1]), hangs=True)))
    await until(lambda: waiting(database) == 1)
    second = Script(*items(clock, [2]))
    taking = asyncio.ensure_future(other.read(second))
    await asyncio.sleep(0.1)
    assert second.resumed == []
    reading.cancel()
    await intake.release()
    async with asyncio.timeout(5):
        await taking
    assert waiting(database) == 2


async def test_a_full_inbox_makes_sources_wait_and_pushes_fail(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    intake.full = True
    reading = asyncio.ensure_future(intake.read(Script(*items(clock, [1]))))
    with pytest.raises(InboxFullError):
        await intake.accept([a_post(clock, 9)])
    await asyncio.sleep(0.1)
    assert waiting(database) == 0
    intake.full = False
    async with asyncio.timeout(5):
        await reading
    assert waiting(database) == 1


async def test_what_is_pushed_is_stored_before_it_is_answered(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    result = await intake.accept([a_post(clock, 1), a_post(clock, 2), a_post(clock, 1)])
    assert (result.accepted, result.duplicates) == (2, 1)
    assert waiting(database) == 2
    assert (await intake.accept([])).accepted == 0


async def test_a_push_that_cannot_be_kept_is_refused_whole(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    media = (MediaItem(url="https://h.example/", alt_text="한" * 9000),) * MAX_MEDIA
    with pytest.raises(OversizedMessageError):
        await intake.accept([a_post(clock, 1), a_post(clock, 2, media=media)])
    assert waiting(database) == 0
