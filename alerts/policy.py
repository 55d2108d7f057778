"""From evidence to a probability, and from that to a decision. Pure arithmetic."""

import math
from dataclasses import dataclass

from streams.types import Decision

_LEAST_SIMILARITY = 0.01
"""Cosines below it say the same: nothing. Keeps the logarithm finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How evidence of pictures becomes a probability; fitted by `haechi bench images --fit`.

    The log-odds are `intercept + slope * ln(similarity) + hash_weight * max(0, 1 - d / hash_reach)
    - plain_weight * max(0, plain_below - detail)` for a PDQ distance of d bits and a reference of
    so much detail: drawings of few shapes are like one another. Logarithms flatten at the top, so
    that likenesses near 1 keep apart in double precision: rankings by confidence have no ties.

    Args:
        intercept: log-odds of similarity 1 without a hash.
        slope: at least 0.
        hash_weight: log-odds that an equal hash adds; at least 0.
        hash_reach: bits from which a hash says nothing.
        plain_weight: log-odds that each lacking bit of detail takes away; at least 0.
        plain_below: bits of detail from which a reference is not plain; see `views.detail`.
        alert: confidence from which somebody is paged.
        review: confidence from which an officer looks; at most `alert`.
    """

    intercept: float
    slope: float
    hash_weight: float
    hash_reach: float
    plain_weight: float
    plain_below: float
    alert: float
    review: float

    def __post_init__(self) -> None:
        if min(self.slope, self.hash_weight, self.plain_weight) < 0 or self.hash_reach <= 0:
            raise ValueError("confidence must not fall with likeness")
        if not 0 < self.review <= self.alert < 1:
            raise ValueError("thresholds must be 0 < review <= alert < 1")


def confidence(
    calibration: Calibration, *, similarity: float, pdq_distance: int | None, detail: float
) -> float:
    """Estimate the probability that a picture shows a reference's content.

    Rises with similarity and detail, falls with distance; never rounded, and below 1.

    Args:
        calibration: in force.
        similarity: cosine of the nearest views, -1..1.
        pdq_distance: 0..256; None where hashes could not be compared.
        detail: of the reference, bits.
    """
    log_odds = calibration.intercept
    log_odds += calibration.slope * math.log(max(similarity, _LEAST_SIMILARITY))
    if pdq_distance is not None:
        log_odds += calibration.hash_weight * max(0.0, 1 - pdq_distance / calibration.hash_reach)
    log_odds -= calibration.plain_weight * max(0.0, calibration.plain_below - detail)
    return 1 / (1 + math.exp(-log_odds)) if log_odds > 0 else _small(log_odds)


def _small(log_odds: float) -> float:
    """Compute the same for low odds, where the exponential of the other form overflows."""
    odds = math.exp(log_odds)
    return odds / (1 + odds)


def decide(calibration: Calibration, confidence: float) -> Decision:
    """Say what is done about a match of this confidence."""
    if confidence >= calibration.alert:
        return Decision.ALERT
    return Decision.REVIEW if confidence >= calibration.review else Decision.NONE
