"""`haechi bench search`: a new reference and keyword against what was seen before they existed.

The real pipeline: `haechi up` with one worker, SQLite, LanceDB, the guarded fetcher and the
sandboxed decoder. What was seen is drawn (`planted_posts`); edited copies of what is registered
later are planted in it, half of them remembered by their fingerprints, half by their text alone.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import sqlalchemy as sa

from agents.benchmarks.planted_posts import Planted, fill, plant, remember
from agents.demo.host import MediaHost
from agents.demo.instance import Instance, demo_settings
from monitors.cases import AgeClass, LegalBasis, NewCase
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.lookback import DEFAULT_LOOKBACK, SeenFingerprint, load_lookback, place_of
from monitors.migrate import open_database
from monitors.recognition import Recognition
from monitors.references import Enroller
from monitors.register import CaseRegister
from monitors.source_tables import search_posts, searches
from monitors.tables import locations, tasks
from streams.clock import SystemClock
from streams.errors import ConfigurationError
from streams.settings import Settings
from streams.types import CaseId

Say = Callable[[str], None]

READY_SECONDS = 120.0
MOST_SECONDS = 400.0
"""Of one run; what is not listed by then is missed."""

DIMENSIONS = 512
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFigures:
    """One size's figures.

    Args:
        posts: remembered.
        planted: of them, to be found.
        found: of those, listed as places of tasks in time.
        candidates: posts that were inspected again, a run, the mean.
        seconds: from the registration of reference and keyword to each planted item's listing.
        last: of each run, until its last planted item was listed.
        fill_seconds: for the preparation.
    """

    posts: int
    planted: int
    found: int
    candidates: float
    seconds: tuple[float, ...]
    last: tuple[float, ...]
    fill_seconds: float

    def to_json(self) -> dict[str, Any]:
        """Give the figures under the names that scripts rely upon."""
        return {
            "posts": self.posts,
            "planted": self.planted,
            "found": self.found,
            "recall": self.found / self.planted,
            "candidates": self.candidates,
            "seconds": {name: quantile(self.seconds, q) for name, q in QUANTILES},
            "last_seconds": {name: quantile(self.last, q) for name, q in QUANTILES},
            "fill_seconds": self.fill_seconds,
        }


QUANTILES = (("p50", 50.0), ("p95", 95.0), ("max", 100.0))


def quantile(values: Sequence[float], percent: float) -> float | None:
    """Give a quantile that was measured; None of nothing."""
    return float(np.percentile(values, percent, method="higher")) if values else None


def measure(base: Settings, posts: int, runs: int, each: int, say: Say) -> SearchFigures:
    """Remember posts, then register one case after the other and wait until all is listed.

    Args:
        base: engine, children and model cache; its home is not touched.
        posts: remembered.
        runs: cases.
        each: planted copies of each.
        say: told what goes on.

    Raises:
        ConfigurationError: the pipeline did not start.
    """
    with tempfile.TemporaryDirectory(prefix="haechi-search-") as scratch:
        return asyncio.run(_measure(base, Path(scratch), posts, runs, each, say))


async def _measure(
    base: Settings, scratch: Path, posts: int, runs: int, each: int, say: Say
) -> SearchFigures:  # fmt: skip
    host = MediaHost(scratch / "media")
    await host.start()
    try:
        own = demo_settings(base, scratch / "home", origin=host.origin, rate=1)
        settings = own.model_copy(update={"workers": 1, "replay_file": None})
        with contextlib.closing(await asyncio.to_thread(open_database, settings)) as database:
            async with Recognition.from_settings(settings, engine_children=1) as recognition:
                started = perf_counter()
                say(f"remembering {posts} posts")
                now = SystemClock().now()
                planted, prints = await plant(
                    recognition, scratch / "media", host.origin, runs=runs, each=each, now=now
                )
                # in a process of its own: LanceDB's threads do not survive a fork
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    await asyncio.get_running_loop().run_in_executor(
                        pool, _remember, settings, recognition.space, posts, planted, prints
                    )
                took = perf_counter() - started
                bench = _Bench(settings, database, recognition, say)
                return await bench.run(posts, planted, took)
    finally:
        await host.close()


def _remember(
    settings: Settings,
    space: str,
    posts: int,
    planted: Sequence[Planted],
    prints: Sequence[SeenFingerprint],
) -> None:
    store = load_lookback(DEFAULT_LOOKBACK, place_of(settings.home, settings.lookback_url))
    database = open_database(settings)
    with contextlib.closing(database), contextlib.closing(store):
        fill(database, store, space, DIMENSIONS, posts, SystemClock().now())
        store.of(space).add(prints)
        store.of(space).compact()
        for one in planted:
            remember(database, [*one.alike, *one.spoken])


class _Bench:
    """One instance, searched again and again."""

    def __init__(
        self, settings: Settings, database: Database, recognition: Recognition, say: Say
    ) -> None:
        self._settings = settings
        self._database = database
        self._say = say
        keystore = KeyStore(settings.keys_dir)
        self._register = CaseRegister(database, keystore, SystemClock(), actor="bench")
        self._enroller = Enroller(self._register, recognition)

    async def run(
        self, posts: int, planted: Sequence[Planted], fill_seconds: float
    ) -> SearchFigures:
        async with Instance(self._settings) as instance:
            await self._ready(instance)
            listed: list[list[float]] = []
            candidates = []
            for number, one in enumerate(planted):
                times, looked = await self._search(number, one, instance)
                listed.append(times)
                candidates.append(looked)
                self._say(
                    f"case {number + 1} of {len(planted)}: last after {max(times, default=0):.1f} s"
                )
        return SearchFigures(
            posts=posts,
            planted=sum(len(one.alike) + len(one.spoken) for one in planted),
            found=sum(map(len, listed)),
            candidates=float(np.mean(candidates)),
            seconds=tuple(time for times in listed for time in times),
            last=tuple(max(times) for times in listed if times),
            fill_seconds=fill_seconds,
        )

    async def _ready(self, instance: Instance) -> None:
        started = perf_counter()
        while instance.console() is None:
            instance.check()
            if perf_counter() - started > READY_SECONDS:
                raise ConfigurationError("the pipeline did not start in time")
            await asyncio.sleep(POLL_SECONDS)

    async def _search(
        self, number: int, planted: Planted, instance: Instance
    ) -> tuple[list[float], int]:
        """Register a case; the look-back begins by itself. Give when each item was listed."""
        new = NewCase(
            alias=f"bench-{number}",
            age_class=AgeClass.ADULT,
            legal_basis=LegalBasis.VICTIM_REQUEST,
        )
        case = self._register.open(new).id
        started = perf_counter()
        self._register.add_keyword(case, planted.keyword)
        await self._enroller.enrol_bytes(case, planted.reference)
        wanted = {post.key for post in (*planted.alike, *planted.spoken)}
        times: dict[str, float] = {}
        looked = 0
        while perf_counter() - started < MOST_SECONDS:
            instance.check()
            keys, looked, is_over = await asyncio.to_thread(self._listed, case)
            for key in (keys & wanted) - times.keys():
                times[key] = perf_counter() - started
            if len(times) == len(wanted) or is_over:
                break
            await asyncio.sleep(POLL_SECONDS)
        return sorted(times.values()), looked

    def _listed(self, case: CaseId) -> tuple[set[str], int, bool]:
        """Give the posts that the case's tasks list, how many were inspected, whether it ended."""
        places = (
            sa.select(locations.c.post_key)
            .join(tasks, tasks.c.id == locations.c.task_id)
            .where(tasks.c.case_id == case)
        )
        asked = sa.select(searches.c.id).where(searches.c.case_id == case)
        looked = sa.select(sa.func.count()).where(search_posts.c.search_id.in_(asked))
        ended = sa.select(searches.c.ended_at).where(searches.c.case_id == case)
        with self._database.read() as connection:
            ends = connection.scalars(ended).all()
            return (
                set(connection.scalars(places)),
                connection.execute(looked).scalar_one(),
                bool(ends) and all(end is not None for end in ends),
            )
