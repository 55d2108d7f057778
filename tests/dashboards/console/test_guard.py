"""`dashboards.console.guard`."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from dashboards.console.guard import HEADERS, MAX_BODY_BYTES, Guard
from streams.errors import DatabaseUnavailableError


def app_that(fail: Callable[[], None], *, secure: bool = False) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/")
    def get() -> str:
        fail()
        return "ok"

    @app.post("/")
    def post() -> str:
        return "ok"

    app.add_middleware(Guard, secure=secure)
    return app


async def ask(app: FastAPI, method: str = "GET", **options: object) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        return await client.request(method, "/", **options)  # type: ignore[arg-type]


def nothing() -> None:
    """Work."""


def bug() -> None:
    raise ValueError("https://footage.example/secret")


def away() -> None:
    raise DatabaseUnavailableError("host=secret")


@pytest.mark.parametrize(("fail", "status"), [(nothing, 200), (bug, 500), (away, 503)])
async def test_every_answer_carries_the_headers(fail: Callable[[], None], status: int) -> None:
    answer = await ask(app_that(fail))
    assert answer.status_code == status
    assert HEADERS.items() <= dict(answer.headers).items()
    assert "strict-transport-security" not in answer.headers
    assert "script-src 'none'" in answer.headers["content-security-policy"]


async def test_https_is_for_ever_where_it_is_used() -> None:
    answer = await ask(app_that(nothing, secure=True))
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize("fail", [bug, away])
async def test_an_error_tells_neither_the_reader_nor_the_log_what_it_held(
    fail: Callable[[], None],
) -> None:
    with capture_logs() as logs:
        answer = await ask(app_that(fail))
    assert "secret" not in answer.text + str(logs)
    assert logs[0]["reason"] in {"bug", "database_unavailable"}


async def test_a_large_body_is_refused_unread() -> None:
    app = app_that(nothing)
    fits = await ask(app, "POST", content=b"x" * MAX_BODY_BYTES)
    large = await ask(app, "POST", content=b"x" * (MAX_BODY_BYTES + 1))
    assert (fits.status_code, large.status_code) == (200, 413)


async def test_a_body_of_unknown_length_is_refused() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"

    assert (await ask(app_that(nothing), "POST", content=chunks())).status_code == 411
    wrong = await ask(app_that(nothing), "POST", headers={"content-length": "-1"})
    assert wrong.status_code == 411


async def test_chunks_do_not_hide_behind_a_small_length() -> None:
    headers = {"content-length": "10", "transfer-encoding": "chunked"}
    answer = await ask(app_that(nothing), "POST", headers=headers, content=b"x" * 10)
    assert answer.status_code == 411
