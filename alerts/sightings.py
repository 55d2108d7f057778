"""What becomes of a sighting, in the decider's transaction: tasks, or a place to wait.

A match whose reference is in quarantine waits in `held_sightings`; see `monitors.quarantine`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alerts.evidence import evidence_in_words
from alerts.hosts import registrable_domain
from alerts.tasks import (
    Desk,
    Finding,
    Key,
    Opened,
    Place,
    digest,
    lawful_ages,
    location_id,
    open_tasks,
    task_id,
)
from monitors.quarantine import (
    SIGHTING_LOCK,
    Quarantine,
    Seen,
    count_sighting,
    hold,
    is_unsure,
    key_of_bytes,
    quarantines,
)
from monitors.tables import held_sightings, locations
from streams.refs import refs_of
from streams.types import CaseId, Decision, Match, Outcome, ReferenceId, Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a sighting.

    Args:
        opened: one for each task that holds it, by case, content and host.
        held: how many of its media and contents wait for a quarantine's end.
        newly_held: those of them that did not wait before.
        flooding: references that it put into quarantine.
    """

    opened: tuple[Opened, ...] = ()
    held: int = 0
    newly_held: int = 0
    flooding: tuple[ReferenceId, ...] = ()


def record_sighting(
    connection: Connection, sighting: Sighting, desk: Desk, now: datetime
) -> Recorded:
    """Open, raise or reopen the tasks of a sighting; hold what a reference in quarantine sighted.

    Runs in the caller's write transaction: with it, all of it is kept or none. The legal basis of
    each case is read again here; a case without one gets nothing.

    Args:
        connection: of `database.write()`.
        sighting: as inspected; a second time changes nothing.
        desk: where tasks are opened.
        now: when it was decided.
    """
    grouped = _group(sighting)
    if not grouped:
        return Recorded()
    desk.database.lock(connection, SIGHTING_LOCK)
    ages = lawful_ages(connection, now, {key.case for key in grouped})
    lawful = {key: media for key, media in grouped.items() if key.case in ages}
    judge = _Judge(connection, sighting, desk, now)
    judge.look_up(lawful)
    findings = []
    for key in sorted(lawful):
        places = tuple(judge.places(key, lawful[key]))
        if places:
            findings.append(Finding(key=key, age_class=ages[key.case], places=places))
    return Recorded(
        opened=open_tasks(connection, findings, desk, now),
        held=judge.held,
        newly_held=judge.newly_held,
        flooding=tuple(judge.flooding),
    )


def held_id(key: Key, post: str, medium: int) -> str:
    """Name a held sighting."""
    return digest("held", *key, post, str(medium))


def _group(sighting: Sighting) -> dict[Key, dict[int, list[Match]]]:
    """Sort the matches that somebody shall see by task and medium, the surest first."""
    host = registrable_domain(sighting.post.url)
    grouped: dict[Key, dict[int, list[Match]]] = {}
    for result in sighting.results:
        if result.outcome is not Outcome.SIGHTED:
            continue
        for match in sorted(result.matches, key=lambda match: -match.confidence):
            if match.decision is not Decision.NONE:
                media = grouped.setdefault(Key(match.case, match.content, host), {})
                media.setdefault(result.index, []).append(match)
    return grouped


@dataclass(slots=True)
class _Judge:
    """Tells what opens a task from what waits."""

    connection: Connection
    sighting: Sighting
    desk: Desk
    now: datetime
    held: int = 0
    newly_held: int = 0
    flooding: list[ReferenceId] = field(default_factory=list)
    _states: dict[ReferenceId, Quarantine | None] = field(default_factory=dict)
    _located: dict[str, str] = field(default_factory=dict)
    _discarded: frozenset[str] = frozenset()

    def look_up(self, grouped: dict[Key, dict[int, list[Match]]]) -> None:
        """Read what is known of the references, and of this very sighting."""
        post = self.sighting.post.key
        media = [(key, index) for key, some in grouped.items() for index in some]
        matches = [match for some in grouped.values() for found in some.values() for match in found]
        self._states = quarantines(
            self.connection, {match.reference for match in matches}, self.now
        )
        ids = sorted(location_id(task_id(*key), post, index) for key, index in media)
        rows = self.connection.execute(
            sa.select(locations.c.id, locations.c.reference_id).where(locations.c.id.in_(ids))
        )
        self._located = {row.id: row.reference_id for row in rows}
        ids = sorted(held_id(key, post, index) for key, index in media)
        found = self.connection.scalars(
            sa.select(held_sightings.c.id).where(
                held_sightings.c.id.in_(ids), held_sightings.c.discarded_at.is_not(None)
            )
        )
        self._discarded = frozenset(found)

    def places(self, key: Key, media: dict[int, list[Match]]) -> Iterator[Place]:
        """Give the places of one task; hold the others."""
        for index in sorted(media):
            place = self._place(key, index, media[index])
            if place is not None:
                yield place

    def _place(self, key: Key, index: int, matches: Sequence[Match]) -> Place | None:
        post = self.sighting.post.key
        name = held_id(key, post, index)
        located = self._located.get(location_id(task_id(*key), post, index))
        if located is not None:
            same = (match for match in matches if match.reference == located)
            return self._describe(index, next(same, matches[0]))
        if name in self._discarded:
            self.held += 1
            return None
        for match in matches:
            if not self._waits(match, key.host, index):
                return self._describe(index, match)
        self._hold(name, key, index, matches[0])
        return None

    def _waits(self, match: Match, host: str, index: int) -> bool:
        """Say whether the match waits for its reference; count it where it does not yet."""
        if match.reference not in self._states:
            return False  # found by words alone, or of a reference that is gone
        quarantine = self._states[match.reference]
        if quarantine is None:
            quarantine = self._count(match, host, index)
            if quarantine is not None:
                self._states[match.reference] = quarantine
                self.flooding.append(match.reference)
        return quarantine is not None and quarantine.holds(match)

    def _count(self, match: Match, host: str, index: int) -> Quarantine | None:
        post = self.sighting.post
        seen = Seen(
            reference=match.reference,
            post=post.key,
            medium=index,
            bytes_key=key_of_bytes(self._sha256(index), post.media[index].url),
            host=host,
            unsure=is_unsure(match),
        )
        desk = self.desk
        return count_sighting(self.connection, desk.database, seen, desk.limits, self.now)

    def _hold(self, name: str, key: Key, index: int, match: Match) -> None:
        place = self._describe(index, match)
        quarantine = self._states[match.reference]
        if quarantine is None:
            raise AssertionError("only a quarantine holds")
        values = {
            **place.values,
            "id": name,
            "case_id": key.case,
            "content_id": key.content,
            "host": key.host,
            "keyword_hits": place.hits,
        }
        self.held += 1
        self.newly_held += hold(self.connection, self.desk.database, values, quarantine.until)

    def _describe(self, index: int, match: Match) -> Place:
        sighting, post = self.sighting, self.sighting.post
        hits = _hits(sighting, match.case)
        post_ref, author_ref = refs_of(post)
        values = {
            "post_key": post.key,
            "medium": index,
            "source": post.source,
            "post_id": post.id,
            "post_url": post.url,
            "media_url": post.media[index].url,
            "author": post.author,
            "media_sha256": self._sha256(index),
            "reference_id": match.reference,
            "confidence": match.confidence,
            "decision": match.decision,
            "evidence": evidence_in_words(match, hits, self._nudity(index)),
            "published_at": post.published_at,
            "observed_at": post.observed_at,
            "triaged_at": sighting.triaged_at,
            "inspected_at": sighting.inspected_at,
            "decided_at": self.now,
            "post_ref": post_ref,
            "author_ref": author_ref,
        }
        return Place(values=values, hits=hits)

    def _nudity(self, index: int) -> float | None:
        looked = next(one.looked for one in self.sighting.results if one.index == index)
        return None if looked is None else looked.nudity

    def _sha256(self, index: int) -> str | None:
        return next(one.sha256 for one in self.sighting.results if one.index == index)


def _hits(sighting: Sighting, case: CaseId) -> int:
    return len({hit.keyword for hit in sighting.hits if hit.case == case})
