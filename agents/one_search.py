"""One search: every source asked at once, and what they find watched until all of it has ended."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy.engine import Connection

from agents.intake import Intake
from monitors import metrics, searches
from monitors.cases import lawful_case_ids
from monitors.database import Database
from monitors.searches import LOOK_BACK, Search, SearchState, SourceProgress, SourceState
from streams.clock import Clock
from streams.errors import InboxFullError, InvalidMessageError, StreamError
from streams.sources.source import Query, Rejected, SearchSource, Truncated
from streams.types import CaseId, Post

log = structlog.get_logger()

POLL_SECONDS = 0.5

BATCH = 50
MAX_FOUND = 200
"""Posts wanted for one word: with 30 words it is what two cores inspect in three minutes."""

BUG = "bug"
TIME = "time"
"""Reason of a source that the deadline cut short."""

Found = AsyncGenerator[Sequence[Post] | Truncated | Rejected, None]
"""What a source finds, as it finds it."""

Words = Callable[[CaseId], Sequence[str]]
"""Gives the words to ask services for, the most telling first. Blocks."""

LookBack = Callable[[CaseId], Found]
"""Gives what was seen already and may be of a case."""


NOT_ENABLED = "not_enabled"
NOTHING_TO_ASK = "nothing_to_ask"
"""Reason of a service where the case has no keyword: it was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDesk:
    """What searches are carried out with.

    Args:
        database: with the searches and the inbox.
        intake: stores what is found.
        clock: for times.
        sources: those that are enabled.
        words: see `Words`.
        look_back: see `LookBack`; None: nothing is kept of what was seen.
        seconds: what a look-back that nobody asked for may take.
    """

    database: Database
    intake: Intake
    clock: Clock
    sources: Sequence[SearchSource]
    words: Words
    look_back: LookBack | None
    seconds: float


class OneSearch:
    """One search.

    Args:
        desk: see `SearchDesk`.
        search: which; taken.
    """

    def __init__(self, desk: SearchDesk, search: Search) -> None:
        self._desk = desk
        self._search = search
        self._progress: dict[str, SourceProgress] = {}

    async def run(self) -> None:
        """Ask every source at once, then wait until what they found was inspected.

        Raises:
            TransientError: the database is away; the search is taken up again.
        """
        questions = await asyncio.to_thread(self._begin)
        asking = [asyncio.ensure_future(self._ask(*one)) for one in questions.items()]
        try:
            state = await self._watch(asking)
        finally:
            for one in asking:
                one.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        await asyncio.to_thread(self._end, state)

    def _begin(self) -> Mapping[str, Sequence[Callable[[], Found]]]:
        """Note every source that is asked, and those that cannot be; give their questions."""
        wanted, desk = self._search.sources, self._desk
        words = desk.words(self._search.case)
        questions: dict[str, Sequence[Callable[[], Found]]] = {
            source.name: [_question(source, word) for word in words] for source in desk.sources
        }
        look_back = desk.look_back
        if look_back is not None:
            questions[LOOK_BACK] = [lambda: look_back(self._search.case)]
        for name in [*questions, *wanted]:
            asked = name in questions and (not wanted or name in wanted)
            if asked:
                self._note(name, state=SourceState.WAITING, queries=len(questions[name]))
            elif name in wanted:
                self._note(name, state=SourceState.FAILED, reason=NOT_ENABLED)
        return {name: some for name, some in questions.items() if not wanted or name in wanted}

    async def _watch(self, asking: Sequence[asyncio.Future[None]]) -> SearchState:
        while True:
            answered = all(one.done() for one in asking)
            state = await asyncio.to_thread(self._look, answered)
            if state is not SearchState.RUNNING:
                return state
            await asyncio.sleep(POLL_SECONDS)

    def _look(self, answered: bool) -> SearchState:
        desk, now = self._desk, self._desk.clock.now()
        with desk.database.write() as connection:
            if not lawful_case_ids(connection, now, [self._search.case]):
                return SearchState.STOPPED
            if answered and not searches.pending(connection, self._search.id):
                return SearchState.DONE
            if now >= self._search.deadline_at:
                return SearchState.LATE
            searches.hold(connection, self._search.id, desk.intake.owner, now)
        return SearchState.RUNNING

    def _end(self, state: SearchState) -> None:
        now = self._desk.clock.now()
        with self._desk.database.write() as connection:
            searches.end(connection, self._search.id, state, now)
        metrics.SEARCHES.labels(state.value).inc()
        took = (now - self._search.asked_at).total_seconds()
        metrics.SEARCH_SECONDS.observe(max(0.0, took))
        log.info("search ended", search=self._search.id, state=state.value)

    async def _ask(self, name: str, questions: Sequence[Callable[[], Found]]) -> None:
        """Ask one source; whatever goes wrong is its outcome, and no other source's."""
        if not questions:  # a case without keywords: nobody was asked, which is no answer
            await self._note_end(name, SourceState.FAILED, NOTHING_TO_ASK)
            return
        try:
            reason = await self._ask_all(name, questions)
        except StreamError as error:
            await self._note_end(name, SourceState.FAILED, error.reason)
        except asyncio.CancelledError:
            await asyncio.shield(self._note_end(name, SourceState.FAILED, TIME))
            raise
        except Exception:  # one source's bug must not end the search
            log.exception("search source met a bug", source=name)
            await self._note_end(name, SourceState.FAILED, BUG)
        else:
            state = SourceState.ANSWERED if reason is None else SourceState.PARTLY
            await self._note_end(name, state, reason)

    async def _ask_all(self, name: str, questions: Sequence[Callable[[], Found]]) -> str | None:
        """Ask one question after the other; give what is missing of the answers."""
        missing: str | None = None
        for number, question in enumerate(questions, 1):
            await asyncio.to_thread(self._note, name, state=SourceState.ASKING)
            async with contextlib.aclosing(question()) as found:
                async for item in found:
                    if isinstance(item, Truncated):
                        missing = item.reason
                    elif isinstance(item, Rejected):
                        metrics.REFUSED_POSTS.labels(name).inc()
                    else:
                        await self._store(name, item)
            await asyncio.to_thread(self._note, name, answered=number)
        return missing

    async def _store(self, name: str, posts: Sequence[Post]) -> None:
        hasty = [replace(post, urgent=True) for post in posts]
        while True:
            try:
                found = await self._desk.intake.look(self._search, name, hasty)
            except InboxFullError:
                await asyncio.sleep(POLL_SECONDS)
                continue
            except InvalidMessageError:
                found = await self._store_each(name, hasty)
            before = self._progress[name].found
            return await asyncio.to_thread(self._note, name, found=before + found)

    async def _store_each(self, name: str, posts: Sequence[Post]) -> int:
        """Store those of a batch that can be taken; count the others."""
        found = 0
        for post in posts:
            try:
                found += await self._desk.intake.look(self._search, name, [post])
            except InvalidMessageError:
                metrics.REFUSED_POSTS.labels(name).inc()
        return found

    async def _note_end(self, name: str, state: SourceState, reason: str | None) -> None:
        """What failed after some answers gave part of them."""
        known = self._progress[name]
        if state is SourceState.FAILED and (known.answered or known.found):
            state = SourceState.PARTLY
        now = self._desk.clock.now()
        await asyncio.to_thread(self._note, name, state=state, reason=reason, ended_at=now)

    def _note(self, name: str, **changes: Any) -> None:
        known = self._progress.get(name)
        if known is None:
            known = SourceProgress(source=name, **changes)
        self._progress[name] = replace(known, **changes)
        with self._desk.database.write() as connection:
            self._write(connection, self._progress[name])

    def _write(self, connection: Connection, progress: SourceProgress) -> None:
        searches.note_source(connection, self._desk.database, self._search.id, progress)


def _question(source: SearchSource, word: str) -> Callable[[], Found]:
    """Make the question for one word; what it finds comes in batches."""

    async def ask() -> Found:
        batch: list[Post] = []
        async for item in source.search(Query(words=word, limit=MAX_FOUND)):
            if isinstance(item, Truncated | Rejected):
                yield item
                continue
            batch.append(item)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    return ask
