"""Builds the console: server-rendered pages for officers, behind a log-in."""

from argon2 import PasswordHasher
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from dashboards.console.auth import Authenticator, Passwords
from dashboards.console.guard import Guard
from dashboards.console.pages import FOLDER, render_error
from dashboards.console.routes import access, searching, tasks, watching
from monitors.audit import AuditLog
from monitors.database import Database
from monitors.keystore import KeyStore
from streams.clock import Clock
from streams.settings import Settings


def build_console(
    settings: Settings, database: Database, clock: Clock, *, hasher: PasswordHasher | None = None
) -> FastAPI:
    """Wire the console.

    Args:
        settings: where it is reached decides whether cookies demand https.
        database: migrated; the caller closes it.
        clock: ends sessions.
        hasher: of passwords; None: argon2id at its library's cost.
    """
    secure = settings.console_link.startswith("https://")
    audit = AuditLog(KeyStore(settings.keys_dir).audit_key())
    authenticator = Authenticator(database, clock, audit, Passwords(hasher))
    people = access.Access(authenticator, secure=secure)
    reading = tasks.Reading(
        database=database, audit=audit, clock=clock, sla_seconds=settings.sla_seconds
    )
    asking = searching.Asking(
        database=database, audit=audit, clock=clock, seconds=settings.search_seconds
    )
    app = FastAPI(title="Haechi", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(access.build_router(people))
    app.include_router(tasks.build_router(people, reading))
    app.include_router(searching.build_router(people, asking))
    app.include_router(watching.build_router(database, clock))
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_middleware(Guard, secure=secure)
    return app


def _refused(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    if status == 303:
        return RedirectResponse((getattr(error, "headers", None) or {})["location"], 303)
    return render_error(request, status)


def _unreadable(request: Request, _error: Exception) -> Response:
    return render_error(request, 400)
