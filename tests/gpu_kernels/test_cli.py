"""`haechi models`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gpu_kernels import cli
from gpu_kernels.errors import ModelError
from gpu_kernels.registry import NEEDED, WEIGHTS
from gpu_kernels.weights import Weights


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.build_cli(lambda: folder), list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_the_list_names_licence_and_state(tmp_path: Path) -> None:
    status, out, _ = run(tmp_path, "list", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [row["name"] for row in rows] == list(WEIGHTS)
    assert {row["verified"] for row in rows} == {False}
    assert all(row["licence"] and row["packages"] and row["size_bytes"] for row in rows)


def test_the_table_says_how_to_get_what_is_missing(tmp_path: Path) -> None:
    status, out, _ = run(tmp_path, "list")
    assert status == 0
    assert "sscd 1" in out
    assert "haechi" in out


def fake_pull(error: ModelError | None = None) -> Callable[..., Path]:
    def pull(weights: Weights, folder: Path, *, progress: Callable[[str], None]) -> Path:
        progress(f"{weights.name}: downloading")
        if error is not None:
            raise error
        return weights.folder_in(folder)

    return pull


def test_pull_shows_the_licence_and_keeps_json_alone_on_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "pull", fake_pull())
    status, out, err = run(tmp_path, "pull", "--json")
    assert status == 0
    assert [json.loads(line)["name"] for line in out.splitlines()] == list(NEEDED)
    assert "downloading" in err
    assert "MIT" in run(tmp_path, "pull", "sscd")[1]


def test_a_failed_pull_is_one_line_and_a_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "pull", fake_pull(ModelError("no such package")))
    status, out, err = run(tmp_path, "pull")
    assert (status, out) == (1, "")
    assert "haechi models pull: no such package" in err


def test_an_unknown_model_is_a_usage_error(tmp_path: Path) -> None:
    status, _, err = run(tmp_path, "pull", "vgg")
    assert status == 2
    assert "vgg" in err
