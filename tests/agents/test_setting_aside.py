"""`agents.setting_aside`, on both databases."""

from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from agents.sending import Keyed
from agents.setting_aside import SettingAside
from monitors import inbox, metrics
from monitors.database import Database
from monitors.dead_letters import DeadLetter
from monitors.tables import dead_letters, outcomes
from streams import topics
from streams.errors import BrokerUnavailableError
from streams.schemas import DeadLetterRecord, post_key
from streams.types import Post
from tests.fakes import FakeClock

LETTER = DeadLetter(
    epoch="haechi-1",
    topic=topics.POSTS,
    partition=1,
    offset=7,
    agent="triage",
    reason="bug",
    error="KeyError",
)


class Sent:
    """A `Send` that fails as often as told, then keeps what it is given."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.records: list[tuple[str, Keyed]] = []

    async def __call__(self, topic: str, records: Sequence[Keyed]) -> None:
        if self.failures:
            self.failures -= 1
            raise BrokerUnavailableError
        self.records.extend((topic, record) for record in records)


@pytest.fixture
def post(database: Database, clock: FakeClock) -> Post:
    waiting = Post(
        key=post_key("push", "1"),
        source="push",
        id="1",
        url="https://h.example/1",
        observed_at=clock.now(),
    )
    with database.write() as connection:
        inbox.add(connection, [inbox.Arrival(post=waiting, payload=inbox.payload_of(waiting))])
    return waiting


def counted(outcome: str) -> float:
    value: float = metrics.ENDED.labels("push", outcome)._value.get()
    return value


async def test_the_row_the_post_and_the_copy(
    database: Database, clock: FakeClock, post: Post
) -> None:
    sent, before = Sent(failures=1), counted("dead")
    set_aside = SettingAside(database, sent, clock)
    with pytest.raises(BrokerUnavailableError):
        await set_aside(LETTER, post.key)
    await set_aside(LETTER, post.key)
    with database.read() as connection:
        [letter] = connection.execute(sa.select(dead_letters)).all()
        [end] = connection.execute(sa.select(outcomes)).all()
        assert inbox.waiting(connection).posts == 0
    assert (letter.record_offset, letter.reason) == (7, "bug")
    assert (end.outcome, end.reason, end.source) == ("dead", "bug", "push")
    assert counted("dead") - before == 1
    [(topic, (_, value))] = sent.records
    assert topic == topics.DEAD_LETTERS
    assert DeadLetterRecord.from_bytes(value).offset == 7


async def test_a_letter_without_a_post_is_written_alone(
    database: Database, clock: FakeClock
) -> None:
    await SettingAside(database, Sent(), clock)(LETTER, None)
    with database.read() as connection:
        assert connection.execute(sa.select(outcomes)).all() == []
        assert len(connection.execute(sa.select(dead_letters)).all()) == 1
