"""The search button's endpoint, and how far a search is: JSON, without an address."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from dashboards.console.auth import SEES_LOCATIONS, Session, is_csrf
from dashboards.console.routes.access import Access
from monitors import searches
from monitors.audit import AuditLog
from monitors.database import Database
from monitors.search_progress import as_json_row, read_progress
from streams.clock import Clock
from streams.errors import CaseNotActiveError, UnknownCaseError

_IDENTIFIER = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What searches are asked for with.

    Args:
        database: of the searches.
        audit: of who asked for what.
        clock: dates it.
        seconds: the deadline of a search.
    """

    database: Database
    audit: AuditLog
    clock: Clock
    seconds: float


def build_router(access: Access, asking: Asking) -> APIRouter:
    """Make the routes of searching."""
    router = APIRouter()

    @router.post("/cases/{case}/searches")
    def ask(
        request: Request, case: str, csrf: Annotated[str, Form(max_length=256)] = ""
    ) -> Response:
        session = _require(access, request)
        if not is_csrf(session.token, csrf):
            raise HTTPException(403)
        name = _ask(asking, session, _identifier(case))
        return JSONResponse({"search": name}, 202, {"Location": f"/searches/{name}"})

    @router.get("/searches/{search}")
    def show(request: Request, search: str) -> Response:
        _require(access, request)
        with asking.database.read() as connection:
            progress = read_progress(connection, _identifier(search))
        if progress is None:
            raise HTTPException(404)
        return JSONResponse(as_json_row(progress), headers={"Cache-Control": "no-store"})

    return router


def _ask(asking: Asking, session: Session, case: str) -> str:
    now = asking.clock.now()
    with asking.database.write() as connection:
        try:
            asked = searches.ask(
                connection, case, actor=session.name, now=now, seconds=asking.seconds
            )
        except UnknownCaseError:
            raise HTTPException(404) from None
        except CaseNotActiveError:
            raise HTTPException(409) from None
        asking.audit.append(
            connection,
            actor=session.name,
            action="search.ask",
            subject=asked.case,
            detail={"search": asked.id, "through": "console"},
            now=now,
        )
    return asked.id


def _require(access: Access, request: Request) -> Session:
    session = access.require(request)
    if session.role not in SEES_LOCATIONS:
        raise HTTPException(403)
    return session


def _identifier(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise HTTPException(404)
    return text
