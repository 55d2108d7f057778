"""Fit the calibration: log-odds from evidence, and thresholds from the tail of false likeness."""

import math

import numpy as np
from numpy.typing import NDArray

from alerts.policy import Calibration, confidence

ALERT_RATE = 1e-5
"""False alerts a post, extrapolated, against a gallery as large as the one fitted on: the world
holds a few true matches in 100,000 media (design.md)."""
REVIEW_RATE = 1e-4
"""Likewise for what an officer looks at."""

_HASH_REACH = 62.0
"""Twice ThreatExchange's distance; the nearest unrelated pair of the development set has 66."""
_TAIL_SHARE = 0.02
"""Share of the unrelated posts whose excess the tail is fitted to."""
_RIDGE = 1e-2
_STEPS = 100


def fit(
    similarities: NDArray[np.float64],
    distances: NDArray[np.float64],
    is_copy: NDArray[np.bool_],
    unrelated: NDArray[np.float64],
) -> Calibration:
    """Fit to one half of a set.

    Args:
        similarities: cosine of each post's best candidate.
        distances: its PDQ distance, NaN where there is none.
        is_copy: whether the candidate is what the post copies.
        unrelated: the highest cosine of each unrelated post.
    """
    closeness = np.maximum(0, 1 - np.nan_to_num(distances, nan=256) / _HASH_REACH)
    features = [np.ones_like(similarities), np.log(np.maximum(similarities, 0.01)), closeness]
    weights = _logistic(np.stack(features, axis=1), is_copy.astype(float))
    numbers = Calibration(
        intercept=round(float(weights[0]), 4),
        slope=round(max(0.0, float(weights[1])), 4),
        hash_weight=round(max(0.0, float(weights[2])), 4),
        hash_reach=_HASH_REACH,
        alert=0.9,
        review=0.5,
    )
    alert, review = (
        confidence(numbers, similarity=tail_quantile(unrelated, rate), pdq_distance=None)
        for rate in (ALERT_RATE, REVIEW_RATE)
    )
    return Calibration(
        intercept=numbers.intercept,
        slope=numbers.slope,
        hash_weight=numbers.hash_weight,
        hash_reach=numbers.hash_reach,
        alert=alert,
        review=review,
    )


def tail_quantile(values: NDArray[np.float64], rate: float) -> float:
    """Extrapolate the value that is exceeded at a rate, from an exponential tail.

    The mean excess over a high threshold estimates the tail's scale (peaks over threshold with
    shape 0); never below what was seen at that rate.
    """
    threshold = float(np.quantile(values, 1 - _TAIL_SHARE))
    excess = values[values > threshold] - threshold
    share = len(excess) / len(values)
    return threshold + float(excess.mean()) * math.log(share / rate)


def _logistic(features: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit by Newton's method with a small ridge, which keeps separable data finite."""
    weights = np.zeros(features.shape[1])
    ridge = _RIDGE * np.eye(features.shape[1])
    for _ in range(_STEPS):
        odds = np.clip(features @ weights, -30, 30)
        expected = 1 / (1 + np.exp(-odds))
        gradient = features.T @ (labels - expected) - ridge @ weights
        curvature = (features.T * (expected * (1 - expected))) @ features + ridge
        step = np.linalg.solve(curvature, gradient)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return weights
