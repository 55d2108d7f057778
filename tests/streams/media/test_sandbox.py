"""`streams.media.sandbox`; each lock alone, in a process of its own."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streams.errors import SandboxError
from streams.media import sandbox
from streams.media.sandbox import sandbox_status, wrap_command

ROOT = Path(__file__).parents[3]

needs_landlock = pytest.mark.skipif(
    sandbox.landlock_abi() == 0, reason="this kernel has no Landlock"
)
needs_bubblewrap = pytest.mark.skipif(
    not sandbox.bubblewrap_works(), reason="bubblewrap does not work here"
)


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code that locks itself; what it prints goes through a pipe."""
    head = "import os, socket, ctypes, mmap\nfrom streams.media import sandbox\n"
    return subprocess.run(
        [sys.executable, "-c", head + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_this_machine_names_its_sandbox() -> None:
    status = sandbox_status()
    assert status.kind in {"landlock", "bubblewrap", "none"}
    assert status.detail


@needs_landlock
@pytest.mark.parametrize(
    "attempt", ["open('/etc/passwd')", "open('/tmp/x', 'w')", "os.listdir('/')"]
)
def test_landlock_alone_takes_the_files_away(attempt: str) -> None:
    done = run(
        "before = os.path.exists('/etc/passwd')\n"
        "sandbox._prctl(sandbox.PR_SET_NO_NEW_PRIVS, 1)\n"
        "sandbox.forbid_files()\n"
        f"try:\n    {attempt}\n"
        "except PermissionError:\n    print('denied', before)\n"
    )
    assert done.stdout == "denied True\n", done.stderr


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.socket()",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.open('/etc/passwd', 0)",
        "os.stat('/')",
        "os.kill(os.getpid(), 0)",
        "os.memfd_create('x')",
        "os.dup(1)",
        "mmap.mmap(-1, 4096, prot=7)",
        "os.setuid(0)",
        "os.pipe()",
    ],
)
def test_seccomp_alone_takes_the_system_calls_away(attempt: str) -> None:
    done = run(
        "sandbox.build_filter().load()\n"
        f"try:\n    {attempt}\n"
        "except PermissionError:\n    print('denied')\n"
    )
    assert done.stdout == "denied\n", done.stderr


def test_computing_still_works_behind_seccomp() -> None:
    done = run(
        "import zlib\n"
        "sandbox.build_filter().load()\n"
        "print(len(zlib.compress(bytes(2**24))) > 0, sum(bytearray(os.getpid())) == 0)\n"
    )
    assert done.stdout == "True True\n", done.stderr


def test_memory_is_bounded() -> None:
    done = run(
        "sandbox.set_limits()\n"
        "try:\n    bytearray(sandbox.MEMORY_BYTES)\n"
        "except MemoryError:\n    print('denied')\n"
    )
    assert done.stdout == "denied\n", done.stderr


def test_no_file_grows(tmp_path: Path) -> None:
    target = tmp_path / "grown"
    done = run(
        f"file = open({str(target)!r}, 'wb', buffering=0)\n"
        "sandbox.set_limits()\n"
        "try:\n    file.write(b'x')\n"
        "except OSError as error:\n    print(error.errno)\n"
    )
    assert done.stdout == "27\n", done.stderr  # EFBIG
    assert target.read_bytes() == b""


@needs_landlock
def test_locking_with_no_kind_of_sandbox_is_an_error() -> None:
    done = run(
        "try:\n    sandbox.lock('none', sandbox.build_filter())\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
    )
    assert done.stdout == "SandboxError\n", done.stderr


def test_without_landlock_bubblewrap_is_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "landlock_abi", lambda: 0)
    monkeypatch.setattr(sandbox, "bubblewrap_works", lambda: True)
    assert sandbox_status().kind == "bubblewrap"


def test_with_neither_there_is_none_and_the_cure_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandbox, "landlock_abi", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    status = sandbox_status()
    assert status.kind == "none"
    assert "apt-get install bubblewrap" in status.detail


def test_without_libseccomp_there_is_none_and_the_cure_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise RuntimeError("Unable to find libseccomp")

    monkeypatch.setattr(importlib, "import_module", missing)
    status = sandbox_status()
    assert status.kind == "none"
    assert "apt-get install libseccomp2" in status.detail


def test_a_bubblewrap_that_is_forbidden_does_not_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(fake))
    assert not sandbox.bubblewrap_works()


def test_wrapping_without_bubblewrap_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SandboxError, match="bubblewrap"):
        wrap_command(["true"], ROOT)


@needs_bubblewrap
def test_bubblewrap_shows_the_interpreter_and_neither_secrets_nor_network(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    code = (
        "import os, socket, PIL, streams.media.frames\n"
        f"print(os.path.exists({str(secret)!r}), os.path.exists('/etc/passwd'),"
        " socket.if_nameindex())"
    )
    done = subprocess.run(
        wrap_command([sys.executable, "-c", code], ROOT),
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "False False [(1, 'lo')]\n", done.stderr


def test_a_process_whose_parent_is_gone_does_not_start() -> None:
    done = run(
        "try:\n    sandbox.die_with_parent(1 if os.getppid() != 1 else 2)\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
    )
    assert done.stdout == "SandboxError\n", done.stderr
    assert os.getpid() > 0
