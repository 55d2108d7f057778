"""`agents.cli`."""

import pytest
import typer

from agents.cli import EXIT_CONFIGURATION, up
from agents.launching import EXIT_CONFIGURATION as LAUNCHERS


def test_the_launcher_knows_the_status_that_says_not_to_try_again() -> None:
    assert EXIT_CONFIGURATION == LAUNCHERS


def test_a_seed_without_the_demo_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="--demo"):
        up(seed=1)
