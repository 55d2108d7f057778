"""`agents.benchmarks.hostile`: a small run of it, through the real sandbox."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from agents.benchmarks import hostile
from agents.benchmarks.hostile import HostileReport, run_hostile
from agents.benchmarks.hostile_media import make_picture
from streams.media.sandbox import sandbox_status

needs_sandbox = pytest.mark.skipif(sandbox_status().kind == "none", reason=sandbox_status().detail)


@needs_sandbox
def test_sixty_broken_media_and_a_folder_each_have_an_outcome(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no medium")
    # In a process of its own: children's memory counts over a process's whole life.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        report = pool.submit(run_hostile, 60, seed=5, also=tmp_path).result()
    assert (report.hangs, report.exit_status) == ([], 0)
    assert report.files == report.good + 61 == sum(report.outcomes.values())
    assert report.outcomes["undecodable_media"] > 5
    assert report.outcomes["fine"] > report.good
    assert 0 < report.slowest_seconds < 20
    assert report.to_json()["outcomes"] == dict(report.outcomes)
    assert 10 < report.peak_child_mb < 1024


@needs_sandbox
def test_a_good_medium_that_is_not_decoded_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    media = {"picture": make_picture("PNG"), "nothing": b"nothing"}
    monkeypatch.setattr(hostile, "good_media", lambda: media)
    report = run_hostile(0)
    assert (report.good, report.exit_status) == (1, 1)


@needs_sandbox
def test_a_file_without_an_outcome_in_time_is_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile, "good_media", lambda: {"picture": make_picture("PNG")})
    monkeypatch.setattr(hostile, "BOUND_SECONDS", 0.0)
    report = run_hostile(0)
    assert report.outcomes == {"hang": 1}
    assert report.exit_status == 1


def test_an_empty_report_is_a_good_one() -> None:
    assert HostileReport(seed=1).exit_status == 0
