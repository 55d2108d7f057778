"""`agents.benchmarks.recognition_run`, on a tiny set with real children."""

import json
from pathlib import Path

import pytest

from agents.benchmarks.recognition_run import Options, run
from gpu_kernels.errors import ModelError
from streams.errors import ConfigurationError
from tests.weights import pulled


def options(cache: Path, **changes: object) -> Options:
    given: dict[str, object] = {
        "same_content": None,
        "only": ("image", "audio"),
        "sample": None,
        "cache": cache,
        "fit": None,
        "peers": None,
        "peers_python": None,
        "jobs": 2,
        "together": False,
        "as_json": True,
    }
    return Options(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.models
def test_a_set_gives_one_object_with_a_row_for_each_method(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pulled()
    run([folder], options(tmp_path, together=True))
    told = json.loads(capsys.readouterr().out)
    ours = [row for row in told["rows"] if row["method"] == "haechi" and row["half"] == "all"]
    mixed = ours.pop()
    assert mixed["media"].startswith("together, ")
    assert {row["media"].split(",")[0]: row["recall"] for row in ours} == {
        "image": 1.0,
        "audio": 1.0,
    }
    assert mixed["copies"] == 6
    with pytest.raises(ConfigurationError, match="videos"):
        run([folder], options(tmp_path, fit=tmp_path / "fit.json"))
    with pytest.raises(ConfigurationError, match="--sample"):
        run([folder], options(tmp_path, sample=100, peers=tmp_path))


def test_what_the_peers_lack_is_told_before_anything_is_looked_at(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAECHI_MODELS", str(tmp_path / "models"))
    with pytest.raises(ModelError, match="run `haechi models pull sscd`"):
        run([folder], options(tmp_path, peers=tmp_path, peers_python=tmp_path / "python"))
    assert list(tmp_path.glob("recognition.db")) == []
