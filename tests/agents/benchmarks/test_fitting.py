"""`agents.benchmarks.fitting`."""

import math

import numpy as np
import pytest

from agents.benchmarks.fitting import ALERT_RATE, fit, tail_quantile
from alerts.policy import confidence

RANDOM = np.random.default_rng(7)


def test_an_exponential_tail_is_extrapolated() -> None:
    values = 0.1 + RANDOM.exponential(0.03, 200_000)
    assert tail_quantile(values[:5000], 1e-4) == pytest.approx(0.1 + 0.03 * math.log(1e4), abs=0.04)


def test_a_rarer_rate_lies_higher() -> None:
    values = RANDOM.exponential(0.03, 3000)
    assert tail_quantile(values, 1e-5) > tail_quantile(values, 1e-4) > np.quantile(values, 0.99)


def test_confidence_after_fitting_is_the_share_of_copies() -> None:
    """Draw labels from a known logistic; the fit must say how often they are true."""
    similarity = RANDOM.uniform(0.15, 0.95, 20_000)
    truth = 1 / (1 + np.exp(-(9 + 9 * np.log(similarity))))
    is_copy = RANDOM.random(20_000) < truth
    fitted = fit(similarity, np.full(20_000, np.nan), is_copy, similarity[~is_copy])
    for level in (0.2, 0.35, 0.6):
        expected = 1 / (1 + math.exp(-(9 + 9 * math.log(level))))
        said = confidence(fitted, similarity=level, pdq_distance=None)
        assert said == pytest.approx(expected, abs=0.03)


def test_separable_evidence_stays_finite_and_ordered() -> None:
    similarity = np.concatenate([RANDOM.uniform(0.1, 0.3, 900), RANDOM.uniform(0.5, 1.0, 300)])
    distance = np.concatenate([np.full(900, 128.0), RANDOM.integers(0, 40, 300)])
    is_copy = np.arange(1200) >= 900
    fitted = fit(similarity, distance, is_copy, similarity[:900])
    assert 0 < fitted.review < fitted.alert < 1
    assert math.isfinite(fitted.slope)
    assert confidence(fitted, similarity=1.0, pdq_distance=0) < 1


def test_the_alert_threshold_is_the_extrapolated_rate() -> None:
    unrelated = RANDOM.exponential(0.03, 3000) + 0.1
    similarity = np.concatenate([unrelated, RANDOM.uniform(0.3, 1.0, 700)])
    fitted = fit(similarity, np.full(3700, np.nan), np.arange(3700) >= 3000, unrelated)
    at_rate = tail_quantile(unrelated, ALERT_RATE)
    assert fitted.alert == confidence(fitted, similarity=at_rate, pdq_distance=None)
