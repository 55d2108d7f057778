"""Two streams of one network, compared: what one gives and the other does not."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from streams.clock import Clock
from streams.sources.source import SourcedItem, SourcedPost
from streams.types import PostKey

SETTLE_SECONDS = 120.0
"""How much later than its twin a stream may give a post: relays buffer, and reconnect."""

MAX_KEPT = 50_000
"""Posts remembered of each stream: some 16 minutes of all of Bluesky's (domain.md, section 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacked:
    """What a stream did not give and its twin did.

    Args:
        source: the stream that lacks them.
        posts: how many.
        from_at: when its twin gave the first.
        to_at: and the last.
    """

    source: str
    posts: int
    from_at: datetime
    to_at: datetime


@dataclass(slots=True)
class _Stretch:
    """A time in which a stream was read without a break."""

    since: float
    last: float


@dataclass(slots=True)
class _Seen:
    """What a stream gave: when, by the clock's monotonic time and its date."""

    stretches: list[_Stretch] = field(default_factory=list)
    is_read: bool = False
    kept_since: float = 0.0
    keys: OrderedDict[PostKey, tuple[float, datetime]] = field(default_factory=OrderedDict)


class Comparison:
    """Compares streams in pairs.

    Args:
        twins: pairs of names.
        clock: for times.
    """

    def __init__(self, twins: Sequence[tuple[str, str]], clock: Clock) -> None:
        self._twins = twins
        self._clock = clock
        self._seen = {name: _Seen() for pair in twins for name in pair}
        self._settled = clock.monotonic()

    def saw(self, source: str, items: Sequence[SourcedItem]) -> None:
        """Remember what a stream gave."""
        seen = self._seen.get(source)
        if seen is None:
            return
        now, date = self._clock.monotonic(), self._clock.now()
        if not seen.is_read:
            seen.stretches.append(_Stretch(now, now))
            seen.is_read = True
        seen.stretches[-1].last = now
        for item in items:
            if isinstance(item, SourcedPost):
                seen.keys.setdefault(item.post.key, (now, date))
        while len(seen.keys) > MAX_KEPT:
            _, (seen.kept_since, _) = seen.keys.popitem(last=False)

    def away(self, source: str) -> None:
        """Note that a stream is not read now: what it misses meanwhile is the ledger's."""
        if source in self._seen:
            self._seen[source].is_read = False

    def settle(self) -> list[Lacked]:
        """Tell what each stream lacks of what its twin gave long enough ago; each post once."""
        until = self._clock.monotonic() - SETTLE_SECONDS
        found = [
            lacked
            for one, other in self._twins
            for lacked in (self._lacked(one, other, until), self._lacked(other, one, until))
            if lacked is not None
        ]
        self._settled = until
        for seen in self._seen.values():
            seen.stretches = [
                one for at, one in enumerate(seen.stretches, 1)
                if one.last > until or (seen.is_read and at == len(seen.stretches))
            ]  # fmt: skip
            while seen.keys and next(iter(seen.keys.values()))[0] < until - SETTLE_SECONDS:
                seen.keys.popitem(last=False)
        return found

    def _lacked(self, source: str, twin: str, until: float) -> Lacked | None:
        """Look at the times in which it was read, and was heard afterwards: else it has a gap."""
        mine = self._seen[source]
        times = [
            date
            for key, (at, date) in self._seen[twin].keys.items()
            if self._settled < at <= until and key not in mine.keys and _was_read(mine, at)
        ]
        if not times:
            return None
        return Lacked(source=source, posts=len(times), from_at=min(times), to_at=max(times))


def _was_read(seen: _Seen, at: float) -> bool:
    """Tell whether a stream had caught up by then, and was heard afterwards."""
    return at > seen.kept_since and any(
        one.since + SETTLE_SECONDS <= at <= one.last for one in seen.stretches
    )
