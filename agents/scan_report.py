"""What `haechi scan` prints: one JSON object a file, or a table of what was sighted."""

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from monitors.command_line import print_table, printable
from streams.types import CaseId, Decision, Looked, Match, Outcome

HEADINGS = ("case", "reference", "confidence", "decision", "evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """How one file ended.

    Args:
        path: as given, or below the folder that was given.
        outcome: `sighted`, `clear`, `unreadable` or `refused`.
        reason: snake_case; None for `sighted` and `clear`.
        matches: best first; those that somebody shall see, or the best candidate where asked for.
        looked: at what of the file; None where it could not be looked at.
    """

    path: str
    outcome: Outcome
    reason: str | None = None
    matches: tuple[Match, ...] = ()
    looked: Looked | None = None


class Report(Protocol):
    """Where results go, in the order of the files."""

    def add(self, result: FileResult) -> None:
        """Take one file's result."""
        ...

    def end(self, stopped_of: int | None = None) -> None:
        """Say what there is to say once no more files end.

        Args:
            stopped_of: how many files there were, where not all of them were looked at.
        """
        ...


class JsonReport:
    """One object a line on standard output, as soon as it is known; nothing else."""

    def add(self, result: FileResult) -> None:
        typer.echo(to_json(result))

    def end(self, stopped_of: int | None = None) -> None:  # noqa: ARG002 - the table's
        return


class TableReport:
    """The files that show something, those that were not looked at, and how many ended how.

    Args:
        aliases: of the cases, to be shown instead of their identifiers.
        console: default: standard output.
    """

    def __init__(
        self,
        aliases: Mapping[CaseId, str] = MappingProxyType({}),
        console: Console | None = None,
    ) -> None:
        self._aliases = aliases
        self._console = console or Console()
        self._shown: list[tuple[str, Match]] = []
        self._counts: Counter[str] = Counter()
        self._unseen: list[str] = []

    def add(self, result: FileResult) -> None:
        self._counts[
            f"{result.outcome} ({result.reason})" if result.reason else result.outcome
        ] += 1
        if result.reason is not None:
            self._unseen.append(f"{result.path}: {result.outcome} ({result.reason})")
        self._shown += [(result.path, match) for match in result.matches]

    def end(self, stopped_of: int | None = None) -> None:
        if self._shown:
            print_table(
                ("file", *HEADINGS),
                [self._row(path, match) for path, match in self._shown],
                first_width=24,
                console=self._console,
            )
        if self._unseen:
            self._say("not looked at, or in part alone:")
        for line in self._unseen:
            self._say(f"  {printable(line)}")
        number = sum(self._counts.values())
        if stopped_of is not None:
            self._say(f"stopped after {number} of {_files(stopped_of)}")
        ends = ", ".join(f"{count} {outcome}" for outcome, count in self._counts.most_common())
        self._say(f"{_files(number)}: {ends}" if ends else "no files")

    def _say(self, line: str) -> None:
        typer.echo(line, file=self._console.file)

    def _row(self, path: str, match: Match) -> tuple[str | Text, ...]:
        colour = {Decision.ALERT: "red", Decision.REVIEW: "yellow", Decision.NONE: "dim"}
        evidence = ", ".join(f"{one.modality} {one.similarity:.2f}" for one in match.evidence)
        is_short = self._console.is_terminal
        return (
            path,
            self._aliases.get(match.case, match.case),
            match.reference[:8] if is_short else match.reference,
            f"{match.confidence:.3f}",
            Text(match.decision, style=colour[match.decision]),
            evidence,
        )


def to_json(result: FileResult) -> str:
    """Write the object that `haechi scan --json` prints; its keys are relied upon."""
    fields = {
        "path": result.path,
        "outcome": result.outcome,
        "reason": result.reason,
        "matches": [_match(match) for match in result.matches],
        "looked": None if result.looked is None else asdict(result.looked),
    }
    return json.dumps(fields)


def _files(number: int) -> str:
    return f"{number} file" if number == 1 else f"{number} files"


def _match(match: Match) -> dict[str, object]:
    evidence = [
        {
            "modality": one.modality,
            "similarity": one.similarity,
            "query_span_seconds": one.query_span_seconds,
            "reference_span_seconds": one.reference_span_seconds,
        }
        for one in match.evidence
    ]
    return {
        "case": match.case,
        "reference": match.reference,
        "confidence": match.confidence,
        "decision": match.decision,
        "evidence": evidence,
    }


def warn(message: str) -> None:
    """Say something beside the results."""
    typer.echo(f"haechi scan: {printable(message)}", err=True)


@contextlib.contextmanager
def progress_over(files: Callable[[], Iterable[Path]]) -> Iterator[Callable[[], None]]:
    """Show a bar on standard error, on a terminal alone; yield what moves it by one file.

    Args:
        files: counted beforehand where the bar is shown.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    columns = (TextColumn("scan"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # else results would be drawn on standard error
    ) as progress:
        task = progress.add_task("scan", total=sum(1 for _ in files()))
        yield lambda: progress.advance(task)
