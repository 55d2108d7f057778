"""Fit the calibration: log-odds from evidence, and thresholds from the tail of false likeness."""

import math
from dataclasses import dataclass, replace

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
_PLAIN_BELOW = 5.0
"""Bits of detail; three in four references of the development set have more."""
_TAIL_SHARE = 0.02
"""Share of the unrelated posts whose excess the tail is fitted to."""
_RIDGE = 1e-2
_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """What each post is most like, of the references fitted on.

    Args:
        similarity: cosine.
        distance: PDQ's, NaN where there is none.
        detail: of the reference, bits.
        is_copy: whether the post copies that reference.
        is_unrelated: whether the post copies none.
    """

    similarity: NDArray[np.float64]
    distance: NDArray[np.float64]
    detail: NDArray[np.float64]
    is_copy: NDArray[np.bool_]
    is_unrelated: NDArray[np.bool_]


def fit(candidates: Candidates) -> Calibration:
    """Fit to one half of a set."""
    closeness = np.maximum(0, 1 - np.nan_to_num(candidates.distance, nan=256) / _HASH_REACH)
    likeness = np.log(np.maximum(candidates.similarity, 0.01))
    plainness = np.maximum(0, _PLAIN_BELOW - candidates.detail)
    features = np.stack([np.ones_like(likeness), likeness, closeness, -plainness], axis=1)
    weights = [round(float(w), 4) for w in _logistic(features, candidates.is_copy.astype(float))]
    numbers = Calibration(
        intercept=weights[0],
        slope=max(0.0, weights[1]),
        hash_weight=max(0.0, weights[2]),
        hash_reach=_HASH_REACH,
        plain_weight=max(0.0, weights[3]),
        plain_below=_PLAIN_BELOW,
        alert=0.9,
        review=0.5,
    )
    alert, review = thresholds(numbers, candidates)
    return replace(numbers, alert=alert, review=review)


def thresholds(numbers: Calibration, candidates: Candidates) -> tuple[float, float]:
    """Extrapolate the confidences that unrelated posts reach at the two rates."""
    told = [
        confidence(
            numbers,
            similarity=float(cosine),
            pdq_distance=None if np.isnan(bits) else int(bits),
            detail=float(detail),
        )
        for cosine, bits, detail, unrelated in zip(
            candidates.similarity,
            candidates.distance,
            candidates.detail,
            candidates.is_unrelated,
            strict=True,
        )
        if unrelated
    ]
    similar = np.exp((_log_odds(np.array(told)) - numbers.intercept) / max(numbers.slope, 1e-9))
    alert, review = (
        confidence(
            numbers,
            similarity=tail_quantile(similar, rate),
            pdq_distance=None,
            detail=numbers.plain_below,
        )
        for rate in (ALERT_RATE, REVIEW_RATE)
    )
    return alert, review


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    logits: NDArray[np.float64] = np.log(probabilities) - np.log1p(-probabilities)
    return logits


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
