"""A database that is locked, and a disk that is full: nothing is lost, and the worker lives on."""

import contextlib
import os
import sqlite3
import subprocess
import threading
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.instance import Instance, MediaHost, an_instance, jpeg, scene

pytestmark = [pytest.mark.slow, pytest.mark.models, pytest.mark.timeout(200)]

POSTS = 40
LOCKED_SECONDS = 20
FULL_SECONDS = 20


@pytest.fixture
def host() -> Iterator[MediaHost]:
    with MediaHost({f"/{n}.jpg": jpeg(scene("shapes", n)) for n in range(4)}) as opened:
        yield opened


def run_instance(home: Path, host: MediaHost) -> Instance:
    return an_instance(
        home,
        workers=1,
        engine_children=1,
        decoder_children=1,
        fetch_allow=frozenset({host.origin}),
    )


def posts(host: MediaHost, first: int) -> list[dict[str, Any]]:
    return [
        {
            "id": str(number),
            "url": f"https://board.example/{number}",
            "media": [{"url": f"{host.origin}/{number % 4}.jpg"}] if number % 2 else [],
        }
        for number in range(first, first + POSTS)
    ]


def push_until_taken(instance: Instance, batch: list[dict[str, Any]], seconds: float) -> int:
    """Hand a batch in as a client would: again while it is refused; give how often it was."""
    refused, until = 0, time.monotonic() + seconds
    while True:
        try:
            instance.push(batch)
            return refused
        except (urllib.error.URLError, TimeoutError):
            assert time.monotonic() < until
            refused += 1
            time.sleep(1)


def wait_for_every_outcome(instance: Instance, count: int) -> None:
    instance.wait(lambda: len(instance.outcomes()) == count, 90, f"{count} outcomes")
    assert {outcome for outcome, _ in instance.outcomes().values()} == {"clear"}


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold SQLite's write lock from another connection."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def test_a_locked_database_is_waited_for(tmp_path: Path, host: MediaHost) -> None:
    home = tmp_path / "home"
    with run_instance(home, host) as instance:
        instance.wait_until_ready()
        worker = instance.pid_of("worker-0")
        instance.push(posts(host, 0))
        with locked(home / "haechi.db"):
            later = threading.Thread(
                target=push_until_taken, args=(instance, posts(host, POSTS), 90)
            )
            later.start()
            time.sleep(LOCKED_SECONDS)
            held = len(instance.outcomes())
        later.join()
        assert held < 2 * POSTS
        wait_for_every_outcome(instance, 2 * POSTS)
        assert instance.pid_of("worker-0") == worker


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB; only root may make one."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "haechi-test", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine mounts nothing: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> Path:
    """Write zeros until nothing more fits."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def test_a_full_disk_is_waited_for(small_disk: Path, host: MediaHost) -> None:
    with run_instance(small_disk / "home", host) as instance:
        instance.wait_until_ready()
        worker = instance.pid_of("worker-0")
        instance.push(posts(host, 0))
        filler = fill(small_disk)
        refusals: list[int] = []
        later = threading.Thread(
            target=lambda: refusals.append(push_until_taken(instance, posts(host, POSTS), 90))
        )
        later.start()
        time.sleep(FULL_SECONDS)
        assert len(instance.outcomes()) < 2 * POSTS
        filler.unlink()
        later.join()
        wait_for_every_outcome(instance, 2 * POSTS)
        assert instance.pid_of("worker-0") == worker
        assert refusals[0] > 0
