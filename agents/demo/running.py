"""`haechi up --demo`: cases opened, a stream played, the real processes run, and the result told.

Nothing is short-circuited: embedded broker, collector, workers and console are those of
`haechi up`; the stream goes in by the replay source; media are fetched over HTTP from a host of
its own.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
import typer
from rich.console import Console

from agents.demo.host import MediaHost
from agents.demo.instance import Instance, LaunchError, demo_settings
from agents.demo.photographs import pull_photographs
from agents.demo.plan import DemoCase, DemoStream, Kind
from agents.demo.rendering import render_all
from agents.demo.show import PlainShow, Show, TerminalShow
from agents.demo.stream import build_stream
from agents.demo.tally import Content, Tally, build_table, read_tally
from monitors.cases import AgeClass, LegalBasis, NewCase
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.migrate import open_database
from monitors.recognition import Recognition
from monitors.references import Enroller, EnrolOutcome
from monitors.register import CaseRegister
from monitors.tables import outcomes, references
from streams.clock import SystemClock
from streams.errors import StreamError
from streams.settings import Settings, environment_of
from streams.types import ContentId

RATE = 8.0
"""Posts a second. All of Bluesky's posts with media are about six (`haechi bench throughput`)."""

STALLED_SECONDS = 120.0
"""No post ended for so long: the run has failed."""

POLL_SECONDS = 0.5
USER = "demo"
EXIT_FAILED, EXIT_TERMINATED = 1, 143


class StalledError(StreamError):
    """Posts are left without an outcome."""

    reason = "demo_stalled"


def run_demo(settings: Settings, *, seed: int | None = None) -> int:
    """Run the demo; give its exit status.

    On a terminal it stays up until Ctrl-C. Elsewhere it ends after the run, with 0 only for a
    good one (`Tally.is_good`), and its last line on standard output is `Tally.to_json`.

    Args:
        settings: the user's; see `demo_settings` for what is kept of them.
        seed: of the stream; None: one is chosen and shown.

    Raises:
        ConfigurationError: models or photographs cannot be had, or something cannot be started.
    """
    chosen = random.SystemRandom().randrange(10_000) if seed is None else seed
    home = Path(tempfile.mkdtemp(prefix="haechi-demo-"))
    demo = Demo(settings, home, build_stream(chosen), interactive=sys.stdout.isatty())
    try:
        return asyncio.run(_until_terminated(demo))
    except KeyboardInterrupt:
        if demo.tally is None:
            raise
        return 0 if demo.tally.is_good else EXIT_FAILED
    except (LaunchError, StalledError):
        typer.echo(f"the logs of its processes are kept in {home}", err=True)
        home = home / "media"
        raise
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def _until_terminated(demo: "Demo") -> int:
    """Run it; SIGTERM ends it in order, too."""
    running = asyncio.ensure_future(demo.run())
    terminated = asyncio.Event()

    def stop() -> None:
        terminated.set()
        running.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        return await running
    except asyncio.CancelledError:
        if terminated.is_set():
            return EXIT_TERMINATED
        raise


class Demo:
    """One run.

    Args:
        base: the user's settings.
        home: fresh; everything is kept below it.
        stream: what is played.
        interactive: stay up until cancelled, once it is told.
    """

    def __init__(
        self, base: Settings, home: Path, stream: DemoStream, *, interactive: bool
    ) -> None:
        self._base = base
        self._home = home
        self._stream = stream
        self._interactive = interactive
        self.tally: Tally | None = None

    async def run(self) -> int:
        """Play the stream, tell what came of it, and give the exit status."""
        show: Show = TerminalShow() if sys.stderr.isatty() else PlainShow()
        host = MediaHost(self._home / "media")
        try:
            with show:
                await self._draw(show)
                await host.start()
                settings = demo_settings(self._base, self._home, origin=host.origin, rate=RATE)
                self._write_posts(settings, host.origin)
                enrolled = await self._open_cases(settings, show)
            with contextlib.closing(open_database(settings)) as database:
                async with Instance(settings) as instance:
                    return await self._play(settings, database, instance, enrolled)
        finally:
            await host.close()

    async def _play(
        self,
        settings: Settings,
        database: Database,
        instance: Instance,
        enrolled: Mapping[tuple[str, str], Content],
    ) -> int:
        password = await add_user(settings)
        show: Show = TerminalShow() if sys.stderr.isatty() else PlainShow()
        with show:
            show.say(f"playing {len(self._stream.posts)} posts, {RATE:g} a second")
            await wait_for_outcomes(database, len(self._stream.posts), instance, show)
        self.tally = await asyncio.to_thread(read_tally, database, self._stream, enrolled)
        Console().print(build_table(self.tally, settings.sla_seconds))
        address = instance.console() or "not ready"
        typer.echo(f"console: {address}  user: {USER}  password: {password}", err=True)
        typer.echo(self.tally.to_json())
        if self._interactive:
            typer.echo(f"HAECHI_HOME={self._home} is its home; Ctrl-C ends it", err=True)
            while True:
                instance.check()
                await asyncio.sleep(POLL_SECONDS)
        return 0 if self.tally.is_good else EXIT_FAILED

    async def _draw(self, show: Show) -> None:
        photographs = await asyncio.to_thread(
            pull_photographs, self._base.models, progress=show.say
        )
        enrolled = [one for case in self._stream.cases for one in case.footage]
        counts = self._stream.count_by_kind()
        served = ", ".join(f"{counts[kind]} {kind}s" for kind in Kind)
        show.say(f"seed {self._stream.seed}: making {served}")
        done = 0
        for folder, recipes in (("references", enrolled), ("media", self._stream.media)):
            writing = render_all(
                recipes,
                photographs,
                self._home / folder,
                processes=len(os.sched_getaffinity(0)),
            )
            async with contextlib.aclosing(writing):
                async for _ in writing:
                    done += 1
                    show.advance("media", done, len(enrolled) + len(self._stream.media))

    def _write_posts(self, settings: Settings, origin: str) -> None:
        if settings.replay_file is not None:
            text = "\n".join(self._stream.to_lines(origin)) + "\n"
            settings.replay_file.write_text(text, encoding="utf-8")

    async def _open_cases(self, settings: Settings, show: Show) -> dict[tuple[str, str], Content]:
        """Open the cases as `haechi case` does; give what each reference became."""
        show.say(f"opening {len(self._stream.cases)} cases and enrolling their references")
        enrolled: dict[tuple[str, str], Content] = {}
        with contextlib.closing(open_database(settings)) as database:
            register = CaseRegister(
                database, KeyStore(settings.keys_dir), SystemClock(), actor="demo"
            )
            async with Recognition.from_settings(settings) as recognition:
                enroller = Enroller(register, recognition)
                for case in self._stream.cases:
                    enrolled |= await self._open_case(case, register, enroller)
        return enrolled

    async def _open_case(
        self, case: DemoCase, register: CaseRegister, enroller: Enroller
    ) -> dict[tuple[str, str], Content]:
        opened = register.open(
            NewCase(
                alias=case.alias,
                age_class=AgeClass.ADULT,
                legal_basis=LegalBasis.VICTIM_REQUEST,
            )
        )
        for keyword in case.keywords:
            register.add_keyword(opened.id, keyword)
        enrolled: dict[tuple[str, str], Content] = {}
        for reference in case.footage:
            ended = await enroller.enrol(opened.id, self._home / "references" / reference.file)
            if ended.outcome is not EnrolOutcome.ENROLLED:
                raise LaunchError(f"{reference.file} was not enrolled: {ended.reason}")
            query = sa.select(references.c.content_id).where(references.c.id == ended.reference)
            with register.database.read() as connection:
                content = ContentId(connection.execute(query).scalar_one())
            enrolled[case.alias, reference.file] = (opened.id, content)
        return enrolled


async def wait_for_outcomes(database: Database, posts: int, instance: Instance, show: Show) -> None:
    """Wait until every post has its outcome.

    Raises:
        LaunchError: the instance ended.
        StalledError: no post ended for `STALLED_SECONDS`.
    """
    clock = SystemClock()
    ended, since = -1, clock.monotonic()
    while ended < posts:
        instance.check()
        counts = await asyncio.to_thread(_count_outcomes, database)
        if counts.total() != ended:
            ended, since = counts.total(), clock.monotonic()
        words = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
        show.advance(f"posts ended ({words or 'the processes start'})", ended, posts)
        if clock.monotonic() - since > STALLED_SECONDS:
            raise StalledError(
                f"{posts - ended} of {posts} posts have no outcome, and none came for "
                f"{STALLED_SECONDS:.0f} s"
            )
        await asyncio.sleep(POLL_SECONDS)


def _count_outcomes(database: Database) -> Counter[str]:
    query = sa.select(outcomes.c.outcome, sa.func.count()).group_by(outcomes.c.outcome)
    with database.read() as connection:
        return Counter({row[0]: row[1] for row in connection.execute(query)})


async def add_user(settings: Settings) -> str:
    """Add somebody who may log in to the console, by the command that officers use.

    Returns:
        The password that it made.

    Raises:
        LaunchError: it could not.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "haechi", "user", "add", USER, "--generate", "--json"),
        env=environment_of(settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, complained = await process.communicate()
    if process.returncode != 0:
        raise LaunchError(f"no console user: {complained.decode(errors='replace').strip()}")
    password: str = json.loads(told)["password"]
    return password
