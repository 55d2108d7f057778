"""`agents.benchmarks.recognition_fit`."""

import numpy as np
import pytest

from agents.benchmarks.recognition_fit import ALERT_RATE, fit, tail
from agents.steps.matching import confidence
from tests.agents.benchmarks.findings import a_set


def test_a_fit_tells_copies_from_the_rest_of_either_half() -> None:
    sets = {kind: a_set(kind, 200, 1000) for kind in ("image", "video", "audio")}
    calibration, told = fit(sets)
    for kind, (media, seen) in sets.items():
        found = [confidence(one.findings, one.findings.ordinals[0], calibration) for one in seen]
        copies = [value for value, post in zip(found, media.posts, strict=True) if post.edit]
        others = [value for value, post in zip(found, media.posts, strict=True) if not post.edit]
        assert max(others) < calibration.review, kind
        assert np.mean([value >= calibration.review for value in copies]) > 0.7, kind
        assert told[kind]["unrelated"] > 50


def test_weights_never_fall_with_likeness_even_where_data_say_so() -> None:
    sets = {kind: a_set(kind) for kind in ("image", "video", "audio")}
    media, seen = sets["video"]
    for one, post in zip(seen, media.posts, strict=True):
        for found in one.findings.films.values():
            object.__setattr__(found, "points", None if post.edit else found.points)
    calibration, _ = fit(sets)
    assert calibration.moving.points >= 0


def test_an_exponential_tail_is_extrapolated_within_its_interval() -> None:
    values = np.random.default_rng(1).exponential(2.0, 20_000)
    found = tail(values, ALERT_RATE)
    truth = -2.0 * np.log(ALERT_RATE)
    assert found.low < truth < found.high
    assert found.log_odds == pytest.approx(truth, rel=0.1)


def test_a_threshold_is_never_below_what_was_seen() -> None:
    values = np.append(np.zeros(1000), 50.0)
    assert tail(values, 1e-2).log_odds >= 50.0
