"""`agents.inbox_gauges`."""

import pytest

from agents import inbox_gauges
from agents.inbox_gauges import InboxGauges
from agents.intake import MAX_WAITING, Intake
from monitors import metrics
from monitors.database import Database
from streams.errors import DatabaseUnavailableError
from tests.agents.pipeline import a_post, store
from tests.fakes import FakeClock


async def test_the_inbox_is_measured_and_says_when_it_is_full(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_gauges, "MAX_WAITING", 2)
    assert MAX_WAITING > 2
    intake = Intake(database, clock, "here")
    gauges = InboxGauges(database, clock, intake)
    store(database, a_post(clock, 1))
    clock.advance(7)
    await gauges.look()
    assert (metrics.INBOX._value.get(), metrics.INBOX_AGE._value.get()) == (1, 7)
    full = [intake.full]
    store(database, a_post(clock, 2))
    await gauges.look()
    assert [*full, intake.full] == [False, True]


async def test_an_empty_inbox_has_no_age(database: Database, clock: FakeClock) -> None:
    await InboxGauges(database, clock, Intake(database, clock, "here")).look()
    assert (metrics.INBOX._value.get(), metrics.INBOX_AGE._value.get()) == (0, 0)


async def test_a_database_that_is_away_is_said_until_it_answers(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gauges = InboxGauges(database, clock, Intake(database, clock, "here"))

    def away() -> None:
        raise DatabaseUnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(gauges, "_waiting", away)
        with pytest.raises(DatabaseUnavailableError):
            await gauges.look()
    assert not gauges.database_answers
    await gauges.look()
    assert gauges.database_answers
