"""`agents.benchmarks.images_report`."""

import json

from rich.console import Console

from agents.benchmarks.images import Evidence, score
from agents.benchmarks.images_report import print_report, to_json
from alerts.calibration import shipped_calibration


def test_the_tables_name_every_edit(evidence: Evidence) -> None:
    console = Console(record=True, width=160)
    print_report(evidence, score(evidence, shipped_calibration()), console)
    text = console.export_text()
    assert "haechi" in text
    assert "jpeg15" in text


def test_the_json_holds_no_path_and_every_method(evidence: Evidence) -> None:
    calibration = shipped_calibration()
    found = to_json(evidence, score(evidence, calibration), calibration)
    assert json.loads(json.dumps(found))["copies"] == 16
    assert found["unrelated"] == 24
    assert str(evidence.images.folder.parent) not in json.dumps(found)
    assert len(found["methods"]) == 6
