"""`agents.benchmarks.fitting`."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.benchmarks.fitting import ALERT_RATE, REVIEW_RATE, Candidates, fit, tail_quantile
from alerts.policy import Calibration, confidence

RANDOM = np.random.default_rng(7)


def test_an_exponential_tail_is_extrapolated() -> None:
    values = 0.1 + RANDOM.exponential(0.03, 200_000)
    assert tail_quantile(values[:5000], 1e-4) == pytest.approx(0.1 + 0.03 * math.log(1e4), abs=0.04)


def test_a_rarer_rate_lies_higher() -> None:
    values = RANDOM.exponential(0.03, 3000)
    assert tail_quantile(values, 1e-5) > tail_quantile(values, 1e-4) > np.quantile(values, 0.99)


def candidates(
    similarity: NDArray[np.float64],
    is_copy: NDArray[np.bool_],
    *,
    distance: NDArray[np.float64] | None = None,
    detail: NDArray[np.float64] | None = None,
) -> Candidates:
    return Candidates(
        similarity=similarity,
        distance=np.full(len(similarity), np.nan) if distance is None else distance,
        detail=np.full(len(similarity), 6.0) if detail is None else detail,
        is_copy=is_copy,
        is_unrelated=~is_copy,
    )


def told(fitted: Calibration, similarity: float, detail: float = 6.0) -> float:
    return confidence(fitted, similarity=similarity, pdq_distance=None, detail=detail)


def test_confidence_after_fitting_is_the_share_of_copies() -> None:
    """Draw labels from a known logistic; the fit must say how often they are true."""
    similarity = RANDOM.uniform(0.15, 0.95, 20_000)
    truth = 1 / (1 + np.exp(-(9 + 9 * np.log(similarity))))
    fitted = fit(candidates(similarity, RANDOM.random(20_000) < truth))
    for level in (0.2, 0.35, 0.6):
        expected = 1 / (1 + math.exp(-(9 + 9 * math.log(level))))
        assert told(fitted, level) == pytest.approx(expected, abs=0.03)


def test_plain_references_that_are_like_everything_are_trusted_less() -> None:
    similarity = RANDOM.uniform(0.15, 0.95, 20_000)
    detail = RANDOM.uniform(3, 8, 20_000)
    odds = 9 + 9 * np.log(similarity) - 2 * np.maximum(0, 5 - detail)
    is_copy = RANDOM.random(20_000) < 1 / (1 + np.exp(-odds))
    fitted = fit(candidates(similarity, is_copy, detail=detail))
    assert fitted.plain_weight == pytest.approx(2, abs=0.4)
    assert told(fitted, 0.4, detail=3.5) < told(fitted, 0.4, detail=5.5)


def test_separable_evidence_stays_finite_and_ordered() -> None:
    similarity = np.concatenate([RANDOM.uniform(0.1, 0.3, 900), RANDOM.uniform(0.5, 1.0, 300)])
    distance = np.concatenate([np.full(900, 128.0), RANDOM.integers(0, 40, 300)])
    fitted = fit(candidates(similarity, np.arange(1200) >= 900, distance=distance))
    assert 0 < fitted.review < fitted.alert < 1
    assert math.isfinite(fitted.slope)
    assert confidence(fitted, similarity=1.0, pdq_distance=0, detail=9) < 1


def test_the_thresholds_are_the_extrapolated_rates() -> None:
    unrelated = RANDOM.exponential(0.03, 3000) + 0.1
    similarity = np.concatenate([unrelated, RANDOM.uniform(0.3, 1.0, 700)])
    fitted = fit(candidates(similarity, np.arange(3700) >= 3000))
    for rate, threshold in ((ALERT_RATE, fitted.alert), (REVIEW_RATE, fitted.review)):
        assert threshold == pytest.approx(told(fitted, tail_quantile(unrelated, rate)), rel=1e-6)
