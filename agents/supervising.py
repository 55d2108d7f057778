"""What the launcher knows of one process, and when it starts it again."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.children import Child
from monitors.health import NOT_CURED_BY_RESTART, STARTING

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
GOOD_SECONDS = 60.0
"""A process that ran so long begins anew with its pauses."""

REPLACE_SECONDS = 20.0
"""A process that has not been ready for so long is replaced. It was stuck longer before it said so
(`stuck_after_seconds`)."""

START_SECONDS = 120.0
"""Loading a model and joining a group take seconds; a busy machine takes a multiple."""


@dataclass(slots=True)
class Supervised:
    """One process under supervision.

    Args:
        child: the process.
        probe: its /readyz, or what else answers 200; None: it is ready when it runs.
        address: what is shown to the user.
    """

    child: Child
    probe: str | None = None
    address: str = ""
    ready: bool = False
    reasons: Sequence[str] = field(default_factory=list)
    was_ready: bool = False
    _started_at: float = 0.0
    _unready_since: float | None = None
    _failures: int = 0
    _start_at: float | None = None

    def start(self, now: float) -> None:
        """Start the process."""
        self.child.start()
        self.ready, self.reasons = False, [STARTING]
        self._started_at, self._unready_since, self._start_at = now, now, None

    def forget(self) -> None:
        """It was ended on purpose: its next start is no failure."""
        self.ready, self._start_at, self._failures = False, None, 0

    def fell(self, now: float) -> float:
        """Note that it ended; give the pause before its next start."""
        if now - self._started_at >= GOOD_SECONDS:
            self._failures = 0
        pause = min(FIRST_PAUSE_SECONDS * 2.0**self._failures, LONGEST_PAUSE_SECONDS)
        self._failures += 1
        self._start_at = now + pause
        self.ready = False
        return pause

    @property
    def fallen(self) -> bool:
        """Whether it ended and nobody noted it yet."""
        return self._start_at is None and self.child.poll() is not None

    def is_due(self, now: float) -> bool:
        """Tell whether it is time to start it again."""
        return self._start_at is not None and now >= self._start_at

    def heard(self, reasons: Sequence[str], now: float) -> None:
        """Note an answer of its probe."""
        self.ready, self.reasons = not reasons, list(reasons)
        if self.ready:
            self.was_ready, self._unready_since = True, None
        elif self._unready_since is None:
            self._unready_since = now

    def should_replace(self, now: float) -> bool:
        """Tell whether it has not been ready for so long that a new process is better."""
        if not self.child.runs or self._unready_since is None:
            return False
        waited = now - self._unready_since
        if set(self.reasons) <= NOT_CURED_BY_RESTART:
            return STARTING in self.reasons and waited > START_SECONDS
        return waited > REPLACE_SECONDS
