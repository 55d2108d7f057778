"""`haechi case keyword preview`."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeAlias

import pytest
import sqlalchemy as sa
import typer
from typer.testing import CliRunner, Result

from agents.case_cli import case_app, preview_keyword
from monitors import seen
from monitors.database import Database
from monitors.register import CaseRegister
from monitors.spelling_changes import SpellingEditor
from monitors.tables import audit
from streams.clock import SystemClock
from streams.errors import CaseNotActiveError, UnknownKeywordError
from streams.schemas import post_key
from streams.settings import Settings, environment_of
from streams.types import KeywordId, MediaItem, MediaKind, Post
from tests.fakes import an_adults_case

DAY = timedelta(days=1)
Run: TypeAlias = Callable[..., Result]


@pytest.fixture
def register(register: CaseRegister) -> CaseRegister:
    register.clock = SystemClock()
    return register


@pytest.fixture
def keyword(register: CaseRegister) -> KeywordId:
    register.open(an_adults_case())
    keyword = register.add_keyword("A", "해치공주")
    SpellingEditor(register).switch_off("A", keyword, ["goclrhdwn"])
    return keyword


@pytest.fixture
def posts(database: Database, register: CaseRegister) -> None:
    """Three posts of one hour, one of two days ago."""
    texts = [("어제 해 치 공 주", 48), ("오늘 해.치.공.주\n봄", 1), ("비", 1), ("goclrhdwn", 1)]
    for number, (text, hours) in enumerate(texts):
        post = Post(
            key=post_key("atproto", str(number)),
            source="replay",
            id=str(number),
            url=f"https://host.example/{number}",
            text=text,
            media=(MediaItem(url=f"https://host.example/{number}.jpg", kind=MediaKind.IMAGE),),
            observed_at=register.clock.now() - timedelta(hours=hours),
            author="somebody",
            network="atproto",
        )
        with database.write() as connection:
            seen.remember(connection, [(post, seen.compressed(post))])


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in environment_of(settings).items():
        if name.startswith("HAECHI_"):
            monkeypatch.setenv(name, value)

    def run(*words: str, app: typer.Typer = case_app) -> Result:
        return CliRunner().invoke(app, words, catch_exceptions=False)

    return run


@pytest.mark.usefixtures("posts")
def test_each_spelling_is_shown_with_its_hits(run: Run, keyword: KeywordId) -> None:
    found = run("keyword", "preview", "A", keyword, "--json")
    rows: list[dict[str, Any]] = [json.loads(line) for line in found.stdout.splitlines()]
    assert "3 posts" in found.stderr
    assert rows[0] == {
        "text": "해치공주",
        "kind": "spaced",
        "found": "read",
        "state": "in_force",
        "hits": 1,
        "excerpts": ["오늘 해.치.공.주 봄"],
    }
    assert {row["text"]: row["hits"] for row in rows[1:] if row["hits"]} == {"goclrhdwn": 1}
    table = run("keyword", "preview", "A", keyword, "--hours", "72").stdout
    assert "해치공주\tspaced\tread\tin_force\t2\t오늘 해.치.공.주 봄 | 어제 해 치 공 주" in table
    assert "goclrhdwn\tkeyboard\town\toff\t1\tgoclrhdwn" in table


@pytest.mark.usefixtures("posts")
def test_only_the_newest_are_read(register: CaseRegister, keyword: KeywordId) -> None:
    count, _rows = preview_keyword(register, "A", keyword, 7 * DAY, 2)
    assert count == 2


@pytest.mark.usefixtures("posts")
def test_the_audit_log_tells_of_it_and_holds_no_text(
    register: CaseRegister, keyword: KeywordId, database: Database
) -> None:
    preview_keyword(register, "A", keyword, DAY, 10)
    with database.read() as connection:
        rows = connection.execute(sa.select(audit).order_by(audit.c.seq)).all()
    assert rows[-1].action == "keyword.preview"
    assert rows[-1].detail == {"keyword": keyword, "seconds": 86_400}
    assert "해" not in str(rows)


def test_a_case_without_a_legal_basis_is_shown_nothing(
    register: CaseRegister, keyword: KeywordId
) -> None:
    with pytest.raises(UnknownKeywordError):
        preview_keyword(register, "A", "0" * 32, DAY, 10)
    register.close("A")
    with pytest.raises(CaseNotActiveError):
        preview_keyword(register, "A", keyword, DAY, 10)
