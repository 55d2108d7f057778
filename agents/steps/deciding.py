"""What is left of a sighting when no case may lawfully see it."""

from collections.abc import Sequence
from dataclasses import replace

from streams.types import MediumResult, Outcome


def without_matches(results: Sequence[MediumResult]) -> tuple[MediumResult, ...]:
    """Take the matches away: what was sighted is then clear, the rest ends as it did."""
    return tuple(
        replace(result, outcome=Outcome.CLEAR, matches=())
        if result.outcome is Outcome.SIGHTED
        else result
        for result in results
    )
