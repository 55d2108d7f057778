"""`haechi scan`: files and folders against every active case, without a stream.

The same decoder, engines, gallery and step as the stream's; it writes nothing.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Self

import typer

from agents.examined import Examined, Known
from agents.examining import Examiner
from agents.scan_report import FileResult, JsonReport, Report, TableReport, progress_over, warn
from agents.steps.inspecting import inspected
from agents.steps.triaging import KeywordIndex
from monitors.cases import read_aliases
from monitors.command_line import opened_database, printable
from monitors.database import Database
from monitors.gallery import Gallery, GalleryKeeper, check_spaces
from monitors.keystore import KeyStore
from monitors.recognition import Recogniser, Recognition
from streams.clock import SystemClock
from streams.errors import (
    DatabaseUnavailableError,
    MediaError,
    MediaRefusedError,
)
from streams.media.decoder import MAX_BODY_BYTES
from streams.media.files import read_file
from streams.ordering import in_order
from streams.settings import Settings
from streams.types import Outcome

WINDOW = 4
"""Files under way for each engine process: enough that a slow one holds up nobody at once."""

ALL_SECONDS = 600.0
"""What one file may take: a scan has no deadline, but ends."""

Examine = Callable[[bytes], Awaitable[Examined]]
"""Examines a file's bytes against the gallery in force; raises MediaError."""


def list_files(
    paths: Iterable[Path],
    on_error: Callable[[OSError], None],
    on_left_out: Callable[[Path], None] = lambda _: None,
) -> Iterator[Path]:
    """Name every file: those given as they are, and folders all the way down, sorted.

    Below a folder, links are followed to files inside it alone, and what is no regular file is
    left out.

    Args:
        paths: files and folders.
        on_error: told of a folder that cannot be listed.
        on_left_out: told of a link or a device that is left out.
    """
    for path in paths:
        if path.is_dir():
            yield from _Walk(path.resolve(), on_error, on_left_out).files(path)
        else:
            yield path


@dataclass(frozen=True, slots=True)
class _Walk:
    """One folder that was given, all the way down."""

    root: Path
    on_error: Callable[[OSError], None]
    on_left_out: Callable[[Path], None]

    def files(self, folder: Path) -> Iterator[Path]:
        try:
            with os.scandir(folder) as opened:
                entries = sorted(opened, key=lambda entry: entry.name)
        except OSError as error:
            self.on_error(error)
            return
        for entry in entries:
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from self.files(path)
            elif self._is_wanted(entry, path):
                yield path
            else:
                self.on_left_out(path)

    def _is_wanted(self, entry: os.DirEntry[str], path: Path) -> bool:
        if entry.is_symlink():
            return path.is_file() and path.resolve().is_relative_to(self.root)
        return entry.is_file()


class Scanner:
    """Looks at files, several at once, in their order.

    Args:
        examine: see `Examine`.
        max_bytes: of one file.
        show_all: give the best candidate of each file, whatever is decided about it.
    """

    def __init__(self, examine: Examine, *, max_bytes: int, show_all: bool = False) -> None:
        self._examine = examine
        self._max_bytes = max_bytes
        self._show_all = show_all

    def scan(self, files: Iterable[Path], jobs: int) -> AsyncGenerator[FileResult, None]:
        """Yield each file's result in the order of the files, as soon as it and all before it end.

        Args:
            files: drawn as they are needed.
            jobs: engine processes; `WINDOW` files for each are under way.
        """
        return in_order(self.inspect, files, jobs * WINDOW)

    async def inspect(self, path: Path) -> FileResult:
        """Look at one file. Whatever the file does, this gives a result."""
        name = os.fspath(path)
        try:
            body = await asyncio.to_thread(read_file, path, self._max_bytes)
            examined = await self._examine(body)
        except MediaError as error:
            refused = isinstance(error, MediaRefusedError)
            outcome = Outcome.REFUSED if refused else Outcome.UNREADABLE
            return FileResult(path=name, outcome=outcome, reason=error.reason)
        result = inspected(0, "", examined.matches, examined.looked)
        best = tuple(examined.matches[:1]) if self._show_all else ()
        return FileResult(
            path=name,
            outcome=result.outcome,
            reason=result.reason,
            matches=result.matches or best,
            looked=examined.looked,
        )


class LiveGallery:
    """The gallery, kept fresh while a long scan runs: a withdrawn case is matched no longer.

    Flood quarantine does not concern it. An async context manager.

    Args:
        settings: key store, and how often to look for changes.
        database: migrated.
        recogniser: started, when this is entered.
    """

    def __init__(self, settings: Settings, database: Database, recogniser: Recogniser) -> None:
        space = recogniser.space
        self._database = database
        self._space = space
        self._examiner = Examiner(recogniser)
        self._index: tuple[Gallery | None, KeywordIndex] = (None, KeywordIndex(()))
        self._poll_seconds = settings.gallery_poll_seconds
        self._keeper = GalleryKeeper(
            database,
            KeyStore(settings.keys_dir),
            SystemClock(),
            space,
            stale_seconds=settings.gallery_stale_seconds,
        )
        self._refreshing: asyncio.Future[None] | None = None
        self.lacking: set[str] = set()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._check)
        await asyncio.to_thread(self._keeper.refresh)
        self._refreshing = asyncio.ensure_future(self._refresh())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)

    @property
    def references(self) -> int:
        """Count what can be matched."""
        return self._keeper.current().references

    @property
    def keywords(self) -> int:
        """Count what is looked for in speech and writing."""
        return len(self._keeper.current().keywords)

    async def examine(self, body: bytes) -> Examined:
        """Examine a file; see `Examine`.

        Raises:
            GalleryStaleError: the legal basis could not be confirmed for too long.
        """
        gallery = self._keeper.fresh()
        if self._index[0] is not gallery:
            self._index = (gallery, await asyncio.to_thread(self._index[1].of, gallery.keywords))
        until = perf_counter() + ALL_SECONDS
        known = Known(gallery=gallery, index=self._index[1])
        examined = await self._examiner.examine(body, known, lambda: until - perf_counter())
        self.lacking.update(examined.lacking)
        return examined

    def _check(self) -> None:
        with self._database.read() as connection:
            check_spaces(connection, self._space, SystemClock().now())

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            with contextlib.suppress(DatabaseUnavailableError):  # `look` notices if it lasts
                await asyncio.to_thread(self._keeper.refresh)


def scan(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One object a file.")] = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="The best candidate of each file, whatever is decided.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=256, help="Engine processes; default: all cores.")
    ] = None,
) -> None:
    """Look for every active case's references in files and folders. Writes nothing."""
    for path in paths:
        if not os.path.lexists(path):
            raise typer.BadParameter(printable(f"no such file or folder: {path}"))
    settings = Settings()
    jobs = jobs or available_cores()
    with opened_database(settings) as database:
        with database.read() as connection:
            aliases = read_aliases(connection)
        report = JsonReport() if as_json else TableReport(aliases)
        asyncio.run(_scan(settings, database, paths, report, show_all=show_all, jobs=jobs))


async def _scan(
    settings: Settings,
    database: Database,
    paths: list[Path],
    report: Report,
    *,
    show_all: bool,
    jobs: int,
) -> None:
    recognition = Recognition.from_settings(settings, engine_children=jobs, decoder_children=jobs)
    async with recognition, LiveGallery(settings, database, recognition) as gallery:
        if not gallery.references and not gallery.keywords:
            warn("no active case has a reference: every readable file will be clear")
        scanner = Scanner(gallery.examine, max_bytes=MAX_BODY_BYTES, show_all=show_all)
        left_out: list[Path] = []
        files = list_files(paths, _warn_of_folder, left_out.append)
        await _report(scanner.scan(files, jobs), paths, report)
    if left_out:
        warn(f"links and devices left out: {len(left_out)}")
    if gallery.lacking:
        steps = ", ".join(sorted(gallery.lacking))
        warn(f"not done for want of a model: {steps}; `haechi doctor` tells the cure")


async def _report(
    results: AsyncGenerator[FileResult, None], paths: list[Path], report: Report
) -> None:
    """Hand on each result; whatever ends this, Ctrl-C too, what was found until then is told."""

    def files() -> Iterator[Path]:
        return list_files(paths, lambda _: None)

    stopped = True
    try:
        async with contextlib.aclosing(results):
            with progress_over(files) as advance:
                async for result in results:
                    report.add(result)
                    advance()
        stopped = False
    finally:
        report.end(sum(1 for _ in files()) if stopped else None)


def available_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _warn_of_folder(error: OSError) -> None:
    warn(f"cannot list {error.filename}: {error.strerror}")
