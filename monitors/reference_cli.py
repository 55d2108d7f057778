"""`haechi case reference`; what opens tasks is added by `alerts.case_cli`."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from monitors.cases import Consent
from monitors.command_line import AsJson, CaseName, iso, opened_register, print_json, say
from monitors.enrolled import (
    ReferenceRow,
    list_references,
    quarantine_by_hand,
    remove_reference,
)
from monitors.register import CaseRegister
from streams.settings import Settings
from streams.types import CaseId

ReferenceName = Annotated[str, typer.Argument(metavar="REFERENCE", help="Its identifier.")]

DAY_SECONDS = 86_400.0

reference_app = typer.Typer(
    help="A case's reference media.", no_args_is_help=True, add_completion=False
)


@reference_app.command("add")
def add_references(
    name: CaseName,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…")],
    *,
    subject: Annotated[
        Consent | None,
        typer.Option(
            help="The files show, or let hear, the consenting subject alone: "
            "know the face or the voice. Default: the files are footage."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Derive features from images, videos and recordings, and keep those alone.

    The exit status is 0 whatever is found.
    """
    settings = Settings()
    with opened_register(settings) as register:
        case = register.find(name).id
        asyncio.run(_enrol_all(settings, register, case, files, subject, as_json=as_json))


async def _enrol_all(
    settings: Settings,
    register: CaseRegister,
    case: CaseId,
    files: Sequence[Path],
    subject: Consent | None,
    *,
    as_json: bool,
) -> None:
    """Enrol some files at once, and print them in the order given.

    The bar moves within a long medium, too.
    """
    from monitors.recognition import Recognition  # slow to import: NumPy, OpenCV
    from monitors.references import Enroller

    at_once = 2 * settings.engine_children
    columns = (TextColumn("references"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    async with Recognition.from_settings(settings) as recognition:
        enroller = Enroller(register, recognition)
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            bar = progress.add_task("", total=len(files))
            done: dict[Path, float] = dict.fromkeys(files, 0.0)

            def told(file: Path) -> Callable[[float, float], None]:
                def tell(at: float, of: float) -> None:
                    done[file] = min(0.99, at / of) if of > 0 else 0.0
                    progress.update(bar, completed=sum(done.values()))

                return tell

            for start in range(0, len(files), at_once):
                some = files[start : start + at_once]
                enrolled = (
                    enroller.enrol(case, file, subject=subject, progress=told(file))
                    for file in some
                )
                for file, result in zip(some, await asyncio.gather(*enrolled), strict=True):
                    words = f"{result.path}: {result.outcome} {result.reason or ''}".rstrip()
                    say(asdict(result), words, as_json=as_json)
                    done[file] = 1.0
                    progress.update(bar, completed=sum(done.values()))


@reference_app.command("list")
def list_command(name: CaseName, *, as_json: AsJson = False) -> None:
    """List a case's references: what they are, where they can be compared, and any quarantine."""
    with opened_register() as register, register.database.read() as connection:
        case = register.find(name).id
        rows = list_references(connection, case, register.clock.now())
    if as_json:
        for row in rows:
            print_json(_as_json(row))
        return
    table = Table(
        Column("reference", min_width=32), "kind", "subject", "spaces", "quarantine", "held"
    )
    for row in rows:
        cells = (row.reference, row.kind, row.subject or "-", ", ".join(row.spaces) or "-")
        table.add_row(*map(Text, (*cells, _quarantine(row), str(row.held))))
    Console().print(table)


@reference_app.command("quarantine")
def quarantine(
    name: CaseName,
    reference: ReferenceName,
    *,
    days: Annotated[
        float | None,
        typer.Option(min=0.01, max=30, help="How long; default: HAECHI_QUARANTINE_SECONDS."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold everything that a reference sights from now on, sure or not, until it is released."""
    settings = Settings()
    seconds = settings.quarantine_seconds if days is None else days * DAY_SECONDS
    with opened_register(settings) as register:
        until = quarantine_by_hand(register, name, reference, seconds)
    row = {"reference": reference, "quarantined_until": iso(until)}
    say(row, f"{reference} is in quarantine until {iso(until)}", as_json=as_json)


@reference_app.command("remove")
def remove_command(name: CaseName, reference: ReferenceName, *, as_json: AsJson = False) -> None:
    """Forget a reference and what it holds in quarantine; the tasks that it opened stay."""
    with opened_register() as register:
        gone = remove_reference(register, name, reference)
    say({"reference": gone, "removed": True}, f"{gone} is removed", as_json=as_json)


def _as_json(row: ReferenceRow) -> dict[str, Any]:
    times = ("added_at", "quarantined_at", "quarantined_until")
    return asdict(row) | {name: iso(getattr(row, name)) for name in times}


def _quarantine(row: ReferenceRow) -> str:
    if row.quarantine_reason is None:
        return "-"
    return f"{row.quarantine_reason} until {iso(row.quarantined_until)}"
