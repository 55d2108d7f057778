"""`agents.benchmarks.recognition_report`."""

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from agents.benchmarks.evaluation import Likeness
from agents.benchmarks.recognition_fit import fit
from agents.benchmarks.recognition_records import Seen
from agents.benchmarks.recognition_report import (
    Row,
    alarms_between,
    print_report,
    score,
    span_errors,
)
from agents.benchmarks.recognition_set import KindSet
from tests.agents.benchmarks.findings import a_film, a_set, a_sound

Sets = dict[str, tuple[KindSet, Sequence[Seen]]]


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


def methods(sets: Sets, kind: str, peers: dict[str, Likeness] | None = None) -> dict[str, Row]:
    calibration, _ = fit({one: sets[one] for one in ("image", "video", "audio")})
    rows = score("toy", *sets[kind], calibration, peers or {})
    return {row.method: row for row in rows if row.half == "all"}


def test_what_one_modality_alone_finds_the_others_do_not() -> None:
    sets: Sets = {kind: a_set(kind) for kind in ("image", "video", "audio")}
    media, seen = sets["video"]
    for one in seen[:10]:
        one.findings.films.clear()
        one.findings.sounds[0] = a_sound(0.9)
    sets["video"] = (
        replace(
            media, posts=tuple(replace(p, reference=0) for p in media.posts[:10]) + media.posts[10:]
        ),
        seen,
    )
    rows = methods(sets, "video")
    assert rows["haechi"].recall == pytest.approx(1.0)
    assert rows["haechi, frames alone"].recall == pytest.approx(30 / 40)
    assert rows["haechi, sound alone"].recall == pytest.approx(10 / 40)


def test_order_in_time_is_held_against_the_likest_frame() -> None:
    sets: Sets = {kind: a_set(kind) for kind in ("image", "video", "audio")}
    media, seen = sets["video"]
    assert "haechi, no order in time" not in methods(sets, "video")
    dark = [replace(one, nearest=dict.fromkeys(one.findings.films, 0.99)) for one in seen]
    for one in dark:
        for ordinal, film in one.findings.films.items():
            one.findings.films[ordinal] = replace(film, points=None)
    sets["video"] = media, dark
    rows = methods(sets, "video")
    assert rows["haechi, no order in time"].recall == 0
    assert rows["haechi"].recall > 0.9


def test_without_local_features_pictures_are_told_by_their_likeness_alone() -> None:
    sets: Sets = {kind: a_set(kind) for kind in ("image", "video", "audio")}
    rows = methods(sets, "image")
    assert set(rows) == {"haechi", "haechi, no local features"}
    assert rows["haechi, no local features"].recall > 0.9


def test_copies_of_the_sound_alone_are_left_out_of_what_peers_see() -> None:
    sets: Sets = {kind: a_set(kind) for kind in ("image", "video", "audio")}
    media, seen = sets["video"]
    posts = tuple(replace(one, edit="audio_kept") for one in media.posts[:5]) + media.posts[5:]
    sets["video"] = replace(media, posts=posts), seen
    rows = methods(sets, "video")
    assert rows["haechi"].copies == 40
    assert rows["haechi, what peers see"].copies == 35


def test_an_edit_that_a_peer_finds_better_bears_a_mark() -> None:
    sets: Sets = {kind: a_set(kind) for kind in ("image", "video", "audio")}
    media, seen = sets["image"]
    for one in seen[:20]:
        one.findings.stills.clear()
    perfect = np.where(np.arange(8) == media.truth[:, None], 1.0, 0.0)
    calibration, _ = fit(sets)
    output = io.StringIO()
    rows = score("toy", media, seen, calibration, {"peer": perfect})
    print_report(rows, Console(file=output, width=200))
    assert "crop *" in output.getvalue()
    assert "peer *" in output.getvalue()
