"""Whether a process does its work: what each agent is about, and why a process is not ready."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from streams.clock import Clock

STARTING = "starting"
STUCK = "stuck"
FLOOD = "flood"
DATABASE = "database"
GALLERY = "gallery_stale"
CHILDREN = "children"
BROKER = "broker"

NOT_CURED_BY_RESTART = frozenset({STARTING, DATABASE})
"""Reasons for which a new process would fare no better."""


class Progress:
    """One agent's progress: when it took up a batch, and when it last finished something.

    Args:
        clock: whose monotonic time counts.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._busy_since: float | None = None
        self._advanced_at = clock.monotonic()
        self.flooded = False

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Mark a batch as being worked on."""
        self._busy_since = self._clock.monotonic()
        try:
            yield
        finally:
            self._busy_since = None
            self._advanced_at = self._clock.monotonic()

    def advanced(self) -> None:
        """Note that a part of the batch is done."""
        self._advanced_at = self._clock.monotonic()
        if self._busy_since is not None:
            self._busy_since = self._advanced_at

    @property
    def busy_seconds(self) -> float:
        """How long the batch in hand has not advanced; 0 where none is in hand."""
        return 0.0 if self._busy_since is None else self._clock.monotonic() - self._busy_since

    @property
    def idle_seconds(self) -> float:
        """How long nothing at all has advanced."""
        return self._clock.monotonic() - self._advanced_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a process that is well.

    Args:
        stuck_seconds: without progress while work waits.
        gallery_stale_seconds: since the gallery was confirmed.
    """

    stuck_seconds: float
    gallery_stale_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What a worker knows of itself at one moment.

    Args:
        started: its engines and its gallery are loaded, its consumer is running.
        work_waits: posts that are this worker's to do were handed over too long ago.
        database: the database answers.
        gallery_age_seconds: since the gallery was confirmed; None: never.
        children: every child is alive, or being replaced.
    """

    started: bool
    work_waits: bool
    database: bool
    gallery_age_seconds: float | None
    children: bool


def reasons_not_ready(
    progress: Iterable[Progress], vitals: Vitals, limits: Limits
) -> tuple[str, ...]:
    """Say why the worker is not ready; empty where it is."""
    agents = tuple(progress)
    if not vitals.started:
        return (STARTING,)
    age = vitals.gallery_age_seconds
    holds: Mapping[str, bool] = {
        FLOOD: any(agent.flooded for agent in agents),
        STUCK: _is_stuck(agents, vitals, limits),
        DATABASE: not vitals.database,
        GALLERY: age is None or age > limits.gallery_stale_seconds,
        CHILDREN: not vitals.children,
    }
    return tuple(reason for reason, held in holds.items() if held)


def _is_stuck(agents: tuple[Progress, ...], vitals: Vitals, limits: Limits) -> bool:
    hangs = any(agent.busy_seconds > limits.stuck_seconds for agent in agents)
    asleep = all(agent.idle_seconds > limits.stuck_seconds for agent in agents)
    return hangs or (vitals.work_waits and asleep)
