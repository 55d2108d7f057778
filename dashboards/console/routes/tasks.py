"""The list of tasks, and one task's page. Every reading is written to the audit."""

import re
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from alerts.reading import (
    TaskFilter,
    TaskSummary,
    count_tasks,
    list_tasks,
    notified_at,
    read_locations,
    read_task,
)
from alerts.severity import Severity
from alerts.tasks import TaskStatus
from dashboards.console.auth import SEES_LOCATIONS, Session
from dashboards.console.pages import render
from dashboards.console.routes.access import Access
from monitors.audit import AuditLog
from monitors.database import Database
from streams.clock import Clock

TASKS_PER_PAGE = 50
LOCATIONS_PER_PAGE = 50

_TASK = re.compile(r"[0-9a-f]{32}")
_MAX_PAGE = 100_000
_Choice = TypeVar("_Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the pages read from, and where they write down who read.

    Args:
        database: of the tasks.
        audit: of who read what.
        clock: dates it.
        sla_seconds: what observed-to-open is held against.
    """

    database: Database
    audit: AuditLog
    clock: Clock
    sla_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Which page of how many, and where the others are."""

    number: int
    count: int
    query: str

    def address(self, number: int) -> str:
        """Give the address of another page."""
        return f"?{self.query}page={number}"


def build_router(access: Access, reading: Reading) -> APIRouter:
    """Make the routes of reading tasks."""
    router = APIRouter()

    @router.get("/")
    def show_list(
        request: Request, status: str = "", severity: str = "", page: str = "1"
    ) -> Response:
        session = access.require(request)
        wanted = TaskFilter(
            status=_choice(TaskStatus, status), severity=_choice(Severity, severity)
        )
        return _list(request, session, reading, wanted, _page(page))

    @router.get("/tasks/{task}")
    def show_task(request: Request, task: str, page: str = "1") -> Response:
        session = access.require(request)
        if not _TASK.fullmatch(task):
            raise HTTPException(404)
        return _task(request, session, reading, task, _page(page))

    return router


def _list(
    request: Request, session: Session, reading: Reading, wanted: TaskFilter, page: int
) -> Response:
    offset = (page - 1) * TASKS_PER_PAGE
    with reading.database.write() as connection:
        total = count_tasks(connection, wanted)
        rows = list_tasks(connection, wanted, limit=TASKS_PER_PAGE, offset=offset)
        reading.audit.append(
            connection,
            actor=session.name,
            action="task.list",
            subject="tasks",
            detail={"status": wanted.status, "severity": wanted.severity, "page": page},
            now=reading.clock.now(),
        )
    chosen = {"status": wanted.status, "severity": wanted.severity}
    query = urlencode({name: value.value for name, value in chosen.items() if value})
    return render(
        request,
        "tasks.html",
        session=session,
        tasks=rows,
        total=total,
        wanted=wanted,
        statuses=list(TaskStatus),
        severities=list(Severity),
        sla_seconds=reading.sla_seconds,
        pages=_pages(page, total, TASKS_PER_PAGE, query),
    )


def _task(request: Request, session: Session, reading: Reading, name: str, page: int) -> Response:
    sees = session.role in SEES_LOCATIONS
    with reading.database.write() as connection:
        task = read_task(connection, name)
        if task is None:
            raise HTTPException(404)
        offset = (page - 1) * LOCATIONS_PER_PAGE
        places = read_locations(connection, name, limit=LOCATIONS_PER_PAGE, offset=offset)
        notified = notified_at(connection, name)
        reading.audit.append(
            connection,
            actor=session.name,
            action="task.read",
            subject=name,
            detail={"through": "console", "addresses": len(places) if sees else 0, "page": page},
            now=reading.clock.now(),
        )
    return render(
        request,
        "task.html",
        session=session,
        task=task,
        places=places,
        first_place=offset + 1,
        sees=sees,
        times=_times(task, notified),
        sla_seconds=reading.sla_seconds,
        pages=_pages(page, task.locations, LOCATIONS_PER_PAGE, ""),
    )


def _times(task: TaskSummary, notified: object) -> list[tuple[str, object]]:
    """Put a task's own times in order."""
    known = [
        ("observed", task.observed_at),
        ("opened", task.opened_at),
        ("notified", notified),
        ("updated", task.updated_at if task.updated_at != task.opened_at else None),
    ]
    return [(name, at) for name, at in known if at is not None]


def _pages(page: int, total: int, size: int, query: str) -> Pages:
    return Pages(number=page, count=max(1, ceil(total / size)), query=query and f"{query}&")


def _page(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= _MAX_PAGE:
        raise HTTPException(400)
    return int(text[:9])


def _choice(kind: type[_Choice], text: str) -> _Choice | None:
    try:
        return kind(text) if text else None
    except ValueError:
        raise HTTPException(400) from None
