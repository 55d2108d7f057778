"""`haechi case reference`; what opens tasks is added by `alerts.case_cli`."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from monitors.cases import Consent
from monitors.command_line import (
    AsJson,
    CaseName,
    ended_in_words,
    iso,
    opened_register,
    print_json,
    print_table,
    require_files,
    say,
)
from monitors.enrolled import (
    ReferenceRow,
    find_reference,
    list_references,
    quarantine_by_hand,
    remove_reference,
)
from monitors.register import CaseRegister
from streams.ordering import in_order
from streams.settings import Settings
from streams.types import CaseId

if TYPE_CHECKING:
    from monitors.references import Enrolment

ReferenceName = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="Its identifier, or the beginning of it.")
]

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

    The exit status is 1 where a file was not enrolled.
    """
    require_files(files)
    settings = Settings()
    with opened_register(settings) as register:
        adding = _Adding(register, register.find(name).id, files, subject, as_json=as_json)
        asyncio.run(adding.run(settings))
    raise typer.Exit(1 if adding.missed else 0)


@dataclass(slots=True)
class _Adding:
    """Some files on their way into a case."""

    register: CaseRegister
    case: CaseId
    files: Sequence[Path]
    subject: Consent | None
    as_json: bool = field(kw_only=True)
    missed: bool = False

    async def run(self, settings: Settings) -> None:
        """Enrol the files, some at once, and print each as it ends, in the order given.

        Whatever ends this early, Ctrl-C too, what was stored until then is printed.
        """
        from monitors.recognition import Recognition  # slow to import: NumPy, OpenCV
        from monitors.references import Enroller

        ended: dict[int, Enrolment] = {}
        async with Recognition.from_settings(settings) as recognition:
            enroller = Enroller(self.register, recognition)
            with _bar(len(self.files)) as move:

                async def enrol(at: int) -> int:
                    ended[at] = await enroller.enrol(
                        self.case, self.files[at], subject=self.subject, progress=partial(move, at)
                    )
                    return at

                results = in_order(enrol, range(len(self.files)), 2 * settings.engine_children)
                try:
                    async with aclosing(results):
                        async for at in results:
                            self._tell(ended.pop(at))
                            move(at, 1.0, 1.0, most=1.0)
                finally:
                    for at in sorted(ended):
                        self._tell(ended[at])

    def _tell(self, result: "Enrolment") -> None:
        self.missed |= result.reference is None
        outcome = f"{result.outcome} {result.reference or ''}".rstrip()
        words = ended_in_words(result.path, outcome, result.reason)
        say(asdict(result), words, as_json=self.as_json)


class _Move(Protocol):
    """Moves the bar by how far a file is, within a long medium, too."""

    def __call__(self, number: int, at: float, of: float, *, most: float = 0.99) -> None: ...


@contextmanager
def _bar(total: int) -> Iterator[_Move]:
    """Show a bar on standard error, on a terminal alone."""
    columns = (TextColumn("references"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    done = [0.0] * total
    with Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),  # else results would be drawn on standard error
    ) as progress:
        bar = progress.add_task("", total=total)

        def move(number: int, at: float, of: float, *, most: float = 0.99) -> None:
            done[number] = min(most, at / of) if of > 0 else 0.0
            progress.update(bar, completed=sum(done))

        yield move


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
    headings = ("reference", "kind", "subject", "spaces", "quarantine", "held")
    print_table(headings, map(_cells, rows))


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
        found = find_reference(register, name, reference)
        until = quarantine_by_hand(register, name, found, seconds)
    row = {"reference": found, "quarantined_until": iso(until)}
    say(row, f"{found} is in quarantine until {iso(until)}", as_json=as_json)


@reference_app.command("remove")
def remove_command(name: CaseName, reference: ReferenceName, *, as_json: AsJson = False) -> None:
    """Forget a reference and what it holds in quarantine; the tasks that it opened stay."""
    with opened_register() as register:
        gone = remove_reference(register, name, reference)
    say({"reference": gone, "removed": True}, f"{gone} is removed", as_json=as_json)


def _as_json(row: ReferenceRow) -> dict[str, Any]:
    times = ("added_at", "quarantined_at", "quarantined_until")
    return asdict(row) | {name: iso(getattr(row, name)) for name in times}


def _cells(row: ReferenceRow) -> tuple[str, ...]:
    spaces = ", ".join(row.spaces) or "-"
    held = str(row.held)
    return (row.reference, row.kind, row.subject or "-", spaces, _quarantine(row), held)


def _quarantine(row: ReferenceRow) -> str:
    if row.quarantine_reason is None:
        return "-"
    return f"{row.quarantine_reason} until {iso(row.quarantined_until)}"
