"""Fit the calibration: log-odds from evidence, and thresholds from the tail of false likeness."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from agents.benchmarks.recognition_records import Seen
from agents.benchmarks.recognition_set import FITTED_HALF, KindSet
from agents.steps.findings import Findings
from alerts.policy import (
    Calibration,
    Heard,
    Moving,
    Still,
    hash_term,
    log_odds_of,
    log_of,
    plain_term,
    points_term,
)

ALERT_RATE, REVIEW_RATE = 1e-5, 1e-4
"""False alarms a medium, extrapolated, against a gallery as large as the one fitted on: the world
holds a few true matches in 100,000 media (design.md)."""

ALERT, REVIEW = 0.99, 0.9
"""Confidences that stand for those two rates, whatever the evidence."""

_PATTERN_WEIGHT = 1.5
"""Designed, not fitted: half 0 holds no two recordings of one scene."""
_TAIL_SHARE, _TAIL_LEAST, _TAIL_MOST = 0.05, 40, 0.25
"""Share of the unrelated media that the tail is fitted to; of a small set more, so that at least so
many are, but never above so large a share."""
_RIDGE = {"image": 0.1, "video": 1.0, "audio": 1.0}
"""Large where there are few references, so that weights are spread over evidence that agrees: one
alone tells the fitted half's copies apart, but not another's."""
_STEPS = 200
_DRAWS = 400

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """What unrelated media reach at a rate, extrapolated.

    Args:
        log_odds: that are exceeded at the rate.
        low: of the 95% interval, by drawing the media anew.
        high: likewise.
    """

    log_odds: float
    low: float
    high: float


def fit(
    sets: Mapping[str, tuple[KindSet, Sequence[Seen]]],
) -> tuple[Calibration, dict[str, Any]]:
    """Fit to half 0 of every kind; give the calibration, and what a reader needs to judge it.

    Args:
        sets: by kind: image, video, audio.
    """
    weights = {kind: _weights(*sets[kind], _FEATURES[kind]) for kind in sets}
    numbers = Calibration(
        still=_still(weights["image"]),
        moving=_moving(weights["video"]),
        heard=_heard(weights["audio"]),
        alert=0.9,
        review=0.5,
    )
    told: dict[str, Any] = {"half": FITTED_HALF, "method": "peaks over threshold, exponential"}
    reached: dict[str, tuple[float, float]] = {}
    for kind in _FEATURES:
        unrelated = _unrelated(*sets[kind], weights[kind], _FEATURES[kind])
        alert, review = (tail(unrelated, rate) for rate in (ALERT_RATE, REVIEW_RATE))
        reached[kind] = alert.log_odds, review.log_odds
        told[kind] = {
            "unrelated": len(unrelated),
            "alert_log_odds": _rounded(alert),
            "review_log_odds": _rounded(review),
            "most_alike_unrelated": round(float(unrelated.max()), 3),
        }
    return (
        replace(
            numbers,
            still=_on_one_scale(numbers.still, *reached["image"]),
            moving=_on_one_scale(numbers.moving, *reached["video"]),
            heard=_on_one_scale(numbers.heard, *reached["audio"]),
            alert=ALERT,
            review=REVIEW,
        ),
        told,
    )


_P = TypeVar("_P", Still, Moving, Heard)


def _on_one_scale(part: _P, alert: float, review: float) -> _P:
    """Stretch a part's log-odds so that its two thresholds fall on the common ones.

    The same confidence then means the same rate of false alarms, whatever the evidence.

    Args:
        part: its weights.
        alert: log-odds at the rate of `ALERT_RATE`, extrapolated for this kind.
        review: likewise, of `REVIEW_RATE`.
    """
    factor = (log_odds_of(ALERT) - log_odds_of(REVIEW)) / max(alert - review, 1e-6)
    weights = {field.name: getattr(part, field.name) * factor for field in fields(part)}
    weights["intercept"] += log_odds_of(ALERT) - alert * factor
    return type(part)(**{name: round(value, 4) for name, value in weights.items()})


def tail(values: Floats, rate: float) -> Threshold:
    """Extrapolate the value that is exceeded at a rate, from an exponential tail.

    The mean excess over a high threshold estimates the tail's scale (peaks over threshold with
    shape 0); never below the most that was seen.

    Args:
        values: of unrelated media, one each.
        rate: of media that exceed it.
    """
    chance = np.random.default_rng(0)
    drawn = [_extrapolated(chance.choice(values, len(values)), rate) for _ in range(_DRAWS)]
    low, high = (float(one) for one in np.quantile(drawn, [0.025, 0.975]))
    return Threshold(log_odds=_extrapolated(values, rate), low=low, high=high)


def _extrapolated(values: Floats, rate: float) -> float:
    share = min(max(_TAIL_SHARE, _TAIL_LEAST / len(values)), _TAIL_MOST)
    threshold = float(np.quantile(values, 1 - share))
    excess = values[values > threshold] - threshold
    if not len(excess):
        return float(values.max())
    share = len(excess) / len(values)
    return max(threshold + float(excess.mean()) * math.log(share / rate), float(values.max()))


def _rounded(threshold: Threshold) -> list[float]:
    return [round(one, 3) for one in (threshold.log_odds, threshold.low, threshold.high)]


def _weights(media: KindSet, seen: Sequence[Seen], features: "_Features") -> Floats:
    """Fit by logistic regression to each post's most alike reference of half 0."""
    posts, references = media.part(FITTED_HALF)
    mine = set(references.tolist())
    rows, labels = [], []
    for post in posts:
        found = [
            (ordinal, values)
            for ordinal, values in features(seen[post].findings)
            if ordinal in mine and not media.ignored[post, ordinal]
        ]
        if found:
            ordinal, values = max(found, key=lambda one: one[1][1])
            rows.append([1.0, *values])
            labels.append(float(ordinal == media.posts[post].reference))
    return _logistic(np.array(rows), np.array(labels), _RIDGE[media.kind])


_Features = Callable[[Findings], Iterable[tuple[int, list[float]]]]
"""Gives each found reference's terms, in the order of the weights after the intercept; the second
of them, of a still, is a logarithm of likeness: the most alike reference has the highest."""


def _still_terms(findings: Findings) -> Iterable[tuple[int, list[float]]]:
    for ordinal, one in findings.stills.items():
        candidate = one.candidate
        yield (
            ordinal,
            [
                points_term(one.points),
                log_of(candidate.similarity),
                hash_term(candidate.pdq_distance),
                -plain_term(candidate.detail),
            ],
        )


def _film_terms(findings: Findings) -> Iterable[tuple[int, list[float]]]:
    for ordinal, one in findings.films.items():
        line = one.alignment
        yield (
            ordinal,
            [
                points_term(one.points),
                log_of(line.similarity),
                math.log(max(1, line.frames)),
            ],
        )


def _sound_terms(findings: Findings) -> Iterable[tuple[int, list[float]]]:
    for ordinal, one in findings.sounds.items():
        yield ordinal, [0.0, one.similarity]


_FEATURES: Mapping[str, _Features] = {
    "image": _still_terms,
    "video": _film_terms,
    "audio": _sound_terms,
}


def _still(weights: Floats) -> Still:
    intercept, points, similarity, hash_, plain = (round(float(one), 4) for one in weights)
    return Still(intercept=intercept, similarity=similarity, hash=hash_, plain=plain, points=points)


def _moving(weights: Floats) -> Moving:
    intercept, points, similarity, frames = (round(float(one), 4) for one in weights)
    return Moving(
        intercept=intercept,
        similarity=similarity,
        frames=frames,
        pattern=_PATTERN_WEIGHT,
        points=points,
    )


def _heard(weights: Floats) -> Heard:
    return Heard(intercept=round(float(weights[0]), 4), similarity=round(float(weights[2]), 4))


def _unrelated(
    media: KindSet, seen: Sequence[Seen], weights: Floats, features: _Features
) -> Floats:
    """Give half 0's unrelated posts' highest log-odds, by the fitted weights alone.

    What speaks against a copy besides (`policy.DISAGREES`, the pattern) makes no threshold lower.
    """
    posts, references = media.part(FITTED_HALF)
    mine = set(references.tolist())
    highest = []
    for post in posts:
        if media.posts[post].reference >= 0:
            continue
        found = [
            float(np.dot(weights, [1.0, *values]))
            for ordinal, values in features(seen[post].findings)
            if ordinal in mine and not media.ignored[post, ordinal]
        ]
        highest.append(max(found, default=_NOTHING))
    values: Floats = np.maximum(np.array(highest, np.float64), _NOTHING)
    return values


_NOTHING = -30.0
"""Log-odds of a post that nothing was found in."""


def _logistic(features: Floats, labels: Floats, ridge: float) -> Floats:
    """Fit by Newton's method with a small ridge; all weights but the intercept at least 0."""
    weights = np.zeros(features.shape[1])
    free = np.ones(len(weights), bool)
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        gradient = features.T @ (labels - expected) - ridge * weights
        curvature = (features.T * (expected * (1 - expected))) @ features
        curvature += ridge * np.eye(len(weights))
        step = np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
        weights[free] += np.clip(step, -5, 5)
        negative = free & (weights < 0)
        negative[0] = False
        weights[negative], free[negative] = 0.0, False
        if np.abs(step).max() < 1e-8:
            break
    return weights
