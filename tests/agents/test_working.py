"""`agents.working`, by way of `haechi worker`."""

import subprocess
import sys
from pathlib import Path

from agents.cli import EXIT_CONFIGURATION
from streams.settings import Settings, environment_of


def test_a_worker_without_its_model_ends_with_one_line_and_its_own_status(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", models=tmp_path / "none", worker_port=0)
    done = subprocess.run(
        [sys.executable, "-m", "haechi", "worker"],
        env=environment_of(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == EXIT_CONFIGURATION, done.stderr
    assert done.stderr.splitlines()[-1].startswith("haechi: ")
    assert "haechi models pull" in done.stderr
