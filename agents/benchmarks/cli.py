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
def recognition(
    folder: Annotated[
        Path, typer.Option("--set", exists=True, file_okay=False, help="A built set.")
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
    only: Annotated[
        str, typer.Option(help="Of image, video, audio: which, with commas between.")
    ] = "image,video,audio",
    sample: Annotated[
        int | None, typer.Option(min=10, help="So many copies and unrelated posts of each kind.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Keeps what was found; default: beside the models."),
    ] = None,
    fit: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Fit a calibration, write it here and use it."),
    ] = None,
    peers: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="The evaluation kit: its peers, too."),
    ] = None,
    peers_python: Annotated[
        Path | None,
        typer.Option(help="Runs them; without it, what an earlier run left in the set is read."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Engine processes.")] = 2,
    together: Annotated[
        bool,
        typer.Option("--together", help="Every post among the references of all kinds, besides."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a set.")] = False,
) -> None:
    """Recall of edited copies and false alarms, beside the peers; and fit the calibration."""
    from agents.benchmarks.recognition_run import Options, run

    run(
        [folder, *([hard] if hard else [])],
        Options(
            same_content=same_content,
            only=tuple(only.split(",")),
            sample=sample,
            cache=cache,
            fit=fit,
            peers=peers,
            peers_python=peers_python,
            jobs=jobs,
            together=together,
            as_json=as_json,
        ),
    )


@bench_app.command()
def hostile(
    *,
    files: Annotated[int, typer.Option(min=10, help="Mutated files.")] = 2000,
    seed: Annotated[int, typer.Option(help="Draws others.")] = 0,
    also: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Every file below this folder, too."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Break good media on purpose and count what becomes of them; fails where one hangs."""
    from agents.benchmarks.hostile import run_hostile

    report = run_hostile(files, seed=seed, also=also)
    typer.echo(json.dumps(report.to_json(), indent=None if as_json else 2))
    raise typer.Exit(report.exit_status)


@bench_app.command()
def gallery(
    *,
    vectors: Annotated[int, typer.Option(min=1000, help="References' views.")] = 1_000_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Search among very many references: time and memory, against FAISS called bare."""
    from agents.benchmarks.large_gallery import measure_large_gallery

    found = measure_large_gallery(vectors, progress=lambda words: typer.echo(words, err=True))
    typer.echo(json.dumps(found.to_json(), indent=None if as_json else 2))


@bench_app.command()
def speed(
    *,
    jobs: Annotated[int, typer.Option(min=1, help="Engine and decoder processes.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Scan a minute of 720p, with and without speech, beside decoding alone."""
    from agents.benchmarks.speed import measure_speed
    from streams.settings import Settings

    found = measure_speed(Settings(), jobs, lambda words: typer.echo(words, err=True))
    typer.echo(json.dumps(found.to_json(), indent=None if as_json else 2))


@bench_app.command()
def triage(
    *,
    text: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Ordinary text; may be given repeatedly."),
    ] = None,
    cases: Annotated[int, typer.Option(min=1, help="Of twenty keywords each.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Posts a second against all keywords, beside RapidFuzz alone; disguised keywords found."""
    from agents.benchmarks.triage import measure_triage

    found = measure_triage(cases, text or [], lambda words: typer.echo(words, err=True))
    typer.echo(json.dumps(found.to_json(), indent=None if as_json else 2))


@bench_app.command()
def search(
    *,
    posts: Annotated[
        list[int] | None, typer.Option(min=1, help="Remembered; may be given repeatedly.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, max=100, help="Cases, one after the other.")] = 5,
    each: Annotated[int, typer.Option(min=2, max=200, help="Planted copies of each.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a size.")] = False,
) -> None:
    """A new reference and keyword, until everything planted in what was seen is listed."""
    from agents.benchmarks.search import measure
    from streams.settings import Settings

    for size in posts or [100_000]:
        found = measure(Settings(), size, runs, each, lambda words: typer.echo(words, err=True))
        typer.echo(json.dumps(found.to_json(), indent=None if as_json else 2))


@bench_app.command()
def lookback(
    *,
    sizes: Annotated[
        str, typer.Option(help="Numbers of fingerprints, with commas between.")
    ] = "10000,100000,1000000",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a size.")] = False,
) -> None:
    """Search what was seen, by how much of it is kept, beside a product in memory."""
    from agents.benchmarks.lookback import PLANTED, measure_lookback

    parts = sizes.split(",")
    if not all(one.isdecimal() and int(one) > PLANTED for one in parts):
        raise typer.BadParameter(f"numbers above {PLANTED}, with commas between")
    wanted = [int(one) for one in parts]
    for found in measure_lookback(wanted, progress=lambda words: typer.echo(words, err=True)):
        typer.echo(json.dumps(found.to_json(), indent=None if as_json else 2))
