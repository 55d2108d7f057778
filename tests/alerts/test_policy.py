"""`alerts.policy`."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.calibration import shipped_calibration
from alerts.policy import Calibration, confidence, decide
from streams.types import Decision

NUMBERS = Calibration(
    intercept=20.0,
    slope=18.0,
    hash_weight=3.0,
    hash_reach=62.0,
    plain_weight=1.0,
    plain_below=5.0,
    alert=0.99,
    review=0.8,
)
SIMILARITIES = st.floats(-1, 1)
DISTANCES = st.none() | st.integers(0, 256)
DETAILS = st.floats(0, 9)


def told(
    similarity: float,
    distance: int | None = None,
    detail: float = 6.0,
    calibration: Calibration = NUMBERS,
) -> float:
    return confidence(calibration, similarity=similarity, pdq_distance=distance, detail=detail)


@given(SIMILARITIES, DISTANCES, DETAILS)
def test_confidence_is_a_probability(
    similarity: float, distance: int | None, detail: float
) -> None:
    for calibration in (NUMBERS, shipped_calibration()):
        assert 0 < told(similarity, distance, detail, calibration) < 1


@given(SIMILARITIES, SIMILARITIES, DISTANCES, DETAILS)
def test_confidence_never_falls_with_similarity(
    one: float, other: float, distance: int | None, detail: float
) -> None:
    low, high = sorted([one, other])
    assert told(low, distance, detail) <= told(high, distance, detail)


@given(SIMILARITIES, st.integers(0, 256), st.integers(0, 256))
def test_confidence_never_rises_with_distance(similarity: float, one: int, other: int) -> None:
    low, high = sorted([one, other])
    assert told(similarity, low) >= told(similarity, high) >= told(similarity, None)


@given(SIMILARITIES, DETAILS, DETAILS)
def test_a_plainer_reference_is_never_surer(similarity: float, one: float, other: float) -> None:
    low, high = sorted([one, other])
    assert told(similarity, detail=low) <= told(similarity, detail=high)


def test_detail_says_nothing_beyond_what_is_plain() -> None:
    assert told(0.5, detail=5.0) == told(0.5, detail=9.0)
    assert told(0.5, detail=4.0) < told(0.5, detail=5.0)


@given(st.floats(0.02, 0.999))
def test_likenesses_up_to_the_top_keep_apart(similarity: float) -> None:
    """A ranking of many files by confidence must have no ties at 1.0."""
    shipped = shipped_calibration()
    for distance in (0, 31, None):
        lower = told(similarity, distance, calibration=shipped)
        assert lower < told(similarity + 0.001, distance, calibration=shipped)


@pytest.mark.parametrize(
    ("probability", "decision"),
    [
        (0.99, Decision.ALERT),
        (0.9899, Decision.REVIEW),
        (0.8, Decision.REVIEW),
        (0.7999, Decision.NONE),
        (1e-9, Decision.NONE),
    ],
)
def test_thresholds_belong_to_the_graver_decision(probability: float, decision: Decision) -> None:
    assert decide(NUMBERS, probability) is decision


@pytest.mark.parametrize(
    "change",
    [
        {"slope": -1.0},
        {"hash_weight": -0.1},
        {"plain_weight": -0.1},
        {"hash_reach": 0.0},
        {"review": 0.995},
        {"review": 0.0},
        {"alert": 1.0},
    ],
    ids=str,
)
def test_senseless_numbers_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        replace(NUMBERS, **change)
