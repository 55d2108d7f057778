"""What watches the console: health, readiness and metrics."""

import ipaddress
from datetime import datetime

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from alerts.reading import deliveries_by_status, tasks_by_status
from monitors.database import Database
from monitors.metrics import OUTBOX, QUARANTINED_REFERENCES, READY, TASKS
from monitors.migrate import is_current
from monitors.quarantine import count_quarantined
from streams.clock import Clock
from streams.errors import DatabaseUnavailableError

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def build_router(database: Database, clock: Clock) -> APIRouter:
    """Make the routes that machines ask."""
    router = APIRouter()

    @router.get("/healthz")
    def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @router.get("/readyz")
    def readyz() -> Response:
        reasons = reasons_not_ready(database)
        READY.set(not reasons)
        content = {"ready": not reasons, "reasons": reasons}
        return JSONResponse(content, 503 if reasons else 200)

    @router.get("/metrics")
    def metrics(request: Request) -> Response:
        if not is_near(request):
            raise HTTPException(404)
        measure(database, clock.now())
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return router


def reasons_not_ready(database: Database) -> list[str]:
    """Say why the console cannot serve; empty where it can."""
    try:
        return [] if is_current(database) else ["database_version"]
    except DatabaseUnavailableError:
        return ["database"]


def measure(database: Database, now: datetime) -> None:
    """Set the gauges that the database knows."""
    with database.read() as connection:
        tasks, deliveries = tasks_by_status(connection), deliveries_by_status(connection)
        quarantined = count_quarantined(connection, now)
    for reason, references in quarantined.items():
        QUARANTINED_REFERENCES.labels(reason.value).set(references)
    for status, count in tasks.items():
        TASKS.labels(status).set(count)
    for status, count in deliveries.items():
        OUTBOX.labels(status).set(count)


def is_near(request: Request) -> bool:
    """Say whether the request comes from this machine or its private network, not by a proxy."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(request.client.host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_private
