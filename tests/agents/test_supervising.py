"""`agents.supervising`, with small real processes."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from agents.children import Child
from agents.supervising import REPLACE_SECONDS, START_SECONDS, Supervised


def a_child(tmp_path: Path, code: str = "import time; time.sleep(60)") -> Child:
    return Child("worker-0", [sys.executable, "-S", "-c", code], os.environ, tmp_path)


@pytest.fixture
def supervised(tmp_path: Path):  # type: ignore[no-untyped-def]
    process = Supervised(a_child(tmp_path))
    yield process
    process.child.signal(signal.SIGKILL)
    ended(process.child)


def ended(child: Child) -> None:
    until = time.monotonic() + 10
    while child.runs and time.monotonic() < until:
        time.sleep(0.01)


def test_pauses_double_up_to_half_a_minute_and_begin_anew_after_a_good_run(
    supervised: Supervised,
) -> None:
    supervised.start(0)
    assert [supervised.fell(1) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert not supervised.is_due(30.9)
    assert supervised.is_due(31)
    assert supervised.fell(100) == 0.5


def test_a_fall_is_seen_once(supervised: Supervised) -> None:
    supervised.start(0)
    seen = [supervised.fallen]
    supervised.child.signal(signal.SIGKILL)
    ended(supervised.child)
    seen.append(supervised.fallen)
    supervised.fell(1)
    assert [*seen, supervised.fallen] == [False, True, False]


def test_a_process_that_is_not_ready_for_long_is_replaced(supervised: Supervised) -> None:
    supervised.start(0)
    supervised.heard([], 10)
    supervised.heard(["stuck"], 20)
    assert not supervised.should_replace(20 + REPLACE_SECONDS)
    supervised.heard(["stuck"], 40)
    assert supervised.should_replace(21 + REPLACE_SECONDS)
    supervised.heard([], 60)
    assert not supervised.should_replace(1000)


def test_a_process_is_not_replaced_for_what_a_new_one_would_lack_too(
    supervised: Supervised,
) -> None:
    supervised.start(0)
    supervised.heard(["database"], 10)
    assert not supervised.should_replace(10_000)
    supervised.heard(["database", "stuck"], 10_000)
    assert supervised.should_replace(10_000)


def test_a_process_that_never_comes_up_is_replaced(supervised: Supervised) -> None:
    supervised.start(0)
    assert not supervised.should_replace(START_SECONDS)
    assert supervised.should_replace(START_SECONDS + 1)
