"""`haechi source`: how the sources are, what they missed, and whether one works."""

import asyncio
import sys
from typing import Annotated, Any

import typer

from agents.source_trial import Trial, Trying, try_source
from agents.sources import cure_of, gap_row, read_sources
from monitors.command_line import AsJson, opened_database, print_json, print_table, printable
from monitors.gaps import list_gaps
from streams.clock import SystemClock
from streams.settings import Settings
from streams.sources.catalogue import read_catalogue

source_app = typer.Typer(
    help="Sources, their cursors, freshness and gaps.", no_args_is_help=True, add_completion=False
)


@source_app.callback()
def source_root() -> None:
    """Sources, their cursors, freshness and gaps."""


@source_app.command("list")
def list_sources(*, as_json: AsJson = False) -> None:
    """Show each source: how it is, what it gave, what it missed, what waits."""
    settings = Settings()
    with opened_database(settings) as database, database.read() as connection:
        rows = read_sources(connection, settings, SystemClock().now())
    if as_json:
        for row in rows:
            print_json(row)
        return
    headings = ("source", "state", "heard", "events", "gaps", "waiting", "ended")
    print_table(headings, [_cells(row) for row in rows], first_width=20)
    for row in rows:
        for trouble in row["troubles"]:
            about = f" ({', '.join(row['missing'])})" if trouble == "kind_missing" else ""
            until = f"; next try at {row['retry_at']}" if row["retry_at"] else ""
            typer.echo(f"{row['source']}: {trouble}{about}: {cure_of(trouble) or '-'}{until}")


@source_app.command("gaps")
def show_gaps(
    source: Annotated[str | None, typer.Argument(help="Only this one's.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show when sources were not read, why, and whether that was made good; the newest first."""
    with opened_database(Settings()) as database, database.read() as connection:
        rows = [gap_row(one) for one in list_gaps(connection, source=source, limit=limit)]
    if as_json:
        for row in rows:
            print_json(row)
        return
    headings = ("source", "from_at", "to_at", "state", "reason")
    print_table(headings, [[str(row[name] or "-") for name in headings] for row in rows])


@source_app.command("test")
def try_one(
    name: Annotated[str, typer.Argument(help="Of the sources' file.")],
    *,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long.")] = 10.0,
    words: Annotated[str | None, typer.Option(help="What a search is asked for.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read one source for some seconds, enabled or not, and store nothing; exit 1 if it fails."""
    settings = Settings()
    trying = Trying(seconds=seconds, words=words, allow_origins=settings.fetch_allow)
    catalogue = read_catalogue(settings.sources)
    trial = asyncio.run(try_source(catalogue, name, SystemClock(), trying))
    if as_json:
        print_json(
            {
                "source": name,
                "worked": trial.worked,
                "events": dict(trial.events),
                "error": trial.error,
                "detail": trial.detail,
            }
        )
    else:
        typer.echo(printable(_in_words(name, trial)))
    sys.exit(0 if trial.worked else 1)


def _in_words(name: str, trial: Trial) -> str:
    given = ", ".join(f"{kind} {count}" for kind, count in sorted(trial.events.items()) if count)
    said = f"{name}: {given or 'nothing came'}"
    if trial.error is None:
        return said
    cure = cure_of(trial.error)
    return (
        f"{said}; {trial.error}"
        + (f": {trial.detail}" if trial.detail else "")
        + (f"; {cure}" if cure else "")
    )


def _cells(row: dict[str, Any]) -> list[str]:
    heard, lag = row["heard_seconds"], row["lag_seconds"]
    events = ", ".join(f"{kind} {one['events']}" for kind, one in row["kinds"].items())
    gaps = ", ".join(f"{count} {state}" for state, count in row["gaps"].items() if count)
    late = f", {lag:.0f} s late" if lag is not None and lag >= 1 else ""
    return [
        row["source"],
        row["state"],
        "-" if heard is None else f"{heard:.0f} s ago{late}",
        events or "-",
        gaps or "-",
        str(row["waiting"]),
        str(row["ended"]),
    ]
