"""Wire `haechi bench images`: settings, model, progress, output."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.benchmarks.image_set import load_image_set
from agents.benchmarks.images import Evidence, fit_half, gather, score
from agents.benchmarks.images_report import print_report, to_json
from alerts.calibration import load_calibration, save_calibration, shipped_calibration
from gpu_kernels.errors import ModelError as KernelModelError
from gpu_kernels.models import DEFAULT_MODEL, MODELS, LocatedModel, locate
from streams.errors import ModelError
from streams.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command was given.

    Args:
        same_content: see `load_image_set`.
        cache: folder of kept fingerprints; None takes one beside the models.
        fit: where to write a new calibration, fitted on the first set; None uses the shipped one.
        jobs: worker processes.
        as_json: one object a set on standard output.
    """

    same_content: Path | None
    cache: Path | None
    fit: Path | None
    jobs: int
    as_json: bool


def run(folders: Sequence[Path], options: Options) -> None:
    """Score every set with one calibration.

    Raises:
        ConfigurationError: no such set.
        ModelError: the model is missing or altered.
    """
    settings = Settings()
    located = _located(settings)
    calibration = None if options.fit else shipped_calibration()
    for folder in folders:
        evidence = _gather(folder, located, settings, options)
        if calibration is None and options.fit:
            fitted, fitted_on = fit_half(evidence)
            space = f"{located.model.name}/{located.model.version}/{settings.engine}/f32"
            save_calibration(fitted, options.fit, fitted_on=fitted_on | {"space": space})
            calibration = load_calibration(options.fit)
        rows = score(evidence, calibration or shipped_calibration())
        if options.as_json:
            shown = to_json(evidence, rows, calibration or shipped_calibration())
            typer.echo(json.dumps(shown))
        else:
            print_report(evidence, rows, Console())


def _located(settings: Settings) -> LocatedModel:
    try:
        return locate(MODELS[DEFAULT_MODEL], settings.models, settings.sscd_file)
    except KernelModelError as error:
        raise ModelError(str(error)) from error


def _gather(folder: Path, located: LocatedModel, settings: Settings, options: Options) -> Evidence:
    images = load_image_set(folder, options.same_content)
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"looking at {folder.name}", total=None)
        return gather(
            images,
            located,
            settings.engine,
            cache=options.cache or settings.models.parent / "bench",
            jobs=options.jobs,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
