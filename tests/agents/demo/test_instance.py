"""The demo's instance has nothing to do with the user's, and never outlives the demo."""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from agents.demo.instance import Instance, LaunchError, demo_settings
from streams.settings import Settings

SLEEP = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")


def settings(home: Path, **values: object) -> Settings:
    base = Settings.model_validate({"home": home / "mine", **values})
    return demo_settings(base, home, origin="http://127.0.0.1:9", rate=8)


def test_the_users_database_broker_and_secrets_are_left_alone(tmp_path: Path) -> None:
    own = settings(
        tmp_path,
        database_url="postgresql+psycopg://real",
        broker_url="kafka://real:9092",
        redis_url=SecretStr("redis://real"),
        keys=tmp_path / "real-keys",
        webhook_url="https://real.example",
        fetch_allow="http://127.0.0.1:80",
        models=tmp_path / "models",
        engine="onnxruntime",
        workers=2,
    )
    assert own.database == f"sqlite:///{tmp_path / 'haechi.db'}"
    assert own.keys_dir == tmp_path / "keys"
    assert (own.broker_url, own.redis_url, own.webhook_url) == (None, None, None)
    assert own.fetch_allow == {"http://127.0.0.1:9"}
    assert (own.models, own.engine, own.workers) == (tmp_path / "models", "onnxruntime", 2)


def test_the_console_keeps_its_port_where_it_is_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert settings(tmp_path, console_port=port).console_port == 0
    assert settings(tmp_path, console_port=port).console_port == port


async def test_it_is_stopped_whatever_happens(tmp_path: Path) -> None:
    pids: list[int] = []

    async def fail_inside() -> None:
        async with Instance(settings(tmp_path), SLEEP) as instance:
            instance.check()
            pids.append(await _pid(tmp_path))
            raise RuntimeError("anything")

    with pytest.raises(RuntimeError, match="anything"):
        await fail_inside()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


async def test_one_that_ended_by_itself_says_its_last_words(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "print('haechi: no port is free'); raise SystemExit(3)")
    async with Instance(settings(tmp_path), command) as instance:
        with pytest.raises(LaunchError, match="status 3: no port is free"):
            await _check_for_ever(instance)


async def _check_for_ever(instance: Instance) -> None:
    while True:
        instance.check()
        await asyncio.sleep(0.02)


async def test_the_console_s_address_is_told_once_everything_is_ready(tmp_path: Path) -> None:
    own = settings(tmp_path)
    instance = Instance(own, SLEEP)
    assert instance.console() is None
    own.run_dir.mkdir()
    state = {"ready": False, "ports": {"console": 8123}, "processes": {"console": {}}}
    (own.run_dir / "state.json").write_text(json.dumps(state))
    assert instance.console() is None
    (own.run_dir / "state.json").write_text(json.dumps(state | {"ready": True}))
    assert instance.console() == "http://127.0.0.1:8123"


@pytest.mark.slow
def test_it_dies_with_the_demo(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from agents.demo.instance import Instance, demo_settings\n"
        "from streams.settings import Settings\n"
        "async def main():\n"
        "    home = Path(sys.argv[1])\n"
        "    own = demo_settings(Settings(home=home), home, origin='http://127.0.0.1:9', rate=1)\n"
        f"    async with Instance(own, {SLEEP!r}):\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )

    async def kill_it() -> int:
        demo = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(tmp_path))
        pid = await _pid(tmp_path)
        demo.send_signal(signal.SIGKILL)
        await demo.wait()
        return pid

    pid = asyncio.run(kill_it())
    assert asyncio.run(_is_gone(pid))


async def _pid(home: Path) -> int:
    """Wait until the child has said that it runs, and find it by its log."""
    for _ in range(500):
        found = _started(home / "up.log")
        if found is not None:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("it did not start")


def _started(log: Path) -> int | None:
    if not log.exists() or "up" not in log.read_text():
        return None
    for entry in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            if entry.readlink() == log:
                return int(entry.parts[2])
        except OSError:
            continue
    return None


async def _is_gone(pid: int) -> bool:
    for _ in range(250):
        if _state(pid) in {"gone", "Z"}:
            return True
        await asyncio.sleep(0.02)
    return False


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"
