"""`agents.steps.findings`."""

from agents.steps.findings import Findings
from tests.agents.benchmarks.findings import a_film, a_sound, a_still


def test_every_reference_that_anything_speaks_for_is_named_once_in_order() -> None:
    findings = Findings(space="s")
    findings.stills[4] = a_still(4, 0.5)
    findings.films[1] = a_film(0.5, frames=3, points=0)
    findings.sounds[4] = a_sound(0.5)
    findings.sounds[0] = a_sound(0.5)
    assert findings.ordinals == [0, 1, 4]


def test_nothing_found_names_nobody() -> None:
    assert Findings(space="s").ordinals == []
