"""`agents.worker` and its command line."""

import subprocess
import sys
from pathlib import Path

from agents.worker import build
from streams.settings import Settings, environment_of
from tests.fakes import FakeClock

AGENTS = ["decide", "inspect_bulk", "inspect_urgent", "triage"]


def test_every_agent_is_attached_and_nothing_is_touched(tmp_path: Path) -> None:
    pipeline = build(Settings(home=tmp_path / "home"), clock=FakeClock())
    assert sorted(agent.name.rsplit(".", 1)[-1] for agent in pipeline.agents) == AGENTS
    assert all(agent.concurrency == 1 for agent in pipeline.agents)
    assert pipeline.reasons() == ("starting",)
    assert list(tmp_path.iterdir()) == []


def test_fausts_own_command_line_finds_the_agents_without_a_broker(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "faust", "-A", "agents.worker", "agents"],
        env=environment_of(Settings(home=tmp_path)),
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert all(agent in done.stdout for agent in AGENTS), done.stdout
