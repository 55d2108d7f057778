"""`monitors.lance_lookback`: several processes, a killed one, a full disk. All of them real."""

import contextlib
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitors import lance_lookback
from monitors.lance_lookback import LanceLookBackStore
from monitors.lookback import SeenFingerprint
from streams.errors import DatabaseUnavailableError
from streams.types import PostKey
from tests.fakes import unit_rows

ROOT = Path(__file__).parents[2]
SPACE = "drawn/1/none/f32"
BATCH = 8
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_batch(writer: int, number: int) -> list[SeenFingerprint]:
    rows = unit_rows(writer * 1000 + number, BATCH, 64)
    return [
        SeenFingerprint(
            post=PostKey(f"{writer:016x}{number * BATCH + i:016x}"),
            medium=0,
            at_seconds=0.0,
            vector=rows[i],
            pdq=None,
            observed_at=NOW - timedelta(hours=number),
        )
        for i in range(BATCH)
    ]


def a_writer(place: Path, writer: int, batches: int) -> subprocess.Popen[str]:
    """Start a process that adds batches, and says so after each."""
    code = (
        "from tests.monitors.test_lance_lookback import write; import sys;"
        "write(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(place), str(writer), str(batches)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )


def write(place: str, writer: int, batches: int) -> None:
    """Run in a process of its own, by `a_writer`."""
    lookback = LanceLookBackStore(place).of(SPACE)
    for number in range(batches):
        lookback.add(a_batch(writer, number))
        print(number, flush=True)


def wait_for(writers: Sequence[subprocess.Popen[str]]) -> None:
    for one in writers:
        one.communicate(timeout=50)
        assert one.returncode == 0


def test_processes_add_at_once_while_another_compacts_and_forgets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lance_lookback, "COMPACT_PIECES", 4)
    store = LanceLookBackStore(str(tmp_path))
    lookback, forgotten = store.of(SPACE), 0
    writers = [a_writer(tmp_path, writer, 40) for writer in (1, 2)]  # both make the table
    while any(one.poll() is None for one in writers):
        with contextlib.suppress(DatabaseUnavailableError):  # tried again by its timer
            lookback.compact()
            forgotten += lookback.forget(NOW - timedelta(hours=29.5))
        time.sleep(0.05)
    wait_for(writers)
    forgotten += lookback.forget(NOW - timedelta(hours=29.5))
    lookback.compact()
    assert (forgotten, lookback.count()) == (2 * 10 * BATCH, 2 * 30 * BATCH)
    for writer in (1, 2):
        (best, *_) = lookback.search(unit_rows(writer * 1000 + 7, 1, 64), 0.99, 5)
        assert best.post == a_batch(writer, 7)[0].post


def test_a_killed_writer_loses_nothing_that_was_acknowledged_and_breaks_nothing(
    tmp_path: Path,
) -> None:
    acknowledged = 0
    for writer in (1, 2):
        process = a_writer(tmp_path, writer, 100_000)
        assert process.stdout is not None
        for _ in range(3 * writer):
            process.stdout.readline()
        process.kill()  # in the middle of a batch, most likely
        acknowledged += 3 * writer + len(process.communicate()[0].split())
    lookback = LanceLookBackStore(str(tmp_path)).of(SPACE)
    batches, rest = divmod(lookback.count(), BATCH)
    assert rest == 0
    assert acknowledged <= batches <= acknowledged + 2
    assert lookback.search(unit_rows(2001, 1, 64), 0.99, 5)[0].post == a_batch(2, 1)[0].post
    lookback.add(a_batch(4, 1))


@contextlib.contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """Make this process's writes fail beyond a size, as those to a full disk do."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_said_so_and_nothing_of_the_batch_is_kept(tmp_path: Path) -> None:
    lookback = LanceLookBackStore(str(tmp_path)).of(SPACE)
    lookback.add(a_batch(1, 0))
    with files_of_at_most(500), pytest.raises(DatabaseUnavailableError):
        lookback.add(a_batch(1, 1))
    assert lookback.count() == BATCH
    lookback.add(a_batch(1, 1))
    assert lookback.count() == 2 * BATCH


def test_a_place_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatabaseUnavailableError):
        LanceLookBackStore(str(tmp_path / "file" / "lookback"))


def test_what_another_process_added_is_seen_at_once(tmp_path: Path) -> None:
    one, other = (LanceLookBackStore(str(tmp_path)).of(SPACE) for _ in range(2))
    assert other.count() == 0
    for number in range(3):
        one.add(a_batch(1, number))
        assert other.count() == (number + 1) * BATCH


def test_few_pieces_stay_as_they_are_and_many_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lance_lookback, "COMPACT_PIECES", 8)
    monkeypatch.setattr(lance_lookback, "KEPT_FOR", timedelta(seconds=0.001))
    lookback = LanceLookBackStore(str(tmp_path)).of(SPACE)
    for number in range(7):
        lookback.add(a_batch(1, number))
    lookback.compact()
    assert len(list(tmp_path.rglob("data/*.lance"))) == 7
    lookback.add(a_batch(1, 7))
    lookback.compact()
    assert len(list(tmp_path.rglob("data/*.lance"))) == 1
    assert lookback.count() == 8 * BATCH


def test_whoever_asks_for_everything_gets_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lance_lookback, "_SPARE", 10)
    lookback = LanceLookBackStore(str(tmp_path)).of(SPACE)
    for number in range(12):
        lookback.add(a_batch(1, number))
    queries = unit_rows(1005, 3, 64)
    found = lookback.search(queries, -1.0, 5)
    everything = lookback.search(queries, -1.0, 1000)
    assert [one.post for one in found] == [one.post for one in everything[:5]]
    assert {one.post for one in found[:3]} == {one.post for one in a_batch(1, 5)[:3]}
