"""`dashboards.console.routes.access`."""

import httpx
import pytest
from fastapi import FastAPI

from dashboards.console.accounts import Accounts
from dashboards.console.app import build_console
from monitors.database import Database
from streams.settings import Settings
from tests.dashboards.console.conftest import CHEAP, PASSWORD, Browser, hidden
from tests.fakes import FakeClock

TASK = "0123456789abcdef" * 2


def cookies_of(answer: httpx.Response) -> list[str]:
    return answer.headers.get_list("set-cookie")


async def test_without_a_session_every_page_leads_to_the_log_in(browser: Browser) -> None:
    for path, target in [
        ("/", "/login"),
        ("/?status=new", "/login"),
        (f"/tasks/{TASK}", f"/login?next=/tasks/{TASK}"),
        ("/tasks/x", "/login"),
    ]:
        answer = await browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, target)
        assert TASK not in answer.text


async def test_logging_in_and_out(browser: Browser) -> None:
    answer = await browser.log_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    session = next(cookie for cookie in cookies_of(answer) if cookie.startswith("haechi="))
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(session.split("; "))
    assert "Secure" not in session
    page = await browser.get("/")
    assert page.status_code == 200
    token = browser.client.cookies["haechi"]
    out = await browser.submit("/logout", page)
    assert (out.status_code, out.headers["location"]) == (303, "/login")
    browser.client.cookies.set("haechi", token, domain="127.0.0.1")
    assert (await browser.get("/")).status_code == 303, "the old cookie is worth nothing"


async def test_a_webhooks_link_is_opened_after_the_log_in(browser: Browser) -> None:
    page = await browser.get(f"/login?next=/tasks/{TASK}")
    answer = await browser.submit("/login", page, name="officer", password=PASSWORD)
    assert answer.headers["location"] == f"/tasks/{TASK}"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil", "/logout", f"/tasks/{TASK}/.."]
)
async def test_nothing_else_is(browser: Browser, target: str) -> None:
    page = await browser.get("/login")
    assert target not in (await browser.client.get("/login", params={"next": target})).text
    answer = await browser.client.post(
        "/login", data=hidden(page) | {"name": "officer", "password": PASSWORD, "next": target}
    )
    assert answer.headers["location"] == "/"


async def test_a_wrong_password_and_an_unknown_name_look_alike(browser: Browser) -> None:
    wrong = await browser.log_in(password="wrong password")
    unknown = await browser.log_in(name="nobody")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text == unknown.text
    assert 'role="alert"' in wrong.text
    assert not [cookie for cookie in cookies_of(wrong) if cookie.startswith("haechi=")]


async def test_a_locked_name_looks_like_a_wrong_password(browser: Browser) -> None:
    answers = [await browser.log_in(password="wrong password") for _ in range(7)]
    assert len({(one.status_code, one.text) for one in answers}) == 1
    assert (await browser.log_in()).status_code == 401


async def test_a_form_without_its_token_is_refused(browser: Browser) -> None:
    page = await browser.get("/login")
    fields = {"name": "officer", "password": PASSWORD}
    assert (await browser.client.post("/login", data=fields)).status_code == 403
    foreign = fields | {"csrf": "0" * 64}
    assert (await browser.client.post("/login", data=foreign)).status_code == 403
    browser.client.cookies.clear()
    assert (await browser.submit("/login", page, **fields)).status_code == 403
    await browser.log_in()
    assert (await browser.client.post("/logout", data={"csrf": "x"})).status_code == 403
    assert (await browser.get("/")).status_code == 200


async def test_nobody_is_logged_out_by_a_link(browser: Browser) -> None:
    await browser.log_in()
    assert (await browser.get("/logout")).status_code == 405
    assert (await browser.get("/")).status_code == 200


async def test_oversized_fields_are_refused(browser: Browser) -> None:
    page = await browser.get("/login")
    answer = await browser.submit("/login", page, name="x" * 300, password="y")
    assert answer.status_code == 400


@pytest.fixture
def secure_app(
    settings: Settings, database: Database, clock: FakeClock, accounts: Accounts
) -> FastAPI:
    https = settings.model_copy(update={"console_url": "https://console.example"})
    return build_console(https, database, clock, hasher=CHEAP)


async def test_cookies_demand_https_where_officers_use_it(secure_app: FastAPI) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(secure_app), base_url="https://console.example"
    ) as client:
        answer = await Browser(client).log_in()
        cookies = cookies_of(answer)
        assert [cookie.partition("=")[0] for cookie in cookies] == [
            "__Host-haechi",
            "__Host-haechi-form",
        ]
        assert all("Secure" in cookie and "HttpOnly" in cookie for cookie in cookies)
        assert not any("Domain" in cookie for cookie in cookies)
        assert (await client.get("/")).status_code == 200
