"""What merely passed, given together a moment later."""

from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import datetime

from streams.clock import Clock
from streams.errors import SourceError
from streams.sources.source import EventKind, Passed, SourcedItem

GATHERED_EVENTS = 100
GATHERED_SECONDS = 1.0
"""What is gathered into one `Passed`, whichever comes first."""


class Gathering:
    """Holds what passed for a moment, so that it costs the collector little.

    Args:
        clock: whose monotonic time the moment is measured by.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: Counter[EventKind] = Counter()
        self._since = 0.0
        self._cursor = ""
        self._at: datetime | None = None

    def take(self, item: SourcedItem) -> Iterator[SourcedItem]:
        """Give the item, or hold it where it merely passed; and give what is due."""
        if isinstance(item, Passed):
            if not self._counts:
                self._since = self._clock.monotonic()
            self._counts.update(item.counts)
            self._at = item.at or self._at
        else:
            yield item
        self._cursor = item.cursor
        yield from self.due()

    def due(self) -> Iterator[SourcedItem]:
        """Give what was held for long enough."""
        held = self._clock.monotonic() - self._since
        if held >= GATHERED_SECONDS or self._counts.total() >= GATHERED_EVENTS:
            yield from self.rest()

    def rest(self) -> Iterator[SourcedItem]:
        """Give whatever is held."""
        if self._counts:
            counts, self._counts = dict(self._counts), Counter()
            yield Passed(cursor=self._cursor, counts=counts, at=self._at)


async def gathered(
    items: AsyncGenerator[SourcedItem | None, None], clock: Clock
) -> AsyncGenerator[SourcedItem, None]:
    """Give the items, those that merely passed a moment later and together.

    Args:
        items: None whenever a moment went by; closed in the end.
        clock: for the moment.
    """
    gathering = Gathering(clock)
    async with aclosing(items):
        try:
            async for item in items:
                for given in gathering.due() if item is None else gathering.take(item):
                    yield given
        except SourceError:
            for given in gathering.rest():
                yield given
            raise
