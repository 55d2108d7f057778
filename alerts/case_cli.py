"""`haechi case`, and what of it opens tasks: `reference release`."""

from typing import Annotated

import typer

from alerts.channels.webhook import load_endpoints
from alerts.held import release
from alerts.tasks import Desk
from monitors.cli import case_app
from monitors.command_line import AsJson, CaseName, opened_register, say
from monitors.enrolled import find_reference
from monitors.quarantine import QuarantineLimits
from monitors.reference_cli import ReferenceName, reference_app
from streams.settings import Settings

__all__ = ["case_app"]


@reference_app.command("release")
def release_command(
    name: CaseName,
    reference: ReferenceName,
    *,
    discard: Annotated[
        bool, typer.Option("--discard", help="They are no matches: open no task for them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """End a reference's quarantine, and open the tasks of what it held meanwhile."""
    settings = Settings()
    with opened_register(settings) as register:
        desk = Desk(
            database=register.database,
            endpoints=len(load_endpoints(settings)),
            console_link=settings.console_link,
            limits=QuarantineLimits.from_settings(settings),
        )
        found = find_reference(register, name, reference)
        released = release(desk, register, name, found, discarded=discard)
    opened = len({one.task for one in released.opened if one.new})
    row = {
        "reference": found,
        "sightings": released.sightings,
        "discarded": discard,
        "tasks_opened": opened,
    }
    done = "discarded" if discard else f"released, {opened} tasks opened"
    say(row, f"{found}: {released.sightings} sightings {done}", as_json=as_json)
