"""Alertmanager accepts its configuration and sends each severity where it belongs."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers import missing

CONFIG = Path(__file__).parents[3] / "dashboards/alertmanager/alertmanager.yml"

pytestmark = pytest.mark.servers


def amtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    if not shutil.which("amtool"):
        missing("amtool")
    return subprocess.run(["amtool", *words], capture_output=True, text=True, check=False)


def test_alertmanager_accepts_the_configuration() -> None:
    checked = amtool("check-config", CONFIG)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("severity", "receiver"), [("page", "pages"), ("ticket", "tickets"), ("none", "watchdog")]
)
def test_an_alert_goes_to_the_receiver_of_its_severity(severity: str, receiver: str) -> None:
    routed = amtool(
        "config", "routes", "test", f"--config.file={CONFIG}",
        f"--verify.receivers={receiver}", f"severity={severity}", "team=haechi",
    )  # fmt: skip
    assert routed.returncode == 0, routed.stdout + routed.stderr
