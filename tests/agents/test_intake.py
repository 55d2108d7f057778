"""`agents.intake`."""

import pytest

from agents.intake import Intake
from monitors import inbox
from monitors.database import Database
from streams.errors import InboxFullError, OversizedMessageError
from streams.schemas import MAX_MEDIA
from streams.types import MediaItem
from tests.agents.pipeline import a_post
from tests.fakes import FakeClock


@pytest.fixture
def intake(database: Database, clock: FakeClock) -> Intake:
    return Intake(database, clock, "here")


def waiting(database: Database) -> int:
    with database.read() as connection:
        return inbox.waiting(connection).posts


async def test_a_full_inbox_makes_pushes_fail(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    intake.full = True
    with pytest.raises(InboxFullError):
        await intake.accept([a_post(clock, 9)])
    assert waiting(database) == 0
    intake.full = False
    await intake.accept([a_post(clock, 9)])
    assert waiting(database) == 1


async def test_what_is_pushed_is_stored_before_it_is_answered(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    result = await intake.accept([a_post(clock, 1), a_post(clock, 2), a_post(clock, 1)])
    assert (result.accepted, result.duplicates) == (2, 1)
    assert waiting(database) == 2
    assert intake.arrived.is_set()
    assert (await intake.accept([])).accepted == 0


async def test_a_push_that_cannot_be_kept_is_refused_whole(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    media = (MediaItem(url="https://h.example/", alt_text="한" * 9000),) * MAX_MEDIA
    with pytest.raises(OversizedMessageError):
        await intake.accept([a_post(clock, 1), a_post(clock, 2, media=media)])
    assert waiting(database) == 0


async def test_what_is_given_up_is_free_for_others_at_once(
    intake: Intake, database: Database, clock: FakeClock
) -> None:
    with database.write() as connection:
        assert inbox.lease(connection, "board", "here", clock.now(), 15)
        assert not inbox.lease(connection, "board", "there", clock.now(), 15)
    await intake.release()
    with database.write() as connection:
        assert inbox.lease(connection, "board", "there", clock.now(), 15)
