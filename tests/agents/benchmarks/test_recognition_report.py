"""`agents.benchmarks.recognition_report`."""

import io

import numpy as np
import pytest
from rich.console import Console

from agents.benchmarks.recognition_fit import fit
from agents.benchmarks.recognition_report import alarms_between, print_report, score, span_errors
from tests.agents.benchmarks.findings import a_film, a_set


def test_a_row_says_what_was_found_and_what_was_false() -> None:
    sets = {kind: a_set(kind) for kind in ("image", "video", "audio")}
    calibration, _ = fit(sets)
    media, seen = sets["video"]
    rows = score("toy", media, seen, calibration, {})
    ours = next(row for row in rows if (row.method, row.half) == ("haechi", "all"))
    assert ours.copies == 40
    assert ours.recall == pytest.approx(1.0)
    assert ours.review is not None
    assert ours.review[1] == 0
    silent = next(row for row in rows if row.method == "haechi, sound alone")
    assert silent.recall == 0


def test_a_peer_is_scored_on_what_it_looked_at() -> None:
    sets = {kind: a_set(kind) for kind in ("image", "video", "audio")}
    calibration, _ = fit(sets)
    media, seen = sets["video"]
    likeness = np.random.default_rng(0).uniform(size=(len(media.posts), 8))
    likeness[0] = np.nan
    rows = score("toy", media, seen, calibration, {"peer": likeness})
    assert {row.copies for row in rows if row.method == "peer" and row.half == "all"} == {39}
    output = io.StringIO()
    print_report(rows, Console(file=output, width=200))
    assert "peer" in output.getvalue()
    assert "crop" in output.getvalue()


def test_spans_are_held_against_the_truth() -> None:
    media, seen = a_set("video", copies=2, unrelated=1)
    assert span_errors(media, seen) == [0.0, 0.0, 0.0, 0.5] * 2


def test_another_recording_of_one_scene_pages_nobody() -> None:
    sets = {kind: a_set(kind) for kind in ("image", "video", "audio")}
    calibration, _ = fit(sets)
    media, seen = sets["video"]
    for one, post in zip(seen, media.posts, strict=True):
        if post.reference == 0:
            one.findings.films[1] = a_film(0.9, frames=20, points=60, pattern=0.3)
    found = alarms_between(media, seen, calibration, "video0-0", "video1-0")
    assert found["posts"] == 10
    assert found["alert"] == 0
