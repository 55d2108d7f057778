"""`agents.cli`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.cli import source_app


def test_sources_are_listed_for_people_and_for_scripts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAECHI_HOME", str(tmp_path))
    found = CliRunner().invoke(source_app, ["list", "--json"])
    assert found.exit_code == 0, found.output
    [push] = [json.loads(line) for line in found.stdout.splitlines()]
    assert (push["source"], push["enabled"], push["waiting"]) == ("push", True, 0)
    shown = CliRunner().invoke(source_app, ["list"])
    assert shown.stdout.startswith("push: enabled")
