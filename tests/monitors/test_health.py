"""`monitors.health`."""

import dataclasses

import pytest

from monitors.health import Limits, Progress, Vitals, reasons_not_ready
from tests.fakes import FakeClock

LIMITS = Limits(stuck_seconds=120, gallery_stale_seconds=30)
WELL = Vitals(started=True, work_waits=False, database=True, gallery_age_seconds=1.0, children=True)


def test_a_worker_that_is_well_is_ready(clock: FakeClock) -> None:
    assert reasons_not_ready([Progress(clock)], WELL, LIMITS) == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"started": False}, "starting"),
        ({"database": False}, "database"),
        ({"children": False}, "children"),
        ({"gallery_age_seconds": 31.0}, "gallery_stale"),
        ({"gallery_age_seconds": None}, "gallery_stale"),
    ],
)
def test_each_fault_is_named(clock: FakeClock, change: dict[str, object], reason: str) -> None:
    vitals = dataclasses.replace(WELL, **change)  # type: ignore[arg-type]
    assert reasons_not_ready([Progress(clock)], vitals, LIMITS) == (reason,)


def test_an_agent_that_hangs_in_a_batch_is_stuck_though_others_run(clock: FakeClock) -> None:
    hanging, running = Progress(clock), Progress(clock)
    with hanging.busy():
        clock.advance(119)
        assert reasons_not_ready([hanging, running], WELL, LIMITS) == ()
        clock.advance(2)
        with running.busy():
            pass
        assert reasons_not_ready([hanging, running], WELL, LIMITS) == ("stuck",)
        hanging.advanced()
        assert reasons_not_ready([hanging, running], WELL, LIMITS) == ()


def test_sleeping_agents_are_stuck_only_while_work_waits(clock: FakeClock) -> None:
    agents = [Progress(clock), Progress(clock)]
    clock.advance(121)
    assert reasons_not_ready(agents, WELL, LIMITS) == ()
    waiting = dataclasses.replace(WELL, work_waits=True)
    assert reasons_not_ready(agents, waiting, LIMITS) == ("stuck",)
    with agents[1].busy():
        pass
    assert reasons_not_ready(agents, waiting, LIMITS) == ()


def test_a_flood_is_named(clock: FakeClock) -> None:
    progress = Progress(clock)
    progress.flooded = True
    assert reasons_not_ready([progress], WELL, LIMITS) == ("flood",)
