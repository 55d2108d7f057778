"""`streams.media.zygote`: real processes that must not outlive those who need them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.media.decoder import SandboxedDecoder
from streams.media.frames import EXIT_DENIED, Limits
from streams.media.sandbox import bubblewrap_works, sandbox_status

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(sandbox_status().kind == "none", reason=sandbox_status().detail)

PARENT = """
import asyncio, sys, threading
from streams.media.decoder import SandboxedDecoder

async def main():
    decoder = SandboxedDecoder(timeout_seconds=60, kind=sys.argv[2])
    await decoder.start()
    print(decoder.zygote_pid, flush=True)
    await decoder.probe("sleep")

if sys.argv[1] == "main":
    asyncio.run(main())
else:
    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join()
"""

KINDS = [
    pytest.param(
        "landlock",
        marks=pytest.mark.skipif(sandbox_status().kind != "landlock", reason="no Landlock"),
    ),
    pytest.param(
        "bubblewrap",
        marks=pytest.mark.skipif(not bubblewrap_works(), reason="bubblewrap does not work here"),
    ),
]


def children(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in listed]


def descendants(pid: int) -> list[int]:
    found = children(pid)
    return found + [below for child in found for below in descendants(child)]


def descriptors(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/fd").iterdir())


def environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def core_limit(pid: int) -> list[str]:
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line.split()[4:6] for line in limits if line.startswith("Max core file size"))


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(what: Callable[[], bool], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("thread", ["main", "other"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_parent_that_dies(thread: str, kind: str, end: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, thread, kind], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    zygote = int(parent.stdout.readline())
    depth = 1 if kind == "landlock" else 3  # bwrap, its init, the zygote, the child
    assert wait_for(lambda: len(descendants(zygote)) >= depth)
    family = [zygote, *descendants(zygote)]
    parent.send_signal(end)
    parent.wait()
    parent.stdout.close()
    assert wait_for(lambda: not any(is_running(pid) for pid in family)), family


@pytest.mark.skipif(sandbox_status().kind != "landlock", reason="no Landlock")
async def test_a_child_does_not_outlive_its_zygote() -> None:
    decoder = SandboxedDecoder(timeout_seconds=60)
    await decoder.start()
    zygote = decoder.zygote_pid
    assert zygote is not None
    sleeping = asyncio.ensure_future(decoder.probe("sleep"))
    assert await asyncio.to_thread(wait_for, lambda: len(children(zygote)) == 1)
    child = children(zygote)[0]
    os.kill(zygote, signal.SIGKILL)
    assert await asyncio.to_thread(wait_for, lambda: not is_running(child))
    await asyncio.wait([sleeping])
    assert sleeping.exception() is not None
    await decoder.close()


@pytest.mark.skipif(sandbox_status().kind != "landlock", reason="no Landlock")
async def test_neither_a_zygote_nor_its_child_leaves_a_core() -> None:
    decoder = SandboxedDecoder(timeout_seconds=60)
    await decoder.start()
    zygote = decoder.zygote_pid
    assert zygote is not None
    sleeping = asyncio.ensure_future(decoder.probe("sleep"))
    assert await asyncio.to_thread(wait_for, lambda: len(children(zygote)) == 1)
    child = children(zygote)[0]
    assert core_limit(zygote) == ["0", "0"]
    assert await asyncio.to_thread(wait_for, lambda: core_limit(child) == ["0", "0"])
    sleeping.cancel()
    await decoder.close()


@pytest.mark.skipif(sandbox_status().kind != "landlock", reason="no Landlock")
async def test_a_zygote_survives_any_number_of_hostile_children() -> None:
    limits = Limits(max_side=64, max_frames=1, video_side=64)  # forging fills all of an answer
    decoder = SandboxedDecoder(workers=8, timeout_seconds=0.5, limits=limits)
    await decoder.start()
    zygote = decoder.zygote_pid
    assert zygote is not None
    names = ["crash", "forge", "sleep", "spin", "execute", "stop", "signal_zygote"] * 8
    await asyncio.gather(*[decoder.probe(name) for name in names], return_exceptions=True)
    assert await decoder.probe("read_file") == EXIT_DENIED
    assert decoder.zygote_pid == zygote
    assert children(zygote) == []
    assert len(descriptors(zygote)) < 10
    await decoder.close()
    assert not is_running(zygote)


async def test_it_starts_in_a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAECHI_SECRET", "must not cross")
    decoder = SandboxedDecoder()
    await decoder.start()
    assert decoder.zygote_pid is not None
    family = (decoder.zygote_pid, *descendants(decoder.zygote_pid))
    seen = b"".join(environment(pid) for pid in family)
    assert b"PYTHONPATH" in seen
    assert b"must not cross" not in seen
    await decoder.close()


def test_it_does_not_start_for_a_parent_that_is_gone() -> None:
    arguments = ["0", "landlock", "64", "1", "64", "1", "1"]
    command = [sys.executable, "-m", "streams.media.zygote", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert b"the parent is gone" in done.stderr
