"""`haechi case negative`, with an extractor that knows two media."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from monitors import negative_cli
from monitors.negatives import Features
from streams.errors import MediaTooLargeError, UndecodableMediaError, UnknownNegativeError
from streams.settings import Settings

OPEN = ("open", "--alias", "A", "--age-class", "adult", "--basis", "victim_request")

Run = Callable[..., Result]


async def extract(body: bytes) -> Features:
    if body == b"huge":
        raise MediaTooLargeError("huge")
    if body == b"a text":
        raise UndecodableMediaError("no picture")
    if body == b"flat":
        return {"sscd/1": []}
    return {"sscd/1": [{"embeddings": np.ones((1, 4), np.float32)}]}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    @asynccontextmanager
    async def extracting(_settings: Settings) -> AsyncIterator[negative_cli.Extract]:
        yield extract

    monkeypatch.setattr(negative_cli, "extracting", extracting)
    for body in ("picture", "a text", "huge", "flat"):
        (tmp_path / body).write_text(body)
    return [str(tmp_path / body) for body in ("picture", "a text", "huge", "flat", "none")]


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_file_gets_one_line_in_the_order_given(run: Run, files: list[str]) -> None:
    run(*OPEN)
    told = rows(run("negative", "add", "A", *files, "--reason", "poster", "--json"))
    assert [list(row) for row in told] == [["path", "negative", "outcome", "reason"]] * 5
    assert [row["path"] for row in told] == files
    assert [(row["outcome"], row["reason"]) for row in told] == [
        ("added", None),
        ("unreadable", "undecodable_media"),
        ("refused", "media_too_large"),
        ("refused", "low_detail"),
        ("unreadable", "unreadable_file"),
    ]
    (listed,) = rows(run("negative", "list", "A", "--json"))
    assert listed["negative"] == told[0]["negative"]
    assert (listed["reason"], listed["spaces"]) == ("poster", ["sscd/1"])
    assert "poster" in run("negative", "list", "A").stdout
    assert "refused low_detail" in run("negative", "add", "A", files[3]).stdout


def test_the_bank_of_all_cases_is_apart(run: Run, files: list[str]) -> None:
    run(*OPEN)
    (added,) = rows(run("negative", "add", "-", files[0], "--json"))
    assert run("negative", "list", "A", "--json").stdout == ""
    (listed,) = rows(run("negative", "list", "-", "--json"))
    assert (listed["negative"], listed["case"]) == (added["negative"], None)
    with pytest.raises(UnknownNegativeError):
        run("negative", "remove", "A", added["negative"])
    run("negative", "remove", "-", added["negative"])
    assert run("negative", "list", "-", "--json").stdout == ""
