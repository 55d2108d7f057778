"""`haechi task` and `haechi outbox`."""

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from sqlalchemy.engine import Connection

from alerts.outbox import list_deliveries, replay
from alerts.reading import (
    Location,
    TaskFilter,
    TaskSummary,
    list_tasks,
    notified_at,
    read_locations,
    read_task,
    visible,
)
from alerts.tasks import TaskStatus
from monitors.audit import AuditLog, Detail
from monitors.command_line import print_table
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.migrate import open_database
from streams.clock import SystemClock
from streams.errors import UnknownTaskError
from streams.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="JSON, one object a line.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")]

task_app = typer.Typer(help="Takedown tasks.", no_args_is_help=True, add_completion=False)
outbox_app = typer.Typer(
    help="Events and their deliveries.", no_args_is_help=True, add_completion=False
)


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class _Desk:
    """An open database, and the audit of who reads it here."""

    database: Database
    audit: AuditLog

    @contextmanager
    def read(self, action: str, subject: str, detail: Detail) -> Iterator[Connection]:
        """Open a transaction that ends with the audit row of what is read in it."""
        with self.database.write() as connection:
            yield connection
            self.audit.append(
                connection,
                actor=_login_name(),
                action=action,
                subject=subject,
                detail=detail,
                now=SystemClock().now(),
            )


@task_app.command("list")
def list_command(
    *, status: TaskStatus | None = None, limit: Limit = 100, as_json: AsJson = False
) -> None:
    """List tasks, the most urgent first; no addresses."""
    detail: Detail = {"status": status, "limit": limit}
    with _desk() as desk, desk.read("task.list", "tasks", detail) as connection:
        found = list_tasks(connection, TaskFilter(status=status), limit=limit)
    if as_json:
        for task in found:
            _print_json(_row(task))
        return
    names = ("severity", "status", "host", "sure", "locations", "took", "opened (UTC)")
    print_table(("task", *names), map(_cells, found))


@task_app.command("show")
def show_command(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Identifier.")],
    *,
    limit: Limit = 1000,
    as_json: AsJson = False,
) -> None:
    """Show one task with the addresses where its footage stands. Who reads them is audited."""
    with _desk() as desk, desk.read("task.read", task, {"through": "cli"}) as connection:
        found = read_task(connection, task)
        if found is None:
            raise UnknownTaskError("no task has this identifier")
        places = read_locations(connection, task, limit=limit)
        notified = notified_at(connection, task)
    row = _row(found) | {
        "notified_at": _plain(notified),
        "places": [_plain(asdict(place)) for place in places],
    }
    if as_json:
        _print_json(row)
        return
    _show(row, places)


@outbox_app.command("list")
def list_outbox(
    *,
    status: Annotated[DeliveryStatus, typer.Option(help="Which.")] = DeliveryStatus.DEAD,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List deliveries; by default the dead ones."""
    with _desk() as desk, desk.database.read() as connection:
        found = list_deliveries(connection, status, limit=limit)
    for one in found:
        row = {name: _plain(value) for name, value in one.items()}
        if as_json:
            _print_json(row)
        else:
            typer.echo("  ".join(f"{name}={value}" for name, value in row.items()))


@outbox_app.command("replay")
def replay_outbox(
    event: Annotated[
        str | None, typer.Argument(metavar="EVENT", help="Its identifier; none: every dead one.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Try dead deliveries again from the start, and endpoints that answered 410, too."""
    with _desk() as desk, desk.database.write() as connection:
        now = SystemClock().now()
        count = replay(connection, now, message_id=event)
        desk.audit.append(
            connection,
            actor=_login_name(),
            action="outbox.replay",
            subject=event or "outbox",
            detail={"deliveries": count},
            now=now,
        )
    if as_json:
        _print_json({"replayed": count})
    else:
        typer.echo(f"{count} deliveries will be tried again")


@contextmanager
def _desk() -> Iterator[_Desk]:
    settings = Settings()
    database = open_database(settings)
    try:
        yield _Desk(database, AuditLog(KeyStore(settings.keys_dir).audit_key()))
    finally:
        database.close()


def _row(task: TaskSummary) -> dict[str, Any]:
    row: dict[str, Any] = _plain(asdict(task))
    row["task"] = row.pop("id")
    return row | {"observed_to_opened_seconds": task.observed_to_opened_seconds}


def _plain(value: Any) -> Any:
    """Write times as ISO 8601, all the way down."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value


def _cells(task: TaskSummary) -> tuple[str, ...]:
    return (
        task.id,
        task.severity,
        task.status,
        task.host,
        f"{task.confidence:.3f}",
        str(task.locations),
        f"{task.observed_to_opened_seconds:.1f} s",
        f"{task.opened_at:%Y-%m-%d %H:%M:%S}",
    )


def _show(row: dict[str, Any], places: tuple[Location, ...]) -> None:
    pairs = [
        (name, "-" if value is None else str(value))
        for name, value in row.items()
        if name != "places"
    ]
    print_table(("", ""), pairs)
    for number, place in enumerate(places, 1):
        typer.echo(f"location {number}")
        pairs = [
            (name, "-" if one is None else visible(str(_plain(one))))
            for name, value in asdict(place).items()
            for one in (value if name == "evidence" else [value])
        ]
        print_table(("", ""), pairs)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def _print_json(row: dict[str, Any]) -> None:
    typer.echo(json.dumps(row))
