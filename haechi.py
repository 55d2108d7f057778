"""The `haechi` command: mounts each folder's commands, loaded when they are called.

What was raised on purpose ends as one line on standard error; anything else is a bug and shows
its traceback.
"""

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from gpu_kernels.errors import KernelError
from streams.errors import StreamError

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # noqa: TID251 - before NumPy is imported
# Media are worked on side by side: threads of one product that wait for each other's cores spin.

EXIT_FAILED, EXIT_UNUSABLE, EXIT_INTERRUPTED = 1, 2, 130


@dataclass(frozen=True, slots=True)
class Mounted:
    """Where a command stands, and what `--help` says of it before it is loaded."""

    module: str
    attribute: str
    summary: str


COMMANDS: Mapping[str, Mounted] = {
    "up": Mounted("agents.cli", "up", "Broker, collector, workers and console of one machine."),
    "models": Mounted("gpu_kernels.cli", "build_cli", "Model weights: list them, pull them."),
    "case": Mounted("agents.case_cli", "case_app", "Cases: open, show, end; keywords, references."),
    "scan": Mounted("agents.scanning", "scan", "Files and folders against every active case."),
    "search": Mounted("agents.search_cli", "search", "Every source and all that was seen."),
    "task": Mounted("alerts.cli", "task_app", "Takedown tasks."),
    "outbox": Mounted("alerts.cli", "outbox_app", "Events and their deliveries."),
    "source": Mounted("agents.source_cli", "source_app", "Sources: freshness, gaps; try one."),
    "user": Mounted("dashboards.console.cli", "user_app", "Who may log in to the console."),
    "audit": Mounted("monitors.cli", "audit_app", "The chained log of who did what."),
    "db": Mounted("monitors.cli", "db_app", "The database and its migrations."),
    "doctor": Mounted("agents.doctor", "doctor", "What is missing on this machine; the cure."),
    "bench": Mounted("agents.benchmarks.cli", "bench_app", "Benchmarks, as ratios of one run."),
    "collector": Mounted("agents.cli", "collector", "One process: sources and push endpoint."),
    "worker": Mounted("agents.cli", "worker", "One process: the Faust agents."),
    "console": Mounted("dashboards.console.cli", "console", "One process: the officers' console."),
}
"""In the order of `haechi --help`."""


class LazyGroup(TyperGroup):
    """A group whose commands are imported when one of them is called, not for `--help`."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Name every command."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """Give a stand-in that knows its summary only."""
        mounted = COMMANDS.get(cmd_name)
        return mounted and TyperCommand(cmd_name, help=mounted.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Load the command that is called."""
        found: tuple[Any, Any, list[str]] = super().resolve_command(ctx, args)
        name, command, rest = found
        return (name, load_command(name) if name in COMMANDS else command, rest)


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Finds re-uploads of registered footage, and gets them taken down.",
)


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"haechi {version('haechi')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print it and end.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Finds re-uploads of registered footage, and gets them taken down."""


def load_command(name: str) -> Any:
    """Import a mounted command and build it."""
    mounted = COMMANDS[name]
    module = importlib.import_module(mounted.module)
    found = build_models() if name == "models" else getattr(module, mounted.attribute)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        single.command(name)(found)
        found = single
    command: Any = typer.main.get_command(found)
    command.name = name
    return command


def build_models() -> typer.Typer:
    """Build the `models` group: its folder knows no settings."""
    from gpu_kernels.cli import build_cli
    from streams.settings import Settings

    return build_cli(lambda: Settings().models)


def main() -> None:
    """Run the command line; its logs go to standard error."""
    from monitors.logs import configure

    configure("warning", process="cli")
    try:
        app(prog_name="haechi")
    except (StreamError, KernelError) as error:
        _end(str(error) or error.reason, EXIT_FAILED)
    except ValueError as error:
        message = _settings_problem(error)
        if message is None:
            raise
        _end(message, EXIT_UNUSABLE)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _end(message: str, status: int) -> None:
    from monitors.command_line import printable

    typer.echo(f"haechi: {printable(' '.join(message.split()))}", err=True)
    sys.exit(status)


def _settings_problem(error: ValueError) -> str | None:
    """Name the settings that are wrong, without their values; None for any other error."""
    from tomllib import TOMLDecodeError

    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    if isinstance(error, ValidationError) and error.title == "Settings":
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(
            f"setting HAECHI_{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}"
            for one in found
        )
    if isinstance(error, SettingsError | TOMLDecodeError):
        return f"the settings cannot be read: {error}"
    return None


if __name__ == "__main__":
    main()
