"""Time as an argument, so that tests choose it."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where times come from."""

    def now(self) -> datetime:
        """Tell the date, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Tell seconds that never go back; only differences mean something."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place that reads the date

    def monotonic(self) -> float:
        return time.monotonic()
