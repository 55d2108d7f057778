"""`haechi case reference`: what is enrolled, and what is set aside by hand.

`add` is in test_cli.py, `release` in tests/alerts/test_case_cli.py.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from typer.testing import Result

from monitors.migrate import open_database
from monitors.tables import features
from streams.clock import SystemClock
from streams.errors import UnknownReferenceError
from streams.settings import Settings
from streams.types import CaseId
from tests.alerts.rows import add_content, add_reference, content_of

OPEN = ("open", "--alias", "A", "--age-class", "adult", "--basis", "victim_request", "--json")


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def reference(run: Callable[..., Result]) -> str:
    """A video of a case, with features in one space."""
    (opened,) = rows(run(*OPEN))
    case, now, database = CaseId(opened["case"]), SystemClock().now(), open_database(Settings())
    with database.write() as connection:
        content = add_content(connection, now, case, content_of(0))
        found = add_reference(connection, now, case, content, kind="video")
        values = {"reference_id": found, "space": "sscd/1", "sealed": b"s"}
        connection.execute(features.insert().values(values))
    database.close()
    return found


def test_a_case_without_references_lists_none(run: Callable[..., Result]) -> None:
    run(*OPEN)
    assert run("reference", "list", "A", "--json").stdout == ""


def test_references_are_listed(run: Callable[..., Result], reference: str) -> None:
    (row,) = rows(run("reference", "list", "A", "--json"))
    assert datetime.fromisoformat(row.pop("added_at")).tzinfo is not None
    assert row == {
        "reference": reference,
        "kind": "video",
        "subject": None,
        "spaces": ["sscd/1"],
        "quarantined_at": None,
        "quarantined_until": None,
        "quarantine_reason": None,
        "held": 0,
    }
    assert reference in run("reference", "list", "A").stdout


@pytest.mark.parametrize(("options", "days"), [((), 1.0), (("--days", "3"), 3.0)])
def test_a_reference_is_set_aside_by_hand(
    run: Callable[..., Result], reference: str, options: tuple[str, ...], days: float
) -> None:
    (told,) = rows(run("reference", "quarantine", "A", reference[:8], *options, "--json"))
    assert told["reference"] == reference
    (row,) = rows(run("reference", "list", "A", "--json"))
    assert row["quarantine_reason"] == "by_hand"
    assert row["quarantined_until"] == told["quarantined_until"]
    begun, ends = (datetime.fromisoformat(row[f"quarantined_{when}"]) for when in ("at", "until"))
    assert ends - begun == timedelta(days=days)
    assert "by_hand" in run("reference", "list", "A").stdout


def test_a_reference_is_taken_out(run: Callable[..., Result], reference: str) -> None:
    assert rows(run("reference", "remove", "A", reference, "--json")) == [
        {"reference": reference, "removed": True}
    ]
    assert run("reference", "list", "A", "--json").stdout == ""
    with pytest.raises(UnknownReferenceError):
        run("reference", "remove", "A", reference)


def test_an_unknown_reference_is_said(run: Callable[..., Result], reference: str) -> None:
    with pytest.raises(UnknownReferenceError):
        run("reference", "quarantine", "A", "f" * 32)
    run("reference", "quarantine", "A", reference, "--days", "99", status=2)
