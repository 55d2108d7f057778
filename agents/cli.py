"""`haechi up`, `worker` and `collector`."""

import asyncio
import sys
from typing import Annotated

import typer

from monitors.logs import configure
from streams.clock import SystemClock
from streams.settings import Settings

EXIT_CONFIGURATION = 78
"""BSD's EX_CONFIG: starting it again would not help, so the launcher gives up and says why."""


def up(
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Worker processes; default: the settings'.")
    ] = None,
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="Play a local stream of harmless pictures instead.")
    ] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the demo's stream.")] = None,
) -> None:
    """Run broker, collector, workers and console of one machine, until Ctrl-C."""
    from agents.launching import launch

    settings = Settings()
    configure(settings.log_level, process="launcher")
    if workers is not None:
        settings = settings.model_copy(update={"workers": workers})
    if demo:
        from agents.demo.running import run_demo

        sys.exit(run_demo(settings, seed=seed))
    if seed is not None:
        raise typer.BadParameter("--seed is of the demo: add --demo")
    sys.exit(launch(settings, say=typer.echo))


def worker(
    index: Annotated[int, typer.Option(min=0, help="Which of the machine's workers.")] = 0,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Of metrics and health.")
    ] = None,
) -> None:
    """Run one process of Faust agents."""
    from agents.worker import build
    from agents.working import run

    settings = Settings()
    configure(settings.log_level, process=f"worker-{index}")
    chosen = settings.worker_port + index if port is None and settings.worker_port else port
    pipeline = build(settings, port=chosen)
    run(pipeline)
    if pipeline.failure is not None:
        _fail(pipeline.failure)


def collector() -> None:
    """Run one process of sources and push endpoint."""
    from agents.collecting import run
    from streams.errors import ConfigurationError

    settings = Settings()
    configure(settings.log_level, process="collector")
    try:
        asyncio.run(run(settings, SystemClock()))
    except ConfigurationError as error:
        _fail(error)


def _fail(error: Exception) -> None:
    from streams.errors import ConfigurationError, StreamError

    reason = error.reason if isinstance(error, StreamError) else type(error).__name__
    typer.echo(f"haechi: {' '.join((str(error) or reason).split())}", err=True)
    sys.exit(EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else 1)
