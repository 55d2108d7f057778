"""What the commands of this folder share: who calls, the register, how they print and read."""

import getpass
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import HEAVY_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.migrate import open_database
from monitors.register import CaseRegister
from streams.clock import SystemClock
from streams.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="JSON, one object a line.")]
CaseName = Annotated[str, typer.Argument(metavar="CASE", help="Identifier or alias.")]

Keyword = Annotated[str, typer.Argument(metavar="KEYWORD", help="Its identifier.")]
Words = Annotated[
    list[str],
    typer.Argument(metavar="WORD…", help="`-`: one a line of standard input, out of sight."),
]

CURES: Mapping[str, str] = {
    "decoder_crashed": "it broke the decoder, or took it too long: re-encode it",
    "low_detail": "nearly nothing to be seen or heard: give a clearer picture or recording",
    "media_too_large": "over 64 MiB, or too many pixels: re-encode it smaller, or cut it",
    "subject_unclear": "not exactly one face to be seen, or voice to be heard: cut it so",
    "undecodable_media": "no picture, video or recording, or a broken one: convert it",
    "unreadable_file": "it cannot be opened: make it readable to you",
}
"""What to do, by the reason for which a medium was not enrolled."""

_actor: list[str] = []  # `--actor` of this command line


def set_actor(actor: str | None) -> None:
    """Say who stands in the audit log: by default, who is logged in."""
    _actor[:] = [actor or login_name()]


@contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """Open the instance's database, and close it in the end."""
    database = open_database(settings)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def opened_register(settings: Settings | None = None) -> Iterator[CaseRegister]:
    """Open the register of cases, on behalf of `set_actor`'s."""
    settings = settings or Settings()
    with opened_database(settings) as database:
        keystore = KeyStore(settings.keys_dir)
        register = CaseRegister(database, keystore, SystemClock(), actor=_actor[0])
        register.finish_withdrawals()
        yield register


def say(row: dict[str, Any], words: str, *, as_json: bool) -> None:
    """Print a result: as JSON, or in words."""
    if as_json:
        print_json(row)
    else:
        typer.echo(printable(words))


def read_words(words: list[str]) -> list[str]:
    """Read words that `ps` and the shell's history shall not show: a keyword may be a name.

    Args:
        words: as given; `-` alone stands for the lines of standard input.
    """
    if words != ["-"]:
        return words
    return [word for line in sys.stdin.read().splitlines() if (word := line.strip())]


def require_files(paths: Sequence[Path]) -> None:
    """Refuse a command before any of its work where a path is missing or a folder.

    Raises:
        BadParameter: naming the first such path.
    """
    for path in paths:
        if path.is_dir():
            raise typer.BadParameter(printable(f"{path} is a folder: name the files in it"))
        if not os.path.lexists(path):
            raise typer.BadParameter(printable(f"no such file: {path}"))


def ended_in_words(path: str, outcome: str, reason: str | None) -> str:
    """Say how a medium ended and, where it has a reason, what to do about it."""
    if reason is None:
        return f"{path}: {outcome}"
    return f"{path}: {outcome} {reason}" + (f": {CURES[reason]}" if reason in CURES else "")


def printable(text: str) -> str:
    """Replace whatever could steer a terminal: a file's name is its uploader's choice."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def print_json(row: dict[str, Any]) -> None:
    """Print one object on one line."""
    typer.echo(json.dumps(row))


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    first_width: int = 32,
    console: Console | None = None,
) -> None:
    """Print a table: folded on a terminal; elsewhere a line a row, tabs between. Nothing is cut.

    Args:
        headings: "" for each column: neither a heading nor a frame.
        rows: of as many cells.
        first_width: characters of the first column that the others make room for.
        console: default: standard output.
    """
    console = console or Console()
    cells = [
        [one if isinstance(one, Text) else Text(printable(one)) for one in row] for row in rows
    ]
    is_framed = any(headings)
    if not console.is_terminal:
        plain = [[one.plain for one in row] for row in cells]
        for line in [list(headings), *plain] if is_framed else plain:
            typer.echo("\t".join(line), file=console.file)
        return
    columns = [Column(heading, overflow="fold") for heading in headings]
    named = [[Text(heading) for heading in headings], *cells]
    longest = [max(one.cell_len for one in column) for column in zip(*named, strict=True)]
    if sum(longest) + 3 * len(longest) > console.width >= 2 * first_width:
        columns[0].width = min(first_width, longest[0])  # a minimum is not kept by all the rest
    table = Table(*columns, show_header=is_framed, box=HEAVY_HEAD if is_framed else None)
    for row in cells:
        table.add_row(*row)
    console.print(table, crop=False)


def iso(moment: datetime | None) -> str | None:
    """Write a time."""
    return None if moment is None else moment.isoformat()


def login_name() -> str:
    """Say who is logged in: who acts, where nobody says otherwise."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"
