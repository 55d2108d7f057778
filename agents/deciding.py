"""Sightings in; takedown tasks open, and their posts end, in one transaction a batch."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.engine import Connection

from agents.ending import count_end
from agents.steps.deciding import without_matches
from agents.steps.inspecting import outcome_of
from alerts.removals import mark_ended
from alerts.sightings import Recorded, record_sighting
from alerts.tasks import Desk
from monitors import inbox, metrics
from streams.clock import Clock
from streams.schemas import SightingRecord
from streams.types import Outcome, PostOutcome, Sighting

log = structlog.get_logger()

QUARANTINED = "quarantined"
"""Reason of a `sighted` post whose matches all wait for the end of a reference's quarantine."""

BASIS_ENDED = "basis_ended"
"""Reason of a `clear` post that matched a case whose legal basis ended meanwhile."""


@dataclass(frozen=True, slots=True)
class _Decided:
    end: PostOutcome
    recorded: Recorded


class Deciding:
    """The steps of `decide`.

    Args:
        agent: its name.
        desk: where tasks are opened; its database has the inbox, too.
        clock: for times.
    """

    def __init__(self, agent: str, *, desk: Desk, clock: Clock) -> None:
        self._agent = agent
        self._desk = desk
        self._clock = clock

    async def step(self, records: Sequence[SightingRecord]) -> Sequence[Sighting]:
        """Read the sightings, each post once."""
        sightings = {one.post.key: one for one in (record.to_domain() for record in records)}
        return list(sightings.values())

    async def emit(self, sightings: Sequence[Sighting]) -> None:
        """Open the tasks."""
        with metrics.STAGE_SECONDS.labels("decide").time():
            await asyncio.to_thread(self._decide, sightings)

    def _decide(self, sightings: Sequence[Sighting]) -> None:
        with self._desk.database.write() as connection:
            now = self._clock.now()
            waiting = inbox.still_open(connection, [one.post.key for one in sightings])
            # Also of posts that ended: one that was produced again may have been found vanished
            # while this waited, and what was seen counts. Those known already change nothing.
            decided = [self._record(connection, one, now) for one in sightings]
            ends = [one.end for one in decided if one.end.key in waiting]
            new = inbox.finish(connection, ends)
            late = [
                one.end.key for one in decided if one.recorded.opened and one.end.key not in new
            ]
            if late:  # its source may have said meanwhile that it is gone
                mark_ended(connection, self._desk, late, now)
        committed_at = self._clock.now()
        metrics.DUPLICATES.labels(self._agent).inc(len(sightings) - len(new))
        for one in decided:
            _count(one, committed_at, is_new=one.end.key in new)

    def _record(self, connection: Connection, sighting: Sighting, now: datetime) -> _Decided:
        recorded = record_sighting(connection, sighting, self._desk, now)
        return _Decided(_end(sighting, recorded, now), recorded)


def _end(sighting: Sighting, recorded: Recorded, now: datetime) -> PostOutcome:
    post, stands = sighting.post, recorded.opened or recorded.held
    outcome, reason = outcome_of(sighting.results if stands else without_matches(sighting.results))
    if outcome is Outcome.SIGHTED and not recorded.opened:
        reason = QUARANTINED
    return PostOutcome(
        key=post.key,
        source=post.source,
        outcome=outcome,
        reason=BASIS_ENDED if outcome is Outcome.CLEAR else reason,
        media=len(post.media),
        observed_at=post.observed_at,
        ended_at=now,
        tasks=tuple(one.task for one in recorded.opened),
    )


def _count(decided: _Decided, committed_at: datetime, *, is_new: bool) -> None:
    if is_new:
        count_end(decided.end)
    recorded = decided.recorded
    metrics.QUARANTINED_SIGHTINGS.inc(recorded.newly_held)
    for reference in recorded.flooding:
        log.warning("reference in quarantine", reference=reference)
    opened = [one for one in recorded.opened if one.new]
    for one in opened:
        metrics.TASKS_OPENED.labels(one.severity.value).inc()
    if opened or (is_new and recorded.opened):
        waited = (committed_at - decided.end.observed_at).total_seconds()
        metrics.OBSERVED_TO_TASK.observe(max(0.0, waited))
