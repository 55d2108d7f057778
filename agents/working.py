"""Run a worker's Faust app in this process's main thread."""

import asyncio

import faust

from agents.worker import Pipeline


def run(pipeline: Pipeline) -> None:
    """Run until SIGTERM or SIGINT, or until something fails for good; then return."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = faust.Worker(
        pipeline.app,
        loop=loop,
        quiet=True,
        override_logging=False,  # ours cut out what must not be logged
        redirect_stdouts=False,
    )
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        if ended.code and pipeline.failure is None:
            raise
