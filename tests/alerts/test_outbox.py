"""`alerts.outbox`, against real servers and both databases."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from alerts.channels import webhook
from alerts.channels.webhook import MAX_PAYLOAD_BYTES, Endpoint, build_client
from alerts.outbox import (
    JITTER,
    LEASE_SECONDS,
    RETRY_SECONDS,
    Event,
    announce,
    deliver_due,
    deliver_forever,
    next_attempt,
    payload_of,
    replay,
)
from alerts.severity import Severity
from monitors.database import Database
from monitors.tables import deliveries, outbox
from streams.types import TaskId
from tests.alerts.receiver import HANG, Receiver, receiver
from tests.alerts.rows import add_case, add_task
from tests.fakes import FakeClock
from tests.servers import free_port

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
LINK = "https://console.example"
DAY = 86_400


def event(number: int, now: datetime, task: str = "t" * 32) -> Event:
    return Event(
        id=f"{number:032x}",
        kind="task.opened",
        task=TaskId(task),
        severity=Severity.HIGH,
        observed_at=now - timedelta(seconds=20),
        opened_at=now,
        created_at=now,
    )


@pytest.fixture
def clock() -> FakeClock:
    """Near the machine's own time: the reference library refuses old signatures."""
    return FakeClock(datetime.now(UTC))


def fill(database: Database, clock: FakeClock, events: int = 1, endpoints: int = 1) -> None:
    with database.write() as connection:
        case, content = add_case(connection, clock.now())
        add_task(connection, clock.now(), case, content, task="t" * 32)
        for number in range(events):
            assert announce(connection, database, event(number, clock.now()), endpoints, LINK)


async def run(database: Database, clock: FakeClock, *servers: Receiver | str) -> int:
    urls = [one if isinstance(one, str) else one.url for one in servers]
    async with build_client() as client:
        return await deliver_due(
            database, [Endpoint(url, SECRET) for url in urls], clock, client, 50
        )


def rows(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(
            connection.execute(
                sa.select(deliveries).order_by(deliveries.c.outbox_id, deliveries.c.endpoint)
            )
        )


async def test_an_event_reaches_every_endpoint_once(database: Database, clock: FakeClock) -> None:
    fill(database, clock, events=3, endpoints=2)
    with receiver() as first, receiver() as second:
        assert await run(database, clock, first, second) == 6
        assert await run(database, clock, first, second) == 0
    for server in (first, second):
        assert sorted(request.headers["webhook-id"] for request in server.requests) == [
            f"{number:032x}" for number in range(3)
        ]
        told = Webhook(SECRET).verify(server.requests[0].body, server.requests[0].headers)
        assert told["data"]["link"] == f"{LINK}/tasks/{'t' * 32}"
    assert {row.status for row in rows(database)} == {"sent"}
    assert all(row.delivered_at == clock.now() and row.attempts == 1 for row in rows(database))


def test_an_event_is_announced_once_however_often(database: Database, clock: FakeClock) -> None:
    fill(database, clock)
    with database.write() as connection:
        assert not announce(connection, database, event(0, clock.now()), 1, LINK)
    assert len(rows(database)) == 1


async def test_a_failing_endpoint_is_tried_by_the_schedule_and_then_dead(
    database: Database, clock: FakeClock
) -> None:
    fill(database, clock)
    times: list[datetime] = []
    with receiver(503) as server:
        for _ in RETRY_SECONDS:
            assert await run(database, clock, server) == 1
            times.append(clock.now())
            assert await run(database, clock, server) == 0, "not before its time"
            clock.advance((rows(database)[0].next_attempt_at - clock.now()).total_seconds())
        clock.advance(30 * DAY)
        assert await run(database, clock, server) == 0
    (row,) = rows(database)
    assert (row.status, row.attempts, row.last_reason) == ("dead", 10, "http_503")
    assert {request.headers["webhook-id"] for request in server.requests} == {f"{0:032x}"}
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    for wait, planned in zip(waits, RETRY_SECONDS[1:], strict=True):
        assert abs(wait - planned) <= planned * JITTER + 0.001
    stamps = [int(request.headers["webhook-timestamp"]) for request in server.requests]
    assert stamps == [int(time.timestamp()) for time in times], "each attempt is signed anew"


async def test_an_endpoint_that_recovers_gets_the_event(
    database: Database, clock: FakeClock
) -> None:
    fill(database, clock)
    with receiver(500, 302, 200) as server:
        for _ in range(3):
            assert await run(database, clock, server) == 1
            clock.advance(400)
        assert await run(database, clock, server) == 0
    (row,) = rows(database)
    assert (row.status, row.attempts, row.last_reason) == ("sent", 3, None)
    assert len(server.requests) == 3


async def test_an_endpoint_that_hangs_or_is_away_is_tried_again(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.3)
    fill(database, clock, endpoints=2)
    with receiver(HANG) as server:
        assert await run(database, clock, server, f"http://127.0.0.1:{free_port()}") == 2
    assert [(row.status, row.last_reason) for row in rows(database)] == [
        ("pending", "timeout"),
        ("pending", "connection"),
    ]


async def test_an_endpoint_that_is_gone_gets_nothing_more_until_it_is_opened_again(
    database: Database, clock: FakeClock
) -> None:
    fill(database, clock, events=1, endpoints=2)
    with receiver(410, 200) as gone, receiver() as well:
        assert await run(database, clock, gone, well) == 2
        with database.write() as connection:
            announce(connection, database, event(7, clock.now()), 2, LINK)
        assert await run(database, clock, gone, well) == 1
        assert len(gone.requests) == 1
        assert len(well.requests) == 2
        dead = [row for row in rows(database) if row.status == "dead"]
        assert [(row.endpoint, row.last_reason) for row in dead] == [(0, "endpoint_gone")] * 2
        with database.write() as connection:
            assert replay(connection, clock.now()) == 2
        assert await run(database, clock, gone, well) == 2
    assert {row.status for row in rows(database)} == {"sent"}


async def test_one_dead_event_can_be_replayed_alone(database: Database, clock: FakeClock) -> None:
    fill(database, clock, events=2)
    with database.write() as connection:
        connection.execute(sa.update(deliveries).values(status="dead", attempts=10))
        assert replay(connection, clock.now(), message_id=f"{1:032x}") == 1
        assert replay(connection, clock.now(), message_id="unknown") == 0
    assert [row.status for row in rows(database)] == ["dead", "pending"]


async def test_workers_at_once_never_send_the_same_delivery(
    database: Database, clock: FakeClock
) -> None:
    fill(database, clock, events=30)
    with receiver() as server:
        tried = await asyncio.gather(*(run(database, clock, server) for _ in range(4)))
    assert sum(tried) == 30
    sent = [request.headers["webhook-id"] for request in server.requests]
    assert len(sent) == len(set(sent)) == 30


async def test_a_worker_that_died_while_sending_is_taken_over_after_its_lease(
    database: Database, clock: FakeClock
) -> None:
    fill(database, clock)
    with database.write() as connection:
        connection.execute(
            sa.update(deliveries).values(
                attempts=1, leased_until=clock.now() + timedelta(seconds=LEASE_SECONDS)
            )
        )
    with receiver() as server:
        assert await run(database, clock, server) == 0
        clock.advance(LEASE_SECONDS)
        assert await run(database, clock, server) == 1
    assert rows(database)[0].attempts == 2


async def test_a_worker_that_lost_its_lease_changes_nothing(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database, clock)

    async def slow(*_: Any) -> str:
        clock.advance(LEASE_SECONDS + 1)
        with receiver() as server:
            monkeypatch.undo()
            assert await run(database, clock, server) == 1, "the other worker sends it"
        return "http_500"

    monkeypatch.setattr("alerts.outbox.post", slow)
    assert await run(database, clock, "http://127.0.0.1:1") == 1
    assert rows(database)[0].status == "sent"


async def test_an_endpoint_that_the_settings_no_longer_name_waits(
    database: Database, clock: FakeClock
) -> None:
    fill(database, clock, endpoints=2)
    with receiver() as server:
        assert await run(database, clock, server) == 1
    assert [row.status for row in rows(database)] == ["sent", "pending"]


async def test_the_loop_sends_what_comes_and_ends_when_cancelled(
    database: Database, clock: FakeClock
) -> None:
    with receiver() as server:
        loop = asyncio.ensure_future(
            deliver_forever(database, [Endpoint(server.url, SECRET)], clock, poll_seconds=0.01)
        )
        fill(database, clock, events=2)
        async with asyncio.timeout(10):
            while len(server.requests) < 2:  # noqa: ASYNC110 - the server is a thread
                await asyncio.sleep(0.01)
        loop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loop


async def test_without_endpoints_the_loop_is_over_at_once(
    database: Database, clock: FakeClock
) -> None:
    await deliver_forever(database, [], clock)


def test_the_stored_payload_is_the_one_that_is_sent(database: Database, clock: FakeClock) -> None:
    fill(database, clock)
    with database.read() as connection:
        stored = connection.execute(sa.select(outbox.c.payload)).scalar_one()
    assert stored == json.loads(json.dumps(payload_of(event(0, clock.now()), LINK)))


def test_a_payload_is_thin(clock: FakeClock) -> None:
    payload = payload_of(event(0, clock.now()), LINK)
    assert set(payload) == {"type", "timestamp", "data"}
    assert set(payload["data"]) == {"task", "severity", "observed_at", "opened_at", "link"}
    assert len(json.dumps(payload)) < 1000 < MAX_PAYLOAD_BYTES


@given(st.text(alphabet="0123456789abcdef", min_size=32, max_size=32), st.integers(0, 20))
def test_waits_follow_the_standard_within_their_jitter(message: str, attempts: int) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    again = next_attempt(message, attempts, now)
    if attempts >= len(RETRY_SECONDS):
        assert again is None
    else:
        assert again is not None
        planned = RETRY_SECONDS[attempts]
        assert abs((again - now).total_seconds() - planned) <= planned * JITTER + 1e-6


def test_waits_differ_between_events() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert len({next_attempt(f"{number:032x}", 5, now) for number in range(20)}) > 10
