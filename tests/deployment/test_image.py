"""The Dockerfile passes its linter; the image holds no weights and nothing of the desk."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "Dockerfile"
PACKAGES = ("streams", "agents", "gpu_kernels", "monitors", "alerts", "dashboards")


def hadolint(text: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "hadolint"
    return subprocess.run([program, "-"], input=text, capture_output=True, text=True, check=False)


def test_the_linter_finds_nothing() -> None:
    linted = hadolint(FILE.read_text())
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("FROM python:3.11.14-slim-bookworm AS build", "FROM python AS build"),
        ("WORKDIR /src", "WORKDIR src"),
        ("    && rm -rf /var/lib/apt/lists/* \\\n", ""),
    ],
)
def test_the_linter_would_notice_a_slip(right: str, wrong: str) -> None:
    assert right in FILE.read_text()
    assert hadolint(FILE.read_text().replace(right, wrong)).returncode != 0


def test_the_last_word_on_the_user_is_not_root() -> None:
    users = re.findall(r"^USER (\S+)", FILE.read_text(), re.MULTILINE)
    assert users
    assert users[-1].split(":")[0] not in {"0", "root"}


def test_the_image_and_compose_agree_on_the_user() -> None:
    user = re.findall(r"^USER (\S+)", FILE.read_text(), re.MULTILINE)[-1]
    assert f'user: "{user}"' in (ROOT / "compose.yaml").read_text()


def test_every_package_is_copied_and_nothing_else_may_be() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", FILE.read_text(), re.MULTILINE))
    allowed = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert copied == set(PACKAGES)
    assert allowed == set(PACKAGES) | {"pyproject.toml", "README.md", "haechi.py"}
    assert (ROOT / ".dockerignore").read_text().startswith("*\n")


def test_no_weights_are_built_in() -> None:
    assert not re.search(r"^RUN .*models pull", FILE.read_text(), re.MULTILINE)
