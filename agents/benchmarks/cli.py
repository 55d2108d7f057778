"""`haechi bench …`: figures as ratios within one run."""

import json
from pathlib import Path
from typing import Annotated

import typer

bench_app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Benchmarks, as ratios within one run."
)


@bench_app.callback()
def root() -> None:
    """Benchmarks, as ratios within one run."""


@bench_app.command()
def throughput(
    *,
    images: Annotated[int, typer.Option(min=50, help="Posts of one picture each.")] = 400,
    folder: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="JPEG files to use; else drawn ones."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Images a second: the whole pipeline against decode and engine alone."""
    from agents.benchmarks.throughput import measure
    from streams.settings import Settings

    found = measure(Settings(), images, folder, lambda words: typer.echo(words, err=True))
    if as_json:
        typer.echo(json.dumps(found.to_json()))
        return
    typer.echo(f"images             {found.images}")
    typer.echo(f"views an image     {found.views_per_image:.2f}")
    typer.echo(f"decode + engine    {found.bare:.1f} images/s")
    typer.echo(f"whole pipeline     {found.pipeline:.1f} images/s")
    typer.echo(f"ratio              {found.ratio:.2f}")
    typer.echo(f"outcomes           {found.outcomes}")


@bench_app.command()
def images(
    folder: Annotated[
        Path, typer.Option("--set", exists=True, file_okay=False, help="A built image set.")
    ],
    *,
    hard: Annotated[
        Path | None,
        typer.Option("--hard-set", exists=True, file_okay=False, help="The same, harder edits."),
    ] = None,
    same_content: Annotated[
        Path | None,
        typer.Option(exists=True, help="same_content.json; default: the one in the set."),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Keeps fingerprints; default: beside the models."),
    ] = None,
    fit: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Fit a calibration, write it here and use it."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a set.")] = False,
) -> None:
    """Recall of edited copies and false alarms: PDQ, SSCD on the whole frame, Haechi."""
    from agents.benchmarks.images_run import Options, run

    run(
        [folder, *([hard] if hard else [])],
        Options(same_content=same_content, cache=cache, fit=fit, jobs=jobs, as_json=as_json),
    )
