"""`dashboards.console.app`, in real Chromium against a real server."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, Request, sync_playwright

from alerts.sightings import record_sighting
from alerts.tasks import Desk
from dashboards.console.accounts import Accounts
from dashboards.console.app import build_console
from dashboards.console.auth import Passwords, Role
from monitors.audit import AuditLog
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.migrate import open_database
from streams.settings import Settings
from streams.types import Decision
from tests.alerts.rows import add_case, match_of, sighting_of
from tests.dashboards.console.conftest import CHEAP, PASSWORD
from tests.fakes import FakeClock
from tests.servers import free_port, missing

CHROMIUM = Path("/usr/bin/chromium")
DESKTOP = {"width": 1280, "height": 900}


@contextmanager
def serving(app: FastAPI, port: int) -> Iterator[str]:
    """Serve the console in a thread."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def tasks(tmp_path: Path) -> tuple[Settings, Database]:
    """Three cases seen on four services, some of it late, one of them back again."""
    settings = Settings(home=tmp_path, console_port=free_port())
    database = open_database(settings)
    clock = FakeClock()
    audit = AuditLog(KeyStore(settings.keys_dir).audit_key())
    Accounts(database, clock, audit, Passwords(CHEAP), actor="root").add(
        "officer", Role.OFFICER, PASSWORD
    )
    fill(database, clock)
    return settings, database


def fill(database: Database, clock: FakeClock) -> None:
    hosts = ["www.example.com", "img.example.org", "board.example.co.kr", "x.example.net"]
    with database.write() as connection:
        cases = [
            add_case(connection, clock.now(), number=n, age_class=age)
            for n, age in enumerate(["adult", "minor", "adult"])
        ]
        for number in range(9):
            case, content = cases[number % 3]
            sure = number % 4 > 0
            match = match_of(
                case, content, confidence=0.9999 - number / 25 if sure else 0.47,
                decision=Decision.ALERT if sure else Decision.REVIEW,
            )  # fmt: skip
            clock.advance(31)
            sighting = sighting_of(
                (match,), now=clock.now(), post=str(number), host=hosts[number % 4],
                hits=(case,) if number % 5 == 2 else (),
            )  # fmt: skip
            record_sighting(
                connection, sighting, Desk(database=database, endpoints=0, console_link=""),
                clock.now() + timedelta(seconds=200 if number == 5 else 1),
            )  # fmt: skip


@pytest.fixture
def console(tasks: tuple[Settings, Database]) -> Iterator[str]:
    settings, database = tasks
    app = build_console(settings, database, FakeClock(), hasher=CHEAP)
    with serving(app, settings.console_port) as address:
        yield address
    database.close()


@pytest.fixture
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        missing("Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox"],  # our own pages, as root in CI
        )
        yield browser
        browser.close()


def log_in(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("Name").fill("officer")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_an_officer_logs_in_reads_a_task_and_logs_out(chromium: Browser, console: str) -> None:
    page = chromium.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
    requests: list[Request] = []
    problems: list[Any] = []
    # Playwright marks the functions it is given, which no built-in method allows.
    page.on("request", lambda request: requests.append(request))  # noqa: PLW0108
    page.on("pageerror", lambda error: problems.append(error))  # noqa: PLW0108
    page.on("console", lambda message: problems.append(message.text))

    log_in(page, console)
    assert page.url == f"{console}/"
    assert page.get_by_role("heading", name="Takedown tasks").is_visible()
    rows = page.get_by_role("row")
    assert rows.count() == 1 + 9
    assert "critical" in rows.nth(1).inner_text()
    assert page.get_by_text("late").count() == 1
    screenshot(page, "list")

    page.get_by_label("Severity").select_option("critical")
    page.get_by_role("button", name="Show").click()
    assert page.url == f"{console}/?status=&severity=critical"
    page.get_by_role("row").nth(1).get_by_role("link").click()
    assert page.get_by_text("% sure;").is_visible()
    assert page.get_by_text("in the region 12–80 % of the picture's width").is_visible()
    assert page.get_by_text("/posts/").count() == 1
    screenshot(page, "task")

    assert page.locator("img, video, audio, picture, iframe, object, embed, script").count() == 0
    assert page.get_by_role("link").filter(has_text="posts").count() == 0
    assert page.evaluate("document.documentElement.lang") == "en"
    task = page.url
    page.get_by_role("button", name="Log out").click()
    assert page.url == f"{console}/login"
    page.goto(task)
    assert page.url.startswith(f"{console}/login?next=/tasks/")
    page.go_back()
    assert not page.get_by_text("/posts/").count(), "no-store: the back button shows nothing"
    assert {request.url.split("/")[2] for request in requests} == {console.split("/")[2]}
    assert problems == []
    page.close()


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_console_can_be_used_by_keyboard_and_read_by_machines(
    chromium: Browser, console: str
) -> None:
    page = chromium.new_page(viewport={"width": 375, "height": 800})
    page.goto(console)
    page.wait_for_function("document.activeElement?.id === 'name'")  # the first field
    page.keyboard.type("officer")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{console}/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid", "the focus is visible"
    wide = "document.documentElement.scrollWidth <= window.innerWidth"
    assert page.evaluate(wide), "a narrow window scrolls the table, not the page"
    unnamed = """[...document.querySelectorAll('input:not([type=hidden]),select')]
        .filter(field => !field.labels.length).length"""
    assert page.evaluate(unnamed) == 0
    assert page.locator("th:not([scope])").count() == 0
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(LOWEST_CONTRAST) >= 4.5, f"WCAG 2.2, 1.4.3, {scheme}"
    page.close()


LOWEST_CONTRAST = """() => {
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const numbers = css => css.match(/[\\d.]+/g).map(Number);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = numbers(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('main *, header *')]
    .filter(node => [...node.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  return Math.min(...texts.map(node => {
    const [one, other] = [numbers(getComputedStyle(node).color), behind(node)].map(light);
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  }));
}"""


def screenshot(page: Page, name: str) -> None:
    """Keep a picture where the developer asks for one: CONSOLE_PICTURES=folder."""
    folder = os.environ.get("CONSOLE_PICTURES")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
