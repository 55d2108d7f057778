"""One source of the sources' file tried out: read for some seconds, and nothing stored."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import TypeVar, cast

from streams.clock import Clock
from streams.errors import ConfigurationError, StreamError
from streams.sources.catalogue import Catalogue, Named
from streams.sources.source import (
    Missed,
    Passed,
    Query,
    Rejected,
    SearchSource,
    Source,
    SourcedItem,
    Truncated,
)
from streams.types import Post

MEDIA = "media"
REJECTED = "rejected"
BUG = "bug"

Item = TypeVar("Item")


@dataclass(slots=True)
class Trial:
    """What a source gave.

    Args:
        events: by kind; `media` and `rejected` besides.
        error: why it gave no more: a `StreamError`'s reason; None where time was over.
        detail: in words.
    """

    events: Counter[str] = field(default_factory=Counter)
    error: str | None = None
    detail: str | None = None

    @property
    def worked(self) -> bool:
        """Say whether something came, and nothing failed."""
        return self.error is None and bool(sum(self.events.values()))

    def failed(self, error: Exception) -> None:
        """Note why it ended; of a bug its class alone, for its words may be a post's."""
        if isinstance(error, StreamError):
            self.error, self.detail = error.reason, " ".join(str(error).split()) or None
        else:
            self.error, self.detail = BUG, type(error).__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class Trying:
    """How a source is tried.

    Args:
        seconds: how long.
        words: what a search is asked for.
        allow_origins: private origins that may be reached.
    """

    seconds: float
    words: str | None = None
    allow_origins: frozenset[str] = frozenset()


async def try_source(catalogue: Catalogue, name: str, clock: Clock, trying: Trying) -> Trial:
    """Read a stream for some seconds, or ask a search source one question.

    Raises:
        ConfigurationError: there is no such source; or a search source without words.
    """
    for stream in catalogue.streams:
        if stream.config.name == name:
            return await _read(stream, clock, trying)
    for search in catalogue.searches:
        if search.config.name == name:
            if trying.words is None:
                raise ConfigurationError(f"{name} is a search: say what for, with --words")
            return await _ask(search, clock, trying.seconds, trying.words)
    known = [one.config.name for one in (*catalogue.streams, *catalogue.searches)]
    raise ConfigurationError(f"no source of this name; there are: {', '.join(known) or 'none'}")


async def _read(named: Named, clock: Clock, trying: Trying) -> Trial:
    trial, source = Trial(), named.build(clock, trying.allow_origins)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(trying.seconds):
            await _count(source, trial)
    return trial


async def _count(source: Source, trial: Trial) -> None:
    try:
        async with _closing(source.posts(None)) as items:
            async for item in items:
                _note(item, trial)
    except Exception as error:  # noqa: BLE001 - an adapter's bug is an answer, too
        trial.failed(error)


def _closing(items: AsyncIterator[Item]) -> contextlib.aclosing[AsyncGenerator[Item]]:
    """Close the connection when time is over, not whenever its generator is dropped."""
    return contextlib.aclosing(cast("AsyncGenerator[Item]", items))


def _note(item: SourcedItem, trial: Trial) -> None:
    if isinstance(item, Passed):
        trial.events.update({kind.value: count for kind, count in item.counts.items()})
    elif isinstance(item, Rejected):
        trial.events[REJECTED] += 1
    elif not isinstance(item, Missed):
        trial.events[item.kind.value] += 1
        post = getattr(item, "post", None)
        trial.events[MEDIA] += len(post.media) if post is not None else 0


async def _ask(named: Named, clock: Clock, seconds: float, words: str) -> Trial:
    trial, source = Trial(), named.build(clock)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _count_found(source, words, trial)
    return trial


async def _count_found(source: SearchSource, words: str, trial: Trial) -> None:
    try:
        async with _closing(source.search(Query(words=words))) as items:
            async for item in items:
                _note_found(item, trial)
    except Exception as error:  # noqa: BLE001 - likewise
        trial.failed(error)


def _note_found(item: Post | Rejected | Truncated, trial: Trial) -> None:
    if isinstance(item, Truncated):
        trial.events[f"truncated_{item.reason}"] += 1
    elif isinstance(item, Rejected):
        trial.events[REJECTED] += 1
    else:
        trial.events["post"] += 1
        trial.events[MEDIA] += len(item.media)
