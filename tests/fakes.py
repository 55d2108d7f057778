"""Stand-ins that more than one test uses."""

from datetime import UTC, datetime, timedelta

from monitors.cases import AgeClass, LegalBasis, NewCase


class FakeClock:
    """A `Clock` that stands still until it is advanced."""

    def __init__(self, now: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass, for both of its faces."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


def an_adults_case(alias: str = "A") -> NewCase:
    """The plainest case: an adult who asked herself."""
    return NewCase(alias=alias, age_class=AgeClass.ADULT, legal_basis=LegalBasis.VICTIM_REQUEST)
