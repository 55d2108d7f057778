"""Servers that tests need, from the distribution's packages: started once a session, on loopback.

A test whose server is missing skips on a desk and fails where `CI=true`.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

START_SECONDS = 30
_PR_SET_PDEATHSIG = 1


def missing(what: str) -> None:
    """Skip the test on a desk; fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"{what} is not installed")


def free_port() -> int:
    """Find a port of the loopback interface that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def die_with_parent(how: int) -> Callable[[], None]:
    """Make a `preexec_fn`: the kernel signals the child when this process dies, however it dies."""
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, how, 0, 0, 0)


def postgresql_programs() -> Path | None:
    """Find the directory of `initdb` and `postgres`; the newest of Debian's, else the PATH's."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3])
    )
    if debian:
        return debian[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a throw-away PostgreSQL; give a libpq URL without the database's name.

    It trusts loopback and never syncs: it holds nothing but tests.
    """
    programs = postgresql_programs()
    if programs is None:
        missing("PostgreSQL")
        raise AssertionError
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="haechi-postgresql-"))
    try:
        if user:
            shutil.chown(folder, user)
        data = folder / "data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-A", "trust", "-U", "haechi", "--no-sync",
             "--encoding=UTF8", "--locale=C"],
            user=user, check=True, cwd="/", stdout=subprocess.DEVNULL,
        )  # fmt: skip
        with _running(programs / "postgres", data, user) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(program: Path, data: Path, user: str | None) -> Iterator[str]:
    port = free_port()
    quick = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB"]
    options = [word for setting in quick for word in ("-c", setting)]
    server = subprocess.Popen(
        [program, "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", "", *options],
        user=user, cwd="/", preexec_fn=die_with_parent(signal.SIGINT),  # noqa: PLW1509
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url = f"postgresql://haechi@127.0.0.1:{port}"
        _wait_until_it_answers(url, server)
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # "fast" shutdown: connections are cut
        server.wait(START_SECONDS)


def _wait_until_it_answers(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(f"{url}/postgres", connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.05)
