"""`haechi search CASE`: one action, every source and everything already seen."""

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from monitors import searches
from monitors.audit import AuditLog
from monitors.command_line import (
    AsJson,
    CaseName,
    login_name,
    opened_database,
    print_json,
    print_table,
)
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.search_progress import Progress, as_json_row, list_searches, read_progress
from monitors.searches import SearchState, SourceState
from streams.clock import Clock, SystemClock
from streams.errors import SearchUnattendedError, UnknownSearchError
from streams.settings import Settings
from streams.sources.catalogue import read_catalogue

SOURCE_COLUMNS = ("source", "state", "questions answered", "posts")
TASK_COLUMNS = ("task", "opened", "severity", "status", "host", "sure")

POLL_SECONDS = 0.5
UNATTENDED_SECONDS = 15.0
"""A collector takes a search within a second; one that died is replaced by then."""


def search(
    case: CaseName,
    *,
    sources: Annotated[
        list[str] | None, typer.Option("--source", help="Only this one; may be repeated.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=1, max=3600, help="Deadline; default: the settings'.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait for its end, and show progress.")] = True,
    last: Annotated[bool, typer.Option("--last", help="Show the case's last search only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Search every source, and everything already seen, for a case. `haechi up` must run.

    What is found goes through the ordinary pipeline, and is listed as tasks. Ctrl-C stops the
    waiting, not the search. Exit status 1 where no source answered.
    """
    settings, clock = Settings(), SystemClock()
    _check_names(settings, sources or [])
    with opened_database(settings) as database:
        if last:
            name = _last(database, case)
        else:
            name = _ask(settings, database, clock, case, sources or [], seconds)
        progress = _read(database, name)
        if wait:
            try:
                progress = _follow(database, name, clock, quiet=as_json)
            except KeyboardInterrupt:
                typer.echo(f"the search goes on: `haechi search {case} --last` shows it", err=True)
                raise
        if as_json:
            print_json(as_json_row(progress))
        else:
            tell(progress)
    if wait and not any(one.state in searches.ANSWERED for one in progress.sources):
        raise typer.Exit(1)


def _check_names(settings: Settings, wanted: list[str]) -> None:
    """Refuse the names of sources that there are not."""
    searched = read_catalogue(settings.sources).searches
    known = [searches.LOOK_BACK, *(one.config.name for one in searched)]
    for name in wanted:
        if name not in known:
            raise typer.BadParameter(f"no search source {name}; there are: {', '.join(known)}")


def _ask(
    settings: Settings,
    database: Database,
    clock: Clock,
    case: str,
    sources: list[str],
    seconds: float | None,
) -> str:
    actor, now = login_name(), clock.now()
    log = AuditLog(KeyStore(settings.keys_dir).audit_key())
    with database.write() as connection:
        asked = searches.ask(
            connection,
            case,
            actor=actor,
            now=now,
            seconds=seconds or settings.search_seconds,
            sources=sources,
        )
        log.append(
            connection,
            actor=actor,
            action="search.ask",
            subject=asked.case,
            detail={"search": asked.id, "sources": sources},
            now=now,
        )
    return asked.id


def _last(database: Database, case: str) -> str:
    from monitors.cases import find_case

    with database.read() as connection:
        found = list_searches(connection, find_case(connection, case).id, limit=1)
    if not found:
        raise UnknownSearchError("the case was never searched for")
    return found[0]


def _read(database: Database, name: str) -> Progress:
    with database.read() as connection:
        progress = read_progress(connection, name)
    if progress is None:
        raise UnknownSearchError("no search has this identifier")
    return progress


def _follow(database: Database, name: str, clock: Clock, *, quiet: bool) -> Progress:
    """Wait for the end, showing how far it is.

    Raises:
        SearchUnattendedError: no collector takes it.
    """
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        return _wait(lambda: _read(database, name), clock, lambda _: None)
    with Live(console=console, transient=True, auto_refresh=False) as live:
        return _wait(
            lambda: _read(database, name),
            clock,
            lambda progress: live.update(in_words(progress), refresh=True),
        )


def _wait(read: Callable[[], Progress], clock: Clock, show: Callable[..., None]) -> Progress:
    asked_at = clock.monotonic()
    while True:
        progress = read()
        show(progress)
        if progress.state in searches.ENDED:
            return progress
        waited = clock.monotonic() - asked_at
        if progress.state is SearchState.WAITING and waited > UNATTENDED_SECONDS:
            raise SearchUnattendedError(
                "nobody carries the search out: start `haechi up`, and it begins by itself "
                "(`haechi search CASE --last` shows it)"
            )
        time.sleep(POLL_SECONDS)


def in_words(progress: Progress) -> Table:
    """Say how far a search is, source by source, for a terminal."""
    table = Table(*SOURCE_COLUMNS, title=title_of(progress), title_justify="left", min_width=100)
    for row in _source_rows(progress):
        table.add_row(*row)
    return table


def tell(progress: Progress) -> None:
    """Print how a search stands: its sources, then the tasks that hold what it found."""
    typer.echo(title_of(progress))
    print_table(SOURCE_COLUMNS, _source_rows(progress))
    if progress.tasks:
        print_table(
            TASK_COLUMNS,
            [
                (
                    one.task,
                    "new" if one.new else "known before",
                    one.severity,
                    one.status,
                    one.host,
                    f"{one.confidence:.3f}",
                )
                for one in progress.tasks
            ],
        )


def title_of(progress: Progress) -> str:
    """Say how far a search is, in one line."""
    answered = sum(one.state in searches.ANSWERED for one in progress.sources)
    whole = sum(one.state is SourceState.ANSWERED for one in progress.sources)
    seconds = progress.seconds
    took = "" if seconds is None else f" after {seconds:.1f} s"
    return (
        f"{progress.state.value}{took}: {answered} of {len(progress.sources)} sources answered "
        f"({whole} wholly), {progress.inspected} of {progress.posts} posts inspected, "
        f"{len(progress.tasks)} tasks"
    )


def _source_rows(progress: Progress) -> list[tuple[str, ...]]:
    return [
        (
            one.source,
            one.state.value + (f" ({one.reason})" if one.reason else ""),
            f"{one.answered} of {one.queries}",
            str(one.found),
        )
        for one in progress.sources
    ]
