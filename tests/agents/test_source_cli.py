"""`agents.source_cli`."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents import sources as sources_module
from agents.source_cli import source_app
from monitors import freshness, gaps
from monitors.freshness import Heard
from monitors.gaps import GapState
from monitors.migrate import open_database
from streams.clock import Clock, SystemClock
from streams.errors import UnauthorizedError
from streams.settings import Settings
from streams.sources import catalogue
from streams.sources.catalogue import Adapter
from streams.sources.config import SourceConfig
from streams.sources.source import EventKind, Passed, Query, SourcedItem, SourcedPost, Truncated
from streams.types import MediaItem, Post
from tests.agents.pipeline import a_post
from tests.fakes import FakeClock

HERE = "tests.agents.test_source_cli"


class FakeSource:
    """Gives a post with a picture and three other events; `broken` is refused."""

    def __init__(self, config: SourceConfig, *, clock: Clock) -> None:
        self.name = config.name

    async def posts(self, cursor: str | None) -> AsyncIterator[SourcedItem]:
        if self.name == "broken":
            raise UnauthorizedError("the token has\nexpired")
        if self.name == "off":
            raise KeyError("s3cret")
        media = (MediaItem(url="https://host.example/1.jpg"),)
        yield SourcedPost(post=a_post(FakeClock(), 1, media=media), cursor="1")
        yield Passed(cursor="2", counts={EventKind.OTHER: 3})

    async def search(self, query: Query) -> AsyncIterator[Post | Truncated]:
        assert query.words == "바다"
        yield a_post(FakeClock(), 1)
        yield Truncated(reason="pages")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home with a sources' file of fake adapters."""
    file = tmp_path / "sources.toml"
    file.write_text(
        '[[stream]]\nkind = "fake"\nname = "sky"\n'
        '[[stream]]\nkind = "fake"\nname = "broken"\n'
        '[[stream]]\nkind = "fake"\nname = "off"\nenabled = false\n'
        '[[search]]\nkind = "fake"\nname = "ask"\n'
    )
    monkeypatch.setenv("HAECHI_HOME", str(tmp_path))
    monkeypatch.setenv("HAECHI_SOURCES", str(file))
    adapter = {"fake": Adapter(HERE, "SourceConfig", "FakeSource")}
    monkeypatch.setattr(catalogue, "STREAMS", adapter)
    monkeypatch.setattr(catalogue, "SEARCHES", adapter)


def run(*words: str, status: int = 0) -> str:
    found = CliRunner().invoke(source_app, list(words), catch_exceptions=False)
    assert found.exit_code == status, found.output
    return found.stdout


def rows(*words: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in run(*words, "--json").splitlines()]


def hear() -> None:
    """Let one source give, and another fail."""
    now, database = SystemClock().now(), open_database(Settings())
    with database.write() as connection:
        heard = Heard(counts={EventKind.POST: 7}, event_at=now - timedelta(seconds=9))
        freshness.note_heard(connection, database, "sky", heard, now)
        freshness.note_problem(
            connection,
            database,
            "broken",
            "unauthorized",
            now,
            retry_at=now + timedelta(seconds=60),
        )
        gaps.enter_gap(
            connection, "sky", "stalled", now - timedelta(hours=1), now, GapState.REFILLED
        )
    database.close()


def test_every_source_is_listed_with_its_state_before_anything_was_read() -> None:
    listed = rows("list")
    assert {row["source"]: row["state"] for row in listed} == {
        "ask": "asked by searches",
        "broken": "never read",
        "lookback": "asked by searches",
        "off": "not enabled",
        "push": "giving",
        "sky": "never read",
    }
    [push] = [row for row in listed if row["source"] == "push"]
    assert (push["enabled"], push["waiting"], push["ended"], push["cursor"]) == (True, 0, 0, None)


def test_what_a_source_gave_and_what_is_wrong_is_said_with_the_way_out() -> None:
    hear()
    by_name = {row["source"]: row for row in rows("list")}
    sky, broken = by_name["sky"], by_name["broken"]
    assert (sky["state"], sky["gaps"]) == ("giving", {"open": 0, "refilled": 1, "lost": 0})
    assert sky["kinds"]["post"]["events"] == 7  # type: ignore[index]
    assert 8 < sky["lag_seconds"] < 10  # type: ignore[operator]
    assert (broken["state"], broken["problem"]) == ("unauthorized", "unauthorized")
    shown = run("list")
    assert "broken: unauthorized: renew the token" in shown
    assert "9 s late" in shown
    [gap] = rows("gaps", "sky")
    assert (gap["reason"], gap["state"]) == ("stalled", "refilled")
    assert "stalled" in run("gaps")
    assert rows("gaps", "broken") == []


def test_a_source_is_tried_and_nothing_is_stored(tmp_path: Path) -> None:
    assert run("test", "sky") == "sky: media 1, other 3, post 1\n"
    [row] = rows("test", "sky")
    assert (row["worked"], row["error"]) == (True, None)
    assert not (tmp_path / "haechi.db").exists()


def test_a_source_that_does_not_work_is_said_with_the_way_out() -> None:
    said = run("test", "broken", status=1)
    assert "unauthorized: the token has expired; renew the token" in said


def test_an_adapters_bug_is_one_line_without_its_words() -> None:
    said = run("test", "off", status=1)
    assert said.startswith("off: nothing came; bug: KeyError; ")
    assert said.count("\n") == 1
    assert "s3cret" not in said


def test_what_a_source_that_is_not_enabled_had_once_is_no_trouble() -> None:
    database = open_database(Settings())
    with database.write() as connection:
        freshness.note_problem(connection, database, "off", "stalled", SystemClock().now())
    database.close()
    by_name = {row["source"]: row for row in rows("list")}
    assert (by_name["off"]["state"], by_name["off"]["troubles"]) == ("not enabled", [])
    assert by_name["off"]["problem"] == "stalled"
    assert "stalled" not in run("list")


def test_a_search_is_asked_one_question() -> None:
    said = run("test", "ask", "--words", "바다")
    assert said == "ask: post 1, truncated_pages 1\n"


def test_every_trouble_that_freshness_names_has_its_way_out() -> None:
    named = {freshness.SILENT, freshness.BEHIND, freshness.KIND_MISSING, freshness.CANARY_MISSING}
    assert named <= sources_module.CURES.keys()
