"""`haechi case keyword spellings`, `spell` and `unspell`, as users and scripts call them."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from typer.testing import CliRunner, Result

from monitors.cli import case_app
from streams.errors import CaseError

Run: TypeAlias = Callable[..., Result]


def _rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def keyword(run: Run) -> str:
    run("open", "--alias", "나무", "--age-class", "adult", "--basis", "victim_request")
    (row,) = _rows(run("keyword", "add", "나무", "해치공주", "--json"))
    return str(row["keyword"])


def test_spellings_are_listed_added_and_switched_off(run: Run, keyword: str) -> None:
    listed = _rows(run("keyword", "spellings", "나무", keyword, "--json"))
    assert {"text": "goclrhdwn", "kind": "keyboard", "found": "own", "state": "in_force"} in listed
    added = _rows(run("keyword", "spell", "나무", keyword, "해치언니", "--json"))
    assert added == [{"text": "해치언니", "kind": "added", "found": "own", "state": "added"}]
    off = _rows(run("keyword", "unspell", "나무", keyword, "goclrhdwn", "--json"))
    assert off == [{"text": "goclrhdwn", "off": True}]
    states = {one["text"]: one["state"] for one in _rows(
        run("keyword", "spellings", "나무", keyword, "--json")
    )}  # fmt: skip
    assert (states["해치언니"], states["goclrhdwn"]) == ("added", "off")


def test_people_read_a_table(run: Run, keyword: str) -> None:
    assert (
        "goclrhdwn\tkeyboard\town\tin_force" in run("keyword", "spellings", "나무", keyword).stdout
    )
    assert (
        "해치언니: added, found: own" in run("keyword", "spell", "나무", keyword, "해치언니").stdout
    )
    assert "해치언니 is off" in run("keyword", "unspell", "나무", keyword, "해치언니").stdout


def test_spellings_can_be_given_where_nobody_sees_them(run: Run, keyword: str) -> None:
    words = ("keyword", "spell", "나무", keyword, "-", "--json")
    typed = CliRunner().invoke(case_app, words, input="해치언니\n\n해치누나\n")
    assert [row["text"] for row in _rows(typed)] == ["해치언니", "해치누나"]


def test_what_cannot_be_switched_off_is_said(run: Run, keyword: str) -> None:
    with pytest.raises(CaseError, match="no switch"):
        run("keyword", "unspell", "나무", keyword, "해.치.공.주")
