"""What the commands of this folder share: who calls, the register, how they print and read."""

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import typer

from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.migrate import open_database
from monitors.register import CaseRegister
from streams.clock import SystemClock
from streams.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="JSON, one object a line.")]
CaseName = Annotated[str, typer.Argument(metavar="CASE", help="Identifier or alias.")]

_actor: list[str] = []  # `--actor` of this command line


def set_actor(actor: str | None) -> None:
    """Say who stands in the audit log: by default, who is logged in."""
    _actor[:] = [actor or _login_name()]


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


def printable(text: str) -> str:
    """Replace whatever could steer a terminal: a file's name is its uploader's choice."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def print_json(row: dict[str, Any]) -> None:
    """Print one object on one line."""
    typer.echo(json.dumps(row))


def iso(moment: datetime | None) -> str | None:
    """Write a time."""
    return None if moment is None else moment.isoformat()


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"
