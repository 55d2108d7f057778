"""Commands, run as users and scripts run them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from monitors.cli import case_app


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in an empty home; what it raised is raised again."""
    monkeypatch.setenv("HAECHI_HOME", str(tmp_path / "home"))

    def run(*words: str, app: typer.Typer = case_app, status: int = 0) -> Result:
        result = CliRunner().invoke(app, words)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result

    return run
