"""`agents.benchmarks.images_run`: `haechi bench images` as it is typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.benchmarks import images_run
from agents.benchmarks.cli import bench_app
from alerts.calibration import load_calibration
from gpu_kernels.models import LocatedModel
from streams.errors import ModelError
from streams.settings import Settings


@pytest.mark.usefixtures("evidence")
def test_the_command_fits_writes_and_prints_one_object_a_set(
    folder: Path,
    located: LocatedModel,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(images_run, "_located", lambda _settings: located)
    monkeypatch.setattr(images_run, "Settings", lambda: Settings(engine="onnxruntime"))
    written = tmp_path / "fitted.json"
    sets = ["--set", str(folder), "--hard-set", str(folder)]
    options = ["--cache", str(cache), "--fit", str(written), "--jobs", "1", "--json"]
    result = CliRunner().invoke(bench_app, ["images", *sets, *options])
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["set"] for one in found] == ["toy", "toy"]
    assert found[0]["references"] == 8
    assert found[0]["copies"] == 16
    assert found[0]["alert"] == load_calibration(written).alert
    assert {row["method"] for row in found[0]["methods"]} == {"pdq", "sscd whole", "haechi"}


def test_a_missing_model_names_the_way_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images_run, "Settings", lambda: Settings(models=tmp_path))
    result = CliRunner().invoke(bench_app, ["images", "--set", str(folder)])
    assert isinstance(result.exception, ModelError)
    assert "haechi models pull" in str(result.exception)
