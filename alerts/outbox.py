"""The outbox: events written with what made them true, and sent until their endpoint has them.

At least once: a delivery is leased before it is sent and a crash after the send repeats it, under
the same `webhook-id`, by which receivers know it again.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from alerts.channels.webhook import GONE, SENT, TIMEOUT_SECONDS, Endpoint, build_client, post
from alerts.severity import Severity
from monitors.database import Database
from monitors.metrics import WEBHOOKS
from monitors.tables import deliveries, outbox
from streams.clock import Clock
from streams.errors import DatabaseUnavailableError
from streams.types import TaskId

RETRY_SECONDS = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Wait before each attempt (Standard Webhooks 1.0.0, "Retries"); after the last, it is dead."""

JITTER = 0.1
"""Waits vary by this share either way, so that endpoints are not met by all at once."""

LEASE_SECONDS = 4 * TIMEOUT_SECONDS
"""An attempt ends within `TIMEOUT_SECONDS`; the rest is for the database."""

_REASON = 64  # characters of `deliveries.last_reason`

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something to tell about a task.

    Args:
        id: deterministic; the `webhook-id`.
        kind: `task.opened`, `task.reappeared`, `task.severity_raised` or
            `task.removed_at_origin`.
        task: whose.
        severity: now.
        observed_at: of the sighting that caused it.
        opened_at: of the task.
        created_at: when it became true.
    """

    id: str
    kind: str
    task: TaskId
    severity: Severity
    observed_at: datetime
    opened_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class _Leased:
    """A delivery that is this worker's until its lease ends."""

    outbox_id: str
    endpoint: int
    attempts: int
    leased_until: datetime
    payload: dict[str, Any]


def announce(
    connection: Connection, database: Database, event: Event, endpoints: int, console_link: str
) -> bool:
    """Write an event and its deliveries in the caller's transaction; once, however often called.

    Returns:
        Whether it was new.
    """
    row = {
        "id": event.id,
        "task_id": event.task,
        "event": event.kind,
        "payload": payload_of(event, console_link),
        "created_at": event.created_at,
    }
    if connection.execute(database.insert_new(outbox).values(row)).rowcount != 1:
        return False
    for endpoint in range(endpoints):
        connection.execute(
            sa.insert(deliveries).values(
                outbox_id=event.id,
                endpoint=endpoint,
                status="pending",
                attempts=0,
                next_attempt_at=event.created_at,
            )
        )
    return True


def payload_of(event: Event, console_link: str) -> dict[str, Any]:
    """Make the thin payload: identifiers, times and a link; nobody's name, address or picture."""
    return {
        "type": event.kind,
        "timestamp": event.created_at.isoformat(),
        "data": {
            "task": event.task,
            "severity": event.severity,
            "observed_at": event.observed_at.isoformat(),
            "opened_at": event.opened_at.isoformat(),
            "link": f"{console_link}/tasks/{event.task}",
        },
    }


async def deliver_due(
    database: Database,
    endpoints: Sequence[Endpoint],
    clock: Clock,
    client: httpx.AsyncClient,
    limit: int = 20,
) -> int:
    """Send the deliveries whose time has come, all at once.

    Args:
        database: of the outbox; its calls run in a thread.
        endpoints: as in the settings; deliveries to a position beyond them wait.
        clock: decides what is due and signs the times.
        client: of `alerts.channels.webhook.build_client`.
        limit: at most so many.

    Returns:
        How many were tried; as many as `limit` where more may be waiting.

    Raises:
        DatabaseUnavailableError: what was sent meanwhile is sent again after its lease.
    """
    leased = await asyncio.to_thread(_lease, database, len(endpoints), clock.now(), limit)
    async with asyncio.TaskGroup() as group:
        for one in leased:
            group.create_task(_deliver(database, endpoints[one.endpoint], clock, client, one))
    return len(leased)


async def deliver_forever(
    database: Database, endpoints: Sequence[Endpoint], clock: Clock, *, poll_seconds: float = 1.0
) -> None:
    """Run `deliver_due` until cancelled; rides out a database that is away.

    Returns at once where there is no endpoint.
    """
    if not endpoints:
        return
    async with build_client() as client:
        while True:
            try:
                while await deliver_due(database, endpoints, clock, client) > 0:
                    pass
            except* DatabaseUnavailableError:
                _log.warning("outbox_waits", reason=DatabaseUnavailableError.reason)
            await asyncio.sleep(poll_seconds)


def replay(connection: Connection, now: datetime, *, message_id: str | None = None) -> int:
    """Make dead deliveries pending again, with all their attempts; opens closed endpoints too.

    Args:
        connection: of `database.write()`.
        now: their next attempt.
        message_id: of one event; None for all.

    Returns:
        How many.
    """
    statement = sa.update(deliveries).where(deliveries.c.status == "dead")
    if message_id is not None:
        statement = statement.where(deliveries.c.outbox_id == message_id)
    revived = {"status": "pending", "attempts": 0, "next_attempt_at": now, "last_reason": None}
    return int(connection.execute(statement.values(revived)).rowcount)


def list_deliveries(connection: Connection, status: str, *, limit: int) -> list[dict[str, Any]]:
    """List deliveries of one status, the newest events first."""
    query = (
        sa.select(
            deliveries.c.outbox_id.label("event_id"),
            outbox.c.event,
            outbox.c.task_id.label("task"),
            deliveries.c.endpoint,
            deliveries.c.status,
            deliveries.c.attempts,
            deliveries.c.last_reason.label("reason"),
            outbox.c.created_at,
            deliveries.c.next_attempt_at,
            deliveries.c.delivered_at,
        )
        .join(outbox, outbox.c.id == deliveries.c.outbox_id)
        .where(deliveries.c.status == status)
        .order_by(outbox.c.created_at.desc(), deliveries.c.outbox_id, deliveries.c.endpoint)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def next_attempt(message_id: str, attempts: int, now: datetime) -> datetime | None:
    """Tell when to try again after so many failed attempts; None: never.

    The jitter is drawn from the message's name, so that it needs no source of chance.
    """
    if attempts >= len(RETRY_SECONDS):
        return None
    drawn = hashlib.sha256(f"{message_id}\0{attempts}".encode()).digest()[0] / 255
    return now + timedelta(seconds=RETRY_SECONDS[attempts] * (1 + JITTER * (2 * drawn - 1)))


def _lease(database: Database, endpoints: int, now: datetime, limit: int) -> list[_Leased]:
    """Take due deliveries; their attempt counts from here, so that a crash spends it too."""
    with database.read() as connection:  # an idle poll must not hold SQLite's one writer
        if connection.execute(_due(now, endpoints).limit(1)).first() is None:
            return []
    with database.write() as connection:
        _close_gone(connection)
        due = _due(now, endpoints).limit(limit).with_for_update(of=deliveries, skip_locked=True)
        until = now + timedelta(seconds=LEASE_SECONDS)
        leased = [
            _Leased(row.outbox_id, row.endpoint, row.attempts + 1, until, row.payload)
            for row in connection.execute(due)
        ]
        for one in leased:
            values = {"leased_until": until, "attempts": one.attempts}
            connection.execute(sa.update(deliveries).where(_is(one)).values(values))
        return leased


def _due(now: datetime, endpoints: int) -> sa.Select[Any]:
    return (
        sa.select(
            deliveries.c.outbox_id, deliveries.c.endpoint, deliveries.c.attempts, outbox.c.payload
        )
        .join(outbox, outbox.c.id == deliveries.c.outbox_id)
        .where(
            deliveries.c.status == "pending",
            deliveries.c.next_attempt_at <= now,
            deliveries.c.endpoint < endpoints,
            sa.or_(deliveries.c.leased_until.is_(None), deliveries.c.leased_until <= now),
        )
        .order_by(deliveries.c.next_attempt_at, deliveries.c.outbox_id)
    )


def _close_gone(connection: Connection) -> None:
    """Send nothing more to an endpoint that answered 410, until `replay` opens it again."""
    gone = sa.select(deliveries.c.endpoint).where(
        deliveries.c.status == "dead", deliveries.c.last_reason == GONE
    )
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.status == "pending", deliveries.c.endpoint.in_(gone))
        .values(status="dead", last_reason=GONE)
    )


async def _deliver(
    database: Database,
    endpoint: Endpoint,
    clock: Clock,
    client: httpx.AsyncClient,
    leased: _Leased,
) -> None:
    result = await post(client, endpoint, leased.outbox_id, leased.payload, clock.now())
    status = await asyncio.to_thread(_settle, database, leased, result, clock.now())
    WEBHOOKS.labels(_label(result)).inc()
    _log.info("webhook", endpoint=leased.endpoint, status=status, reason=result)


def _settle(database: Database, leased: _Leased, result: str, now: datetime) -> str:
    """Write how the attempt ended, unless the lease was lost to another worker meanwhile."""
    again = None if result == GONE else next_attempt(leased.outbox_id, leased.attempts, now)
    values: dict[str, Any] = {"leased_until": None, "last_reason": result[:_REASON]}
    if result == SENT:
        values |= {"status": "sent", "delivered_at": now, "last_reason": None}
    elif again is None:
        values |= {"status": "dead"}
    else:
        values |= {"status": "pending", "next_attempt_at": again}
    with database.write() as connection:
        mine = sa.and_(_is(leased), deliveries.c.leased_until == leased.leased_until)
        connection.execute(sa.update(deliveries).where(mine).values(values))
    return str(values["status"])


def _is(one: _Leased) -> sa.ColumnElement[bool]:
    return sa.and_(deliveries.c.outbox_id == one.outbox_id, deliveries.c.endpoint == one.endpoint)


def _label(result: str) -> str:
    """Bound the metric's label: HTTP statuses by their hundred."""
    return f"{result[:6]}xx" if result.startswith("http_") else result
