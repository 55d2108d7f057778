"""The page on settings is the settings."""

import subprocess
import sys
from pathlib import Path

import pytest

from streams.settings import Settings

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_its_script_writes() -> None:
    script = [sys.executable, str(ROOT / "scripts/settings_docs.py")]
    written = subprocess.run(script, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert (ROOT / "docs/settings.md").read_text() == written, (
        "run: .venv/bin/python scripts/settings_docs.py >docs/settings.md"
    )


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_says_what_it_is(name: str) -> None:
    assert Settings.model_fields[name].description
    assert f"`HAECHI_{name.upper()}`" in (ROOT / "docs/settings.md").read_text()
