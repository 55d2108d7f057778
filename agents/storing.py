"""One batch of a source's items into the database, with how far it was read, in one transaction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy.engine import Connection

from alerts.removals import Changed, mark_back, mark_gone
from alerts.tasks import Desk
from monitors import freshness, gaps, inbox
from monitors.dead_letters import SOURCE_EPOCH, DeadLetter, record
from monitors.freshness import Heard
from monitors.gaps import Gap, GapState
from monitors.inbox import Arrival
from monitors.quarantine import SIGHTING_LOCK
from monitors.removals import end_waiting, forget_ended
from streams.clock import Clock
from streams.errors import InvalidMessageError
from streams.sources.source import (
    Accepted,
    EventKind,
    Missed,
    Passed,
    Rejected,
    Removed,
    Restored,
    SourcedItem,
    SourcedPost,
)
from streams.types import PostOutcome

AGENT = "collector"

LEASE_SECONDS = 15.0
"""A collector that died loses its sources after so long."""

MOMENT = timedelta(microseconds=1)
"""The least that the database tells apart."""

CLOCKS_DIFFER = timedelta(seconds=60)
"""What a server's clock may be ahead of ours."""

STOPPED = "stopped"
"""Reason of a gap that began when the collector ended."""


@dataclass(frozen=True, slots=True)
class Connected:
    """What is known of one connection to a source: as of a transaction that was kept.

    Args:
        heard: whether anything came through it.
        gap: before it, until it is known what became of it.
    """

    heard: bool = False
    gap: Gap | None = None


@dataclass(slots=True)
class Stored:
    """What one transaction took in.

    Args:
        accepted: posts.
        refused: reasons of new dead letters.
        ends: posts that ended since they are gone at their source.
        changed: what stood of tasks and does no more, or stands again.
        counts: events by kind.
        connected: what is known of the connection now.
        held: whether the source is ours still; if not, nothing was stored.
    """

    accepted: Accepted = field(default_factory=lambda: Accepted(accepted=0, duplicates=0))
    refused: list[str] = field(default_factory=list)
    ends: list[PostOutcome] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    counts: Counter[EventKind] = field(default_factory=Counter)
    connected: Connected | None = None
    held: bool = True


class Storing:
    """Stores what sources give. Its calls block.

    Args:
        desk: its database has the inbox, and the tasks whose content may be gone.
        clock: for times.
        owner: this collector's name.
    """

    def __init__(self, desk: Desk, clock: Clock, owner: str) -> None:
        self._desk = desk
        self._database = desk.database
        self._clock = clock
        self._owner = owner

    def lease(self, source: str) -> bool:
        """Take a source, or hold it longer; False while another collector has it."""
        with self._database.write() as connection:
            return inbox.lease(connection, source, self._owner, self._clock.now(), LEASE_SECONDS)

    def resume(self, source: str, *, ledger: bool) -> str | None:
        """Tell from where a source goes on; a gap begins where it was last heard.

        A live source goes on where it was read to: what it gave is in the database, and reading
        an hour of a network again for one slow host would cost the present (docs/adr/0017).
        """
        if not ledger:
            with self._database.read() as connection:
                return inbox.resume_cursor(connection, source)
        with self._database.write() as connection:
            freshness.note_connecting(connection, source)
            heard_at = freshness.last_heard(connection, source)
            if heard_at is not None:
                gaps.open_gap(connection, source, STOPPED, heard_at)
            return inbox.read_to(connection, source)

    def interrupt(self, source: str, reason: str, retry_at: datetime) -> None:
        """Note that a source does not give, and the gap that begins."""
        now = self._clock.now()
        with self._database.write() as connection:
            freshness.note_problem(
                connection, self._database, source, reason, now, retry_at=retry_at
            )
            heard_at = freshness.last_heard(connection, source)
            if heard_at is not None:
                gaps.open_gap(connection, source, reason, heard_at)

    def store(
        self,
        source: str,
        cursor: str | None,
        items: Sequence[SourcedItem],
        connected: Connected | None,
    ) -> Stored:
        """Store what was read from `cursor` on, and how far that is.

        Args:
            source: its name.
            cursor: before the first item.
            items: in their order.
            connected: after the batch before; None: no ledger is kept of this source.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            batch = _Batch(connection, self._desk, source, now)
            if not inbox.lease(connection, source, self._owner, now, LEASE_SECONDS):
                batch.stored.held = False
                return batch.stored
            batch.stored.connected = connected
            batch.take(items, cursor)
            if items:
                inbox.advance(connection, source, items[-1].cursor, now)
                if connected is not None:
                    batch.note(items, connected)
        return batch.stored


class _Batch:
    """One batch in its transaction."""

    def __init__(self, connection: Connection, desk: Desk, source: str, now: datetime) -> None:
        self._connection = connection
        self._desk = desk
        self._source = source
        self._now = now
        self.stored = Stored()

    def take(self, items: Sequence[SourcedItem], cursor: str | None) -> None:
        """Store posts and removals, in their order: what is posted again after a removal stands."""
        arrivals: list[Arrival] = []
        removals: list[Removed | Restored] = []
        for item in items:
            if isinstance(item, Removed | Restored):
                removals.append(item)
            elif isinstance(item, SourcedPost):
                if removals:
                    self._add(arrivals)
                    # before the next post, though this clock may have stood still in between
                    self._remove(removals, min(self._now, item.post.observed_at - MOMENT))
                    arrivals, removals = [], []
                arrivals += self._arrivals(item, cursor)
            elif isinstance(item, Rejected):
                self._set_aside(item.position, item.reason, Rejected.__name__)
            self._count(item)
            cursor = item.cursor
        self._add(arrivals)
        self._remove(removals, self._now)

    def note(self, items: Sequence[SourcedItem], connected: Connected) -> None:
        """Write the ledger: what was heard, and what became of a gap."""
        heard = Heard(counts=self.stored.counts, event_at=_latest(items, self._now))
        last = freshness.last_heard(self._connection, self._source) or self._now
        has_times = freshness.has_times(self._connection, self._source)
        gap = connected.gap
        if not connected.heard:
            gap = gaps.end_gap(self._connection, self._source, self._now)
        freshness.note_heard(self._connection, self._desk.database, self._source, heard, self._now)
        for item in items:
            if isinstance(item, Missed):
                self._miss(item, gap, last)
                gap = None
        if gap is not None and _is_caught_up(gap, heard, has_times=has_times):
            gaps.settle_gap(self._connection, gap.id, GapState.REFILLED)
            gap = None
        self.stored.connected = Connected(heard=True, gap=gap)

    def _arrivals(self, item: SourcedPost, cursor: str | None) -> list[Arrival]:
        try:
            payload = inbox.payload_of(item.post)
        except InvalidMessageError as error:
            position = int(item.post.key[:15], 16)  # 60 bits: the source did not number it
            self._set_aside(position, error.reason, type(error).__name__)
            return []
        return [Arrival(post=item.post, payload=payload, cursor=cursor)]

    def _set_aside(self, position: int, reason: str, error: str) -> None:
        letter = DeadLetter(
            epoch=SOURCE_EPOCH,
            topic=f"source:{self._source}",
            partition=0,
            offset=position,
            agent=AGENT,
            reason=reason,
            error=error,
        )
        if record(self._connection, letter, self._now):
            self.stored.refused.append(reason)

    def _add(self, arrivals: Sequence[Arrival]) -> None:
        if arrivals:
            forget_ended(self._connection, [one.post.key for one in arrivals])
        accepted = inbox.add(self._connection, arrivals)
        known = self.stored.accepted
        self.stored.accepted = Accepted(
            accepted=known.accepted + accepted.accepted,
            duplicates=known.duplicates + accepted.duplicates,
        )

    def _remove(self, removals: Sequence[Removed | Restored], gone_at: datetime) -> None:
        """Mark what is gone and what is back, in their order: the last word counts."""
        if removals:  # first of all locks, as the decider does: else the two may wait in a ring
            self._desk.database.lock(self._connection, SIGHTING_LOCK)
        for _, run in groupby(removals, key=type):
            some = list(run)
            gone = [one for one in some if isinstance(one, Removed)]
            back = [one for one in some if isinstance(one, Restored)]
            if gone:
                self.stored.ends += end_waiting(self._connection, gone, self._now)
                self.stored.changed.append(mark_gone(self._connection, self._desk, gone, gone_at))
            if back:
                changed = mark_back(self._connection, self._desk, back, self._now)
                self.stored.changed.append(changed)

    def _count(self, item: SourcedItem) -> None:
        if isinstance(item, Passed):
            self.stored.counts.update(item.counts)
        elif isinstance(item, SourcedPost | Removed | Restored):
            self.stored.counts[item.kind] += 1
        elif isinstance(item, Rejected):
            self.stored.counts[EventKind.OTHER] += 1

    def _miss(self, item: Missed, gap: Gap | None, last: datetime) -> None:
        state = GapState.REFILLED if item.refilled else GapState.LOST
        if gap is not None:
            why = None if item.refilled else item.reason
            gaps.settle_gap(self._connection, gap.id, state, reason=why)
            return
        gaps.enter_gap(
            self._connection,
            self._source,
            item.reason,
            item.since or last,
            item.until or self._now,
            state,
        )


def _latest(items: Sequence[SourcedItem], now: datetime) -> datetime | None:
    """Tell when the latest happened. What has not happened yet is an author's word: it is none."""
    times = [item.at for item in items if not isinstance(item, Rejected | Missed) and item.at]
    return max((at for at in times if at <= now + CLOCKS_DIFFER), default=None)


def _is_caught_up(gap: Gap, heard: Heard, *, has_times: bool) -> bool:
    """Tell whether a source gives what happened after the gap.

    One that never says when is believed. Of one that does, what has no time says nothing.
    """
    if heard.event_at is None:
        return not has_times and any(heard.counts.values())
    return gap.to_at is None or heard.event_at >= gap.to_at
