"""From evidence to a probability, and from that to a decision. Pure arithmetic.

Each kind of evidence has its log-odds, fitted on a mix in which one medium in five is a copy
(`PRIOR`); what it adds to the prior is its weight of evidence, and weights add up. Evidence that is
missing adds nothing, and evidence that says little takes nothing away: sound is replaced, pictures
are, and neither makes the other less of a copy.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gpu_kernels.alignment import PATTERN
from streams.types import Decision, Modality

PRIOR = math.log(0.2 / 0.8)
"""Log-odds of a copy in the mix that the weights are fitted on."""

DECISIVE = frozenset({Modality.FRAME, Modality.HASH, Modality.AUDIO})
"""What may page somebody. A face, a voice or a word alone, or all of them, are for people to judge:
others look and sound alike, and words are said of many."""

_LEAST_SIMILARITY = 0.01
"""Cosines below it say the same: nothing. Keeps the logarithm finite."""
_HASH_REACH = 62.0
"""Twice ThreatExchange's distance; the nearest unrelated pair of the development set has 66."""
_PLAIN_BELOW = 5.0
"""Bits of detail; three in four references of the development set have more."""
_POINTS_OF_CHANCE = 8
"""Agreeing points that say neither yes nor no: unrelated pictures reach 6, copies mostly 20."""
_CHANCE, _AGREED = 5, 12
"""Agreeing points that unrelated pictures reach, of 1,600 of the development set two have 6; and
those from which nothing is doubted. Between the two, doubt falls in proportion."""
NEARLY_SAME = 0.9
"""Cosine from which a picture needs no agreeing points: drawings of one style reach .78."""
_NEAR_HASH = 31
"""Bits: ThreatExchange's distance."""
DISAGREES = 24.0
"""Log-odds that a picture loses in which no local features agree: it is of one style with the
reference, but shows something else. Likewise one in which none could be compared, because either
has few or others were likelier: pictures of one style are alike from .3 on, soft ones far more."""
_MOST_POINTS = 60
MIN_SHARE = 0.08
"""Of a reference's area that agreeing points must span: below it they are a logo or a caption."""
_FEW_POINTS = 4
"""What points within a smaller share count for at most."""
NEGATIVE = 40.0
"""Log-odds that a medium loses which is more like something that was rejected before than like the
reference: more than a picture's likeness and local features together are worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """How two pictures' local features fit; see `gpu_kernels.keypoints.Agreement`.

    Args:
        count: places that agree.
        share: of the reference's area that they span, 0..1.
    """

    count: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """What one picture says; logarithms keep likenesses near 1 apart.

    Args:
        intercept: log-odds of similarity 1 with nothing else.
        similarity: weight of ln(cosine); at least 0.
        hash: that an equal hash adds; at least 0.
        plain: that each lacking bit of the reference's detail takes away: drawings of few shapes
            are like one another; at least 0.
        points: weight of ln(agreeing points), where they were looked at; at least 0.
    """

    intercept: float
    similarity: float
    hash: float
    plain: float
    points: float

    def log_odds(
        self,
        *,
        similarity: float,
        pdq_distance: int | None,
        detail: float,
        points: Points | None,
        hurried: bool = False,
    ) -> float:
        """Weigh a picture against a reference's.

        Args:
            similarity: cosine of the nearest views, -1..1.
            pdq_distance: 0..256; None where hashes could not be compared.
            detail: of the reference, bits.
            points: None where they were not looked at.
            hurried: they would have been, had there been time: that is no reason for doubt.
        """
        total = self.intercept + self.similarity * log_of(similarity)
        total += self.hash * hash_term(pdq_distance) - self.plain * plain_term(detail)
        total += self.points * points_term(points)
        near_hash = pdq_distance is not None and pdq_distance <= _NEAR_HASH
        if similarity >= NEARLY_SAME or near_hash or (hurried and points is None):
            return total
        return total - DISAGREES * _doubt(points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """What frames in order say.

    Args:
        intercept: log-odds of similarity 1 along one frame.
        similarity: weight of ln(mean cosine); at least 0.
        frames: weight of ln(frames on the line); at least 0.
        pattern: that each tenth below `PATTERN` + 0.1 takes away; at least 0.
        points: weight of ln(agreeing points), where they were looked at; at least 0.
    """

    intercept: float
    similarity: float
    frames: float
    pattern: float
    points: float

    def log_odds(
        self, *, similarity: float, frames: int, pattern: float | None, points: Points | None
    ) -> float:
        """Weigh a line of frames.

        Args:
            similarity: mean cosine along it, -1..1.
            frames: on it.
            pattern: -1..1; None where the reference hardly changes.
            points: of the frames that were looked at; None where none was.
        """
        total = self.intercept + self.similarity * log_of(similarity)
        total += self.frames * math.log(max(1, frames)) + self.points * points_term(points)
        lacking = 0.0 if pattern is None else max(0.0, PATTERN + 0.1 - pattern)
        return total - self.pattern * 10 * lacking


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What copied sound says.

    Args:
        intercept: log-odds of similarity 0.
        similarity: weight of the similarity; at least 0. Unrelated sounds' similarities end in an
            exponential tail, which their logarithms do not.
    """

    intercept: float
    similarity: float

    def log_odds(self, similarity: float) -> float:
        """Weigh a sound; 0..1."""
        return self.intercept + self.similarity * similarity


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How evidence becomes a probability; fitted by `haechi bench recognition --fit`.

    Args:
        still: for pictures.
        moving: for videos.
        heard: for sound.
        alert: confidence from which somebody is paged.
        review: confidence from which an officer looks; at most `alert`.
    """

    still: Still
    moving: Moving
    heard: Heard
    alert: float
    review: float

    def __post_init__(self) -> None:
        weights = (
            self.still.similarity,
            self.still.hash,
            self.still.plain,
            self.still.points,
            self.moving.similarity,
            self.moving.frames,
            self.moving.pattern,
            self.moving.points,
            self.heard.similarity,
        )
        intercepts = (self.still.intercept, self.moving.intercept, self.heard.intercept)
        if not all(map(math.isfinite, (*weights, *intercepts))):
            raise ValueError("weights must be numbers")
        if min(weights) < 0:
            raise ValueError("confidence must not fall with likeness")
        if not 0 < self.review <= self.alert < 1:
            raise ValueError("thresholds must be 0 < review <= alert < 1")


def log_of(similarity: float) -> float:
    """Give the logarithm of a cosine; below `_LEAST_SIMILARITY` it says the same: nothing."""
    return math.log(max(similarity, _LEAST_SIMILARITY))


def _doubt(points: Points | None) -> float:
    """Give the share of `DISAGREES` that a picture loses of whose points so many agree."""
    if points is None:
        return 1.0
    return min(1.0, max(0.0, (_AGREED - _telling(points)) / (_AGREED - _CHANCE)))


def hash_term(pdq_distance: int | None) -> float:
    """Give 1 for equal hashes, falling to 0."""
    return 0.0 if pdq_distance is None else max(0.0, 1 - pdq_distance / _HASH_REACH)


def plain_term(detail: float) -> float:
    """Give the bits of detail that a reference lacks."""
    return max(0.0, _PLAIN_BELOW - detail)


def points_term(points: Points | None) -> float:
    """Give the logarithm of agreeing points over those of chance; 0 where nobody looked."""
    return 0.0 if points is None else math.log((1 + _telling(points)) / (1 + _POINTS_OF_CHANCE))


def _telling(points: Points) -> int:
    """Count the agreeing points that say something."""
    return min(points.count, _MOST_POINTS if points.share >= MIN_SHARE else _FEW_POINTS)


def fuse(log_odds: Iterable[float]) -> float:
    """Join the evidence of several modalities for one content into one probability.

    Args:
        log_odds: of each modality that says something; at least one.
    """
    parts = list(log_odds)
    for_it = [one - PRIOR for one in parts if one > PRIOR]
    return probability(PRIOR + sum(for_it) if for_it else max(parts))


def probability(log_odds: float) -> float:
    """Turn log-odds into a probability; never rounded, above 0 and below 1."""
    if log_odds > 0:
        return min(1 / (1 + math.exp(-log_odds)), 1 - 2**-53)
    odds = math.exp(max(log_odds, _LEAST_LOG_ODDS))
    return odds / (1 + odds)


_LEAST_LOG_ODDS = -700.0
"""The exponential of some less is 0, of which there is no logarithm."""


def log_odds_of(probability: float) -> float:
    """Turn a probability into log-odds."""
    return math.log(probability) - math.log1p(-probability)


def supporting(calibration: Calibration, similarity: float, review_from: float) -> float:
    """Weigh a face, a voice or a word, of which no development set was to be had.

    From `review_from` on an officer looks; nothing pages anybody.

    Args:
        calibration: in force.
        similarity: 0..1.
        review_from: the similarity that the modality's own page gives.

    Returns:
        Log-odds: of `review` at `review_from`, halfway to `alert` at 1, below the prior far below.
    """
    review, alert = log_odds_of(calibration.review), log_odds_of(calibration.alert)
    if similarity >= review_from:
        above = (similarity - review_from) / max(1e-9, 1 - review_from)
        return review + 0.5 * above * max(0.0, alert - review)
    return review - (review_from - similarity) * _FALL


_FALL = 40.0
"""Log-odds that a similarity loses for each unit below its modality's threshold."""


def decide(
    calibration: Calibration,
    confidence: float,
    modalities: Collection[Modality] = DECISIVE,
    *,
    may_alert: bool = True,
) -> Decision:
    """Say what is done about a match.

    Args:
        calibration: in force.
        confidence: of the match.
        modalities: that speak for it.
        may_alert: False where something speaks against paging anybody.
    """
    if confidence >= calibration.alert and may_alert and DECISIVE & set(modalities):
        return Decision.ALERT
    return Decision.REVIEW if confidence >= calibration.review else Decision.NONE
