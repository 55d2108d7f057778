"""`dashboards.console.routes.tasks`."""

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from alerts.sightings import record_sighting
from alerts.tasks import Desk
from dashboards.console.auth import SEES_LOCATIONS, Role
from dashboards.console.routes.tasks import TASKS_PER_PAGE
from monitors.audit import AuditLog, verify
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.tables import audit as audit_table
from monitors.tables import locations
from streams.settings import Settings
from tests.alerts.rows import add_case, add_content, add_task, content_of, match_of, sighting_of
from tests.dashboards.console.conftest import Browser
from tests.fakes import FakeClock

POST = "https://www.example.com/posts/1"
MEDIUM = "https://cdn.example.net/1/0.jpg"


@pytest.fixture
def task(database: Database, clock: FakeClock) -> str:
    """One task with one location, opened by the pipeline's own function."""
    with database.write() as connection:
        case, content = add_case(connection, clock.now())
        sighting = sighting_of(
            (match_of(case, content),), now=clock.now(), host="www.example.com", hits=(case,)
        )
        desk = Desk(database=database, endpoints=0, console_link="")
        (opened,) = record_sighting(connection, sighting, desk, clock.now()).opened
    return str(opened.task)


def audited(database: Database) -> list[Any]:
    with database.read() as connection:
        rows = connection.execute(sa.select(audit_table).order_by(audit_table.c.seq)).all()
    return [row for row in rows if row.action.startswith("task.")]


def fill(database: Database, clock: FakeClock, count: int, **values: Any) -> None:
    with database.write() as connection:
        case, _ = add_case(connection, clock.now(), number=9)
        for number in range(count):
            content = add_content(connection, clock.now(), case, content_of(9, number + 1))
            opened = clock.now() + timedelta(seconds=number)
            add_task(connection, opened, case, content, **values)


def rows_of(text: str) -> list[str]:
    return re.findall(r'<th scope="row"><a class="code" href="/tasks/(\w{32})">', text)


async def test_the_list_shows_numbers_and_no_address(
    browser: Browser, task: str, database: Database
) -> None:
    await browser.log_in()
    text = (await browser.get("/")).text
    assert rows_of(text) == [task]
    for word in ("example.com", "93 %", "20.0 s", "in time", "critical", "new"):
        assert word in text
    assert "posts/1" not in text
    assert "example.net" not in text
    assert "blue-heron" not in text, "the alias"


async def test_a_task_shows_its_evidence_in_words_and_its_addresses_as_text(
    browser: Browser, task: str
) -> None:
    await browser.log_in()
    answer = await browser.get(f"/tasks/{task}")
    text = answer.text
    assert answer.status_code == 200
    for word in (
        "93 % sure; 3 modalities",
        "in the region 12–80 % of the picture&#39;s width and 20–90 % of its height",
        "holds 1 of the case&#39;s keywords",
        "same picture by its perceptual hash: 92 % alike",
        POST,
        MEDIUM,
        "@uploader",
        "20.0 s",
    ):
        assert word in text
    assert "blue-heron" not in text
    assert set(re.findall(r'(?:href|src|action)="([^"]*)"', text)) == {
        "#content", "/", "/logout", "/static/console.css",
    }  # fmt: skip
    for tag in ("<img", "<video", "<audio", "<iframe", "<script", '<link rel="preload'):
        assert tag not in text


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_sees_addresses_or_does_not(browser: Browser, task: str, role: Role) -> None:
    await browser.log_in(role)
    text = (await browser.get(f"/tasks/{task}")).text
    assert "93 % sure" in text
    sees = role in SEES_LOCATIONS
    assert [word in text for word in (POST, MEDIUM, "@uploader")] == [sees] * 3


async def test_every_reading_is_audited(
    browser: Browser, task: str, database: Database, settings: Settings
) -> None:
    await browser.log_in()
    await browser.get("/?status=new")
    await browser.get(f"/tasks/{task}")
    await browser.get(f"/tasks/{'0' * 32}")
    listed, read = audited(database)
    assert (listed.actor, listed.action, listed.detail["status"]) == ("officer", "task.list", "new")
    assert (read.actor, read.action, read.subject) == ("officer", "task.read", task)
    assert read.detail == {"through": "console", "addresses": 1, "page": 1}
    with database.read() as connection:
        report = verify(connection, KeyStore(settings.keys_dir).audit_key())
    assert report.broken_at is None


async def test_a_page_whose_reading_cannot_be_audited_is_not_shown(
    browser: Browser, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.log_in()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no audit")

    monkeypatch.setattr(AuditLog, "append", fail)
    answer = await browser.get(f"/tasks/{task}")
    assert answer.status_code == 500
    assert "example.com" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["/tasks/x", f"/tasks/{'0' * 32}", f"/tasks/{'A' * 32}", "/tasks/", "/nothing", "/docs",
     "/openapi.json", "/static/", "/static/../app.py", "/static/none.css"],
)  # fmt: skip
async def test_there_is_nothing_else(browser: Browser, path: str) -> None:
    await browser.log_in()
    answer = await browser.get(path)
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "page=-1", "page=²", "page=9999999999", "status=x", "severity=1"]
)
async def test_a_question_without_sense_is_refused(browser: Browser, query: str) -> None:
    await browser.log_in()
    assert (await browser.get(f"/?{query}")).status_code == 400


async def test_filters_and_the_order_by_severity_and_time(
    browser: Browser, database: Database, clock: FakeClock
) -> None:
    fill(database, clock, 2, severity="low")
    with database.write() as connection:
        urgent = {
            severity: add_task(
                connection,
                clock.now() - timedelta(days=1),
                *add_case(connection, clock.now(), number=number),
                severity=severity,
                status=status,
            )
            for number, (severity, status) in enumerate(
                [("medium", "new"), ("critical", "closed"), ("high", "reappeared")]
            )
        }
    await browser.log_in()
    listed = rows_of((await browser.get("/")).text)
    assert listed[:3] == [urgent["critical"], urgent["high"], urgent["medium"]]
    newest = rows_of((await browser.get("/?severity=low")).text)
    assert newest == listed[3:]
    assert rows_of((await browser.get("/?status=closed&severity=")).text) == [urgent["critical"]]
    assert "No task fits." in (await browser.get("/?status=closed&severity=low")).text


async def test_a_long_list_is_paged_and_keeps_its_filter(
    browser: Browser, database: Database, clock: FakeClock
) -> None:
    fill(database, clock, TASKS_PER_PAGE + 3, severity="low")
    await browser.log_in()
    first = (await browser.get("/?severity=low")).text
    assert 'rel="next" href="?severity=low&amp;page=2"' in first
    second = (await browser.get("/?severity=low&page=2")).text
    assert len(rows_of(first)) == TASKS_PER_PAGE
    assert len(rows_of(second)) == 3
    assert len({*rows_of(first), *rows_of(second)}) == TASKS_PER_PAGE + 3
    assert "Page 2 of 2" in second
    assert rows_of((await browser.get("/?severity=low&page=3")).text) == []


async def test_a_task_that_took_too_long_says_so(
    browser: Browser, database: Database, clock: FakeClock
) -> None:
    fill(database, clock, 1, observed_at=clock.now() - timedelta(seconds=180.01))
    await browser.log_in()
    text = (await browser.get("/")).text
    assert "180.1 s" in text
    assert "late" in text
    assert "in time" not in text


async def test_what_posts_say_is_shown_as_text(
    browser: Browser, task: str, database: Database
) -> None:
    evil = 'https://x.example/"><img src=x onerror=alert(1)>'
    with database.write() as connection:
        connection.execute(sa.update(locations).values(post_url=evil, author="<script>\u202eab"))
    await browser.log_in()
    text = (await browser.get(f"/tasks/{task}")).text
    assert "<img" not in text
    assert "<script" not in text
    assert "\u202e" not in text
    assert "&lt;img src=x" in text


async def test_the_page_speaks_korean(browser: Browser, task: str) -> None:
    await browser.log_in()
    text = (await browser.get(f"/tasks/{task}", **{"accept-language": "ko-KR"})).text
    assert '<html lang="ko">' in text
    assert "확신도 93 %, 근거 3종" in text
