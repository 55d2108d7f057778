"""`agents.children`, with small real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from agents.children import MAX_LOG_BYTES, Child


def a_child(tmp_path: Path, code: str) -> Child:
    return Child("worker-0", [sys.executable, "-S", "-c", code], os.environ, tmp_path)


def ended(child: Child) -> None:
    until = time.monotonic() + 10
    while child.runs and time.monotonic() < until:
        time.sleep(0.01)


def test_a_long_log_is_set_apart_at_the_next_start(tmp_path: Path) -> None:
    child = a_child(tmp_path, "print('new')")
    child.log.write_bytes(b"x" * (MAX_LOG_BYTES + 1))
    child.start()
    ended(child)
    assert child.log.read_text() == "new\n"
    assert (tmp_path / "worker-0.log.1").stat().st_size == MAX_LOG_BYTES + 1


def test_a_log_is_its_owners_alone(tmp_path: Path) -> None:
    child = a_child(tmp_path, "print('new')")
    child.start()
    ended(child)
    assert child.log.stat().st_mode & 0o777 == 0o600


def test_a_childs_memory_is_told_while_it_runs(tmp_path: Path) -> None:
    child = a_child(tmp_path, "print('up', flush=True); import time; time.sleep(60)")
    assert child.memory_bytes() == 0
    child.start()
    assert child.memory_bytes() > 0
    child.signal(signal.SIGKILL)
    ended(child)
    assert child.memory_bytes() == 0


def test_a_child_runs_without_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    child = Child("w", [sys.executable, "-S", "-c", ""], os.environ, tmp_path / "none")
    child.start()
    ended(child)
    assert child.poll() == 0


def test_a_childs_last_words_are_found_in_its_log(tmp_path: Path) -> None:
    child = a_child(
        tmp_path,
        "import sys; print('{}'); print('haechi: no model', file=sys.stderr); sys.exit(78)",
    )
    assert child.last_words() == ""
    child.start()
    ended(child)
    assert (child.poll(), child.last_words()) == (78, "no model")


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys, time\n"
        "from agents.children import Child\n"
        "child = Child('c', [sys.executable, '-S', '-c', 'import time; time.sleep(60)'],"
        " os.environ, pathlib.Path(sys.argv[1]))\n"
        "child.start()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        assert Path(f"/proc/{grandchild}").exists()
        parent.kill()
    until = time.monotonic() + 10
    while _runs(grandchild) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _runs(grandchild)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
