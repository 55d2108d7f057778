"""`agents.benchmarks.cli`: what each command does is tested beside its module."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.benchmarks.cli import bench_app


@pytest.mark.parametrize("command", ["recognition", "hostile", "throughput"])
def test_help_needs_neither_settings_nor_a_model(command: str) -> None:
    assert command in CliRunner().invoke(bench_app, ["--help"]).stdout
    assert CliRunner().invoke(bench_app, [command, "--help"]).exit_code == 0


def test_a_set_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(bench_app, ["recognition", "--set", str(tmp_path / "none")])
    assert result.exit_code == 2


def test_too_few_images_are_a_usage_error() -> None:
    assert CliRunner().invoke(bench_app, ["throughput", "--images", "1"]).exit_code == 2
