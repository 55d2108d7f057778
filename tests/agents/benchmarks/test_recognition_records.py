"""`agents.benchmarks.recognition_records`."""

import json

from agents.benchmarks.recognition_records import from_record, to_record
from agents.examined import Examined
from agents.steps.findings import Findings
from streams.types import Looked, MediaKind
from tests.agents.benchmarks.findings import a_film, a_sound, a_still


def test_findings_come_back_as_they_were() -> None:
    findings = Findings(space="s")
    findings.stills[0] = a_still(0, 0.7, points=12)
    findings.films[1] = a_film(0.8, frames=9, points=30)
    findings.sounds[1] = a_sound(0.6)
    looked = Looked(kind=MediaKind.VIDEO, seconds=9.0, until_seconds=9.0, frames=9)
    examined = Examined(matches=[], looked=looked, findings=findings)
    record = json.loads(json.dumps(to_record(examined, ["a", "b"], {1: 0.9})))
    seen = from_record(record, {"a": 0, "b": 1})
    assert seen.findings.stills == findings.stills
    assert seen.findings.films == findings.films
    assert seen.findings.sounds == findings.sounds
    assert seen.nearest == {1: 0.9}
    assert (seen.seconds, seen.error) == (9.0, None)


def test_a_post_that_could_not_be_looked_at_says_why() -> None:
    seen = from_record({"error": "undecodable_media"}, {})
    assert seen.error == "undecodable_media"
    assert seen.findings.ordinals == []
