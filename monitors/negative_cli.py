"""`haechi case negative`: what was wrongly taken for a case's footage."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from monitors.command_line import (
    AsJson,
    ended_in_words,
    iso,
    opened_register,
    print_json,
    print_table,
    say,
)
from monitors.negatives import (
    REJECTED,
    Features,
    NegativeRow,
    add_negative,
    list_negatives,
    remove_negative,
)
from monitors.register import CaseRegister
from streams.errors import MediaError, MediaRefusedError
from streams.media.decoder import MAX_BODY_BYTES
from streams.media.files import read_file
from streams.settings import Settings
from streams.types import CaseId

EVERY_CASE = "-"
"""Stands for no case in particular: the bank that counts for all."""

BankName = Annotated[
    str, typer.Argument(metavar="CASE", help="Identifier or alias; `-`: for all cases.")
]
Extract: TypeAlias = Callable[[bytes], Awaitable[Features]]
"""A medium's bytes in, its fingerprints by space out; raises `MediaError`."""

negative_app = typer.Typer(
    help="What was wrongly taken for a case's footage.", no_args_is_help=True, add_completion=False
)


@asynccontextmanager
async def extracting(settings: Settings) -> AsyncIterator[Extract]:
    """Start what gives a medium's fingerprints."""
    from gpu_kernels.sound import SOUND_SPACE
    from gpu_kernels.wire import Task
    from monitors.deriving import derive
    from monitors.recognition import Recognition  # slow to import: NumPy, OpenCV

    async with Recognition.from_settings(settings) as recognition:

        async def extract(body: bytes) -> Features:
            derived = await derive(recognition, body, task=Task.QUERY)
            return {
                space: prints
                for space, prints in derived.features.items()
                if space in {recognition.space, SOUND_SPACE}
            }

        yield extract


@negative_app.command("add")
def add_command(
    name: BankName,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…")],
    *,
    reference: Annotated[
        str | None, typer.Option(help="Count for this reference of the case alone.")
    ] = None,
    reason: Annotated[str, typer.Option(help="A word; it stands in the list.")] = REJECTED,
    as_json: AsJson = False,
) -> None:
    """Derive what copies are told by, and keep that alone: never a face or a voice."""
    settings = Settings()
    with opened_register(settings) as register:
        case = _case(register, name)

        def add(found: Features) -> str:
            return add_negative(register, case, found, reference=reference, reason=reason)

        asyncio.run(_add_all(settings, add, files, as_json=as_json))


@negative_app.command("list")
def list_command(name: BankName, *, as_json: AsJson = False) -> None:
    """List a case's negatives, or those that count for all cases."""
    with opened_register() as register, register.database.read() as connection:
        rows = list_negatives(connection, _case(register, name))
    if as_json:
        for row in rows:
            print_json(_as_json(row))
        return
    print_table(("negative", "reference", "reason", "spaces", "by", "added"), map(_cells, rows))


@negative_app.command("remove")
def remove_command(
    name: BankName,
    negative: Annotated[str, typer.Argument(metavar="NEGATIVE", help="Its identifier.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Forget a negative: what it was told by may match again."""
    with opened_register() as register:
        remove_negative(register, _case(register, name), negative)
    say({"negative": negative, "removed": True}, f"{negative} is removed", as_json=as_json)


async def _add_all(
    settings: Settings, add: Callable[[Features], str], files: Sequence[Path], *, as_json: bool
) -> None:
    async with extracting(settings) as extract:
        for path in files:
            row = await _add(extract, add, path)
            words = ended_in_words(str(path), row["outcome"], row["reason"])
            say(row, words, as_json=as_json)


async def _add(extract: Extract, add: Callable[[Features], str], path: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"path": str(path), "negative": None, "outcome": "added", "reason": None}
    try:
        found = await extract(await asyncio.to_thread(read_file, path, MAX_BODY_BYTES))
        return row | {"negative": await asyncio.to_thread(add, found)}
    except MediaError as error:
        outcome = "refused" if isinstance(error, MediaRefusedError) else "unreadable"
        return row | {"outcome": outcome, "reason": error.reason}


def _case(register: CaseRegister, name: str) -> CaseId | None:
    return None if name == EVERY_CASE else register.find(name).id


def _cells(row: NegativeRow) -> tuple[str, ...]:
    spaces, added = ", ".join(row.spaces), str(iso(row.added_at))
    return (row.negative, row.reference or "-", row.reason, spaces, row.added_by, added)


def _as_json(row: NegativeRow) -> dict[str, Any]:
    return asdict(row) | {"added_at": iso(row.added_at)}
