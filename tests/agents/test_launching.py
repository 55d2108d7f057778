"""`agents.launching`, with the real processes of `haechi up`."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from agents import launching
from agents.children import Child
from streams.clock import SystemClock
from streams.settings import Settings, environment_of
from tests.end_to_end.instance import (
    Instance,
    MediaHost,
    an_instance,
    jpeg,
    kill,
    scene,
    write_replay,
)

POSTS = 4

pytestmark = [pytest.mark.slow, pytest.mark.models, pytest.mark.timeout(240)]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def family(instance: Instance) -> set[int]:
    """Give every process that the launcher started, and theirs."""
    found: set[int] = set()
    rest = [instance.process.pid]
    while rest:
        parent = rest.pop()
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            own = {int(pid) for pid in children.read_text().split()}
            rest += own - found
            found |= own
    return found


def all_gone(pids: set[int], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while any(map(is_running, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(is_running, pids))


def metric(instance: Instance, name: str) -> float:
    address = instance.state()["processes"]["worker-0"]["address"]
    with urllib.request.urlopen(f"{address}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return sum(float(value) for value in re.findall(rf"^{name}\S* (\S+)$", text, re.MULTILINE))


@pytest.fixture
def host():  # type: ignore[no-untyped-def]
    with MediaHost({f"/{n}.jpg": jpeg(scene("shapes", n)) for n in range(POSTS + 2)}) as opened:
        yield opened


def post(host: MediaHost, number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "url": f"https://board.example/{number}",
        "media": [{"url": f"{host.origin}/{number}.jpg"}],
    }


def small_instance(tmp_path: Path, host: MediaHost) -> Instance:
    posts = [post(host, number) for number in range(POSTS)]
    return an_instance(
        tmp_path / "home",
        workers=1,
        engine_children=1,
        decoder_children=1,
        replay_file=write_replay(tmp_path / "posts.jsonl", posts),
        replay_rate=2,
        fetch_allow=frozenset({host.origin}),
    )


def up(settings: Settings) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "haechi", "up"],
        env=environment_of(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_it_runs_once_a_home_and_a_signal_stops_everything_within_ten_seconds(
    tmp_path: Path, host: MediaHost
) -> None:
    with small_instance(tmp_path, host) as instance:
        instance.wait_until_ready()
        second = up(instance.settings)
        assert (second.returncode, len(second.stderr.splitlines())) == (1, 1)
        assert f"already runs on this home (process {instance.process.pid})" in second.stderr
        started = family(instance)
        assert len(started) >= 6  # broker, collector, worker, zygote, engine, console
        began = time.monotonic()
        assert instance.stop(signal.SIGINT) == 0
        assert time.monotonic() - began < 10
        assert all_gone(started, 1)
        assert instance.state() == {}


def test_what_falls_is_started_again_and_the_stream_goes_on(
    tmp_path: Path, host: MediaHost
) -> None:
    with small_instance(tmp_path, host) as instance:
        instance.wait_until_ready()
        instance.wait(lambda: len(instance.outcomes()) == POSTS, 60, "every outcome")
        [child] = [
            pid
            for pid in family(instance)
            if b"gpu_kernels.engine_child" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        kill(child)
        instance.push([post(host, POSTS)])
        instance.wait(lambda: len(instance.outcomes()) == POSTS + 1, 60, "an outcome")
        assert metric(instance, "haechi_child_deaths_total") == 1
        for name in ("collector", "console", "worker-0"):
            pid = instance.pid_of(name)
            kill(pid)
            instance.wait(
                lambda name=name, pid=pid: instance.pid_of(name) != pid,  # type: ignore[misc]
                30,
                f"{name} comes back",
            )
        instance.wait_until_ready()
        instance.push([post(host, POSTS + 1)])
        instance.wait(lambda: len(instance.outcomes()) == POSTS + 2, 60, "an outcome")
        assert set(instance.outcomes().values()) == {("clear", None)}
        assert instance.stop(signal.SIGTERM) == 0


def test_a_worker_that_hangs_is_replaced_and_all_die_with_a_launcher_that_is_killed(
    tmp_path: Path, host: MediaHost
) -> None:
    with small_instance(tmp_path, host) as instance:
        instance.wait_until_ready()
        pid = instance.pid_of("worker-0")
        os.kill(pid, signal.SIGSTOP)
        instance.wait(lambda: not instance.state()["ready"], 20, "seen as not ready")
        instance.wait(lambda: instance.pid_of("worker-0") != pid, 60, "replaced")
        instance.wait(lambda: len(instance.outcomes()) == POSTS, 90, "every outcome")
        started = family(instance)
        instance.process.kill()
        instance.process.wait()
        assert all_gone(started)


def test_a_missing_model_is_said_in_one_line(tmp_path: Path) -> None:
    done = up(Settings(home=tmp_path / "home", models=tmp_path / "none"))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "haechi models pull" in done.stderr
    for folder in (tmp_path / "home", tmp_path / "home" / "run"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_taken_port_ends_it_with_the_reason(tmp_path: Path, host: MediaHost) -> None:
    instance = small_instance(tmp_path, host)
    taken = int(host.origin.rsplit(":", 1)[1])
    instance.settings = instance.settings.model_copy(update={"collector_port": taken})
    with instance:
        assert instance.process.wait(60) == 1
        said = (instance.settings.home / "logs" / "up.log").read_text()
    assert f"port {taken}" in said


async def test_a_broker_that_is_full_begins_a_new_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Child("broker", [sys.executable, "-S", "-c", "input()"], os.environ, tmp_path)
    broker.start()
    database: Any = None
    launcher = launching.Launcher(Settings(home=tmp_path), database, print, SystemClock())
    replaced: list[bool] = []

    async def replace() -> None:
        replaced.append(broker.runs)

    monkeypatch.setattr(launcher, "_broker", broker)
    monkeypatch.setattr(launcher, "_replace_broker", replace)
    try:
        monkeypatch.setattr(launching, "MAX_BROKER_BYTES", 2**40)
        await launcher._tick()
        monkeypatch.setattr(launching, "MAX_BROKER_BYTES", 1)
        async with asyncio.timeout(5):
            while not replaced:
                await launcher._tick()
                await asyncio.sleep(0.01)
    finally:
        broker.signal(signal.SIGKILL)
    assert replaced == [False]
