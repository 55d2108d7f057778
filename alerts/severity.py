"""How urgent a takedown task is."""

from enum import StrEnum

from monitors.cases import AgeClass
from streams.types import Decision


class Severity(StrEnum):
    """From the most urgent to the least."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Tell the place in the queue; 0 is the most urgent."""
        return list(Severity).index(self)


NUDITY = 0.8
"""Estimate from which a match is more urgent: above it open_nsfw's authors call a picture "highly
probable" to be what it looks for (README of yahoo/open_nsfw). It orders the queue, and no more."""


def severity_of(
    age_class: AgeClass, decision: Decision, *, keyword_hits: int, nudity: float | None = None
) -> Severity:
    """Weigh a match.

    A minor's case is always critical (domain.md, S11). Otherwise a match that is sure is high and
    one for review low. Each of these lifts it by one step: an unknown age, because it may be a
    minor's; a keyword of the same case in the post, because footage that names its victim does
    more harm (domain.md, L8); and a matched frame that most likely shows nudity (`NUDITY`). An
    estimate that is low or missing takes nothing away.
    """
    if age_class is AgeClass.MINOR:
        return Severity.CRITICAL
    start = Severity.HIGH if decision is Decision.ALERT else Severity.LOW
    bare = nudity is not None and nudity >= NUDITY
    steps = (age_class is AgeClass.UNKNOWN) + (keyword_hits > 0) + bare
    return list(Severity)[max(0, start.rank - steps)]


def worse(one: Severity, other: Severity) -> Severity:
    """Take the more urgent of two."""
    return min(one, other, key=lambda severity: severity.rank)
