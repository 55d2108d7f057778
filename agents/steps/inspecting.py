"""From how each medium ended to how its post ended."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from streams.errors import (
    MediaError,
    MediaRefusedError,
    MediaUnavailableError,
    MediaVanishedError,
    UndecodableMediaError,
)
from streams.types import Decision, Looked, Match, MediumResult, Outcome

UNREACHABLE = "host_unreachable"
"""Reason of a medium whose host did not deliver in any try."""

PARTLY = "partly_"
"""Stands before the reason where at least one medium of the post was inspected."""

OUT_OF_TIME = "out_of_time"
"""Reason of a medium that no try had time for: its post holds too many slow or heavy ones."""

PARTLY_LOOKED = "partly_looked"
"""Reason of a clear medium that time or a cap kept from being looked at whole."""

_CUT_SHORT = (":no_time", ":crashed", ":cap")
_END_SECONDS = 2.0
"""A container's claim and its last frame may differ by so much."""

MAX_MATCHES = 600
"""Of one sighting: some 300 kB as JSON. With the largest post it stays below the 1 MiB that a
broker takes; a larger record would be a dead letter, and its sighting lost."""

LONGEST_WAIT = timedelta(hours=1)
"""A host that asks to be left alone for longer is asked again all the same."""

FIRST_TRY_SECONDS = 6.0
"""What a medium may take in its first try, while others wait for their batch: just over the
fetcher's 5 s for a connection, so that a dead host is seen by its breaker. Doubles each try."""

WORST_FIRST = (Outcome.SHED, Outcome.VANISHED, Outcome.UNREADABLE, Outcome.REFUSED)
"""A post is `clear` only where every medium was inspected; else it ends as the first of these."""

_OUTCOMES: tuple[tuple[type[MediaError], Outcome], ...] = (
    (MediaRefusedError, Outcome.REFUSED),
    (MediaVanishedError, Outcome.VANISHED),
    (MediaUnavailableError, Outcome.VANISHED),
    (UndecodableMediaError, Outcome.UNREADABLE),
)


def failed(index: int, error: MediaError, sha256: str | None = None) -> MediumResult:
    """Say how a medium ended that could not be inspected."""
    outcome = next((ends for kind, ends in _OUTCOMES if isinstance(error, kind)), None)
    reason = UNREACHABLE if isinstance(error, MediaUnavailableError) else error.reason
    return MediumResult(
        index=index, outcome=outcome or Outcome.UNREADABLE, reason=reason, sha256=sha256
    )


def inspected(
    index: int, sha256: str, matches: Sequence[Match], looked: Looked | None = None
) -> MediumResult:
    """Say how a medium ended that was compared; matches that nobody shall see are left out.

    One that is clear as far as it was looked at says so.
    """
    seen = tuple(match for match in matches if match.decision is not Decision.NONE)
    partly = not seen and looked is not None and is_partial(looked)
    return MediumResult(
        index=index,
        outcome=Outcome.SIGHTED if seen else Outcome.CLEAR,
        reason=PARTLY_LOOKED if partly else None,
        sha256=sha256,
        matches=seen,
        looked=looked,
    )


def is_partial(looked: Looked) -> bool:
    """Say whether time, a cap or a crash kept a part of a medium from being looked at.

    A network that this installation lacks does not: it would say so of every medium. `skipped`
    names it, the metric counts it, and `haechi doctor` tells its cure.
    """
    late = any(one.endswith(_CUT_SHORT) for one in looked.skipped)
    return late or looked.until_seconds < looked.seconds - _END_SECONDS


def shed(index: int) -> MediumResult:
    """Say of a medium that there was no time for it."""
    return MediumResult(index=index, outcome=Outcome.SHED, reason=OUT_OF_TIME)


def bounded(results: Sequence[MediumResult]) -> tuple[MediumResult, ...]:
    """Keep at most `MAX_MATCHES`: every medium's best first, then the second ones."""
    places = sorted(
        (rank, at) for at, one in enumerate(results) for rank in range(len(one.matches))
    )
    kept = [0] * len(results)
    for _, at in places[:MAX_MATCHES]:
        kept[at] += 1
    return tuple(
        replace(one, matches=one.matches[:count]) for one, count in zip(results, kept, strict=True)
    )


def order_of(counts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Order a batch's media: every post's first, then every post's second, and so on.

    So no post's many media stand before another's few. Every second try begins at a post's end:
    what its first media keep from being looked at in one try is looked at in the next.

    Args:
        counts: of each post, how many media it has, and how often it was put off.

    Returns:
        Each medium as its post's place and its own.
    """
    ranked = sorted(
        (rank, place) for place, (count, _) in enumerate(counts) for rank in range(count)
    )
    return [
        (place, counts[place][0] - 1 - rank if counts[place][1] % 2 else rank)
        for rank, place in ranked
    ]


def outcome_of(results: Sequence[MediumResult]) -> tuple[Outcome, str | None]:
    """Give a post's outcome and its reason.

    Sighted before shed before vanished before unreadable before refused before clear.
    The reason is that of the first medium with the outcome, after `PARTLY` where other media of
    the post were inspected and showed nothing.
    """
    outcomes = {result.outcome for result in results}
    if Outcome.SIGHTED in outcomes:
        return Outcome.SIGHTED, None
    for worst in WORST_FIRST:
        if worst in outcomes:
            reason = next(result.reason for result in results if result.outcome is worst)
            partly = PARTLY if Outcome.CLEAR in outcomes else ""
            return worst, f"{partly}{reason or worst.value}"
    return Outcome.CLEAR, next((result.reason for result in results if result.reason), None)


def wait_before_retry(
    tries: int, retry_seconds: float, asked_seconds: float | None = None
) -> timedelta:
    """Give the wait after so many tries: doubled with each, or what the host asked for if longer.

    Args:
        tries: made before this one that failed.
        retry_seconds: the wait after the first.
        asked_seconds: the longest `Retry-After` of the post's hosts.
    """
    wait = max(retry_seconds * 2**tries, asked_seconds or 0.0)
    return min(timedelta(seconds=wait), LONGEST_WAIT)


def seconds_allowed(tries: int, most: float) -> float:
    """Give what fetching a medium may take in this try."""
    return min(most, FIRST_TRY_SECONDS * 2.0**tries)
