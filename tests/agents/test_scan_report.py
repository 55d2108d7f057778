"""`agents.scan_report`."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from agents.scan_report import FileResult, JsonReport, TableReport, progress_over, to_json, warn
from streams.types import (
    CaseId,
    ContentId,
    Decision,
    Evidence,
    Looked,
    Match,
    MediaKind,
    Modality,
    Outcome,
    ReferenceId,
)

MATCH = Match(
    case=CaseId("c" * 32),
    reference=ReferenceId("r" * 32),
    content=ContentId("k" * 32),
    confidence=0.9999999999999991,
    decision=Decision.ALERT,
    evidence=(Evidence(modality=Modality.FRAME, similarity=0.81, space="toy/1"),),
)
SIGHTED = FileResult(path="a.jpg", outcome=Outcome.SIGHTED, matches=(MATCH,))
REFUSED = FileResult(path="[b].jpg", outcome=Outcome.REFUSED, reason="media_too_large")


def test_an_object_has_exactly_the_keys_of_the_contract() -> None:
    found = json.loads(to_json(SIGHTED))
    assert list(found) == ["path", "outcome", "reason", "matches", "looked"]
    assert found["matches"] == [
        {
            "case": "c" * 32,
            "reference": "r" * 32,
            "confidence": 0.9999999999999991,
            "decision": "alert",
            "evidence": [
                {
                    "modality": "frame",
                    "similarity": 0.81,
                    "query_span_seconds": None,
                    "reference_span_seconds": None,
                }
            ],
        }
    ]


def test_what_was_looked_at_is_told_and_nothing_where_nothing_was() -> None:
    looked = Looked(
        kind=MediaKind.VIDEO,
        seconds=12.5,
        until_seconds=12,
        frames=25,
        skipped=("speech:no_time",),
    )
    result = FileResult(path="v.mp4", outcome=Outcome.CLEAR, reason="partly_looked", looked=looked)
    assert json.loads(to_json(result))["looked"] == {
        "kind": "video",
        "seconds": 12.5,
        "until_seconds": 12,
        "frames": 25,
        "skipped": ["speech:no_time"],
        "nudity": None,
    }
    assert json.loads(to_json(REFUSED))["looked"] is None


def test_json_is_one_object_a_line_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    report = JsonReport()
    report.add(SIGHTED)
    report.add(REFUSED)
    report.end()
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["sighted", "refused"]


def test_the_table_names_what_was_sighted_and_counts_every_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = TableReport()
    for result in (SIGHTED, REFUSED, REFUSED):
        report.add(result)
    report.end()
    shown = capsys.readouterr().out
    assert "a.jpg" in shown
    assert "alert" in shown
    assert "3 files: 2 refused (media_too_large), 1 sighted" in shown


def test_a_name_that_would_steer_the_terminal_is_shown_without_its_orders(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hostile = "\x1b[2J\x9b31m\u202e.jpg"
    for report in (JsonReport(), TableReport()):
        report.add(FileResult(path=hostile, outcome=Outcome.SIGHTED, matches=(MATCH,)))
        report.end()
    warn(f"cannot list {hostile}")
    shown = capsys.readouterr()
    assert json.loads(shown.out.splitlines()[0])["path"] == hostile
    assert "\ufffd[2J\ufffd31m\ufffd.jpg" in shown.out.replace("\n", "")
    assert not set("\x1b\x9b\u202e") & set(shown.out + shown.err)


def test_a_case_is_shown_by_its_alias(capsys: pytest.CaptureFixture[str]) -> None:
    report = TableReport({MATCH.case: "maple-7"})
    report.add(SIGHTED)
    report.end()
    shown = capsys.readouterr().out
    assert "maple-7" in shown
    assert "cccc" not in shown


def test_one_file_is_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    report = TableReport()
    report.add(SIGHTED)
    report.end()
    assert "1 file: 1 sighted" in capsys.readouterr().out


def test_what_was_not_looked_at_or_in_part_alone_is_named_with_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = TableReport()
    long = "/".join(f"folder{i}" for i in range(40))
    part = FileResult(path=long, outcome=Outcome.CLEAR, reason="partly_looked")
    for result in (SIGHTED, REFUSED, part, FileResult(path="fine", outcome=Outcome.CLEAR)):
        report.add(result)
    report.end()
    lines = capsys.readouterr().out.splitlines()
    assert "  [b].jpg: refused (media_too_large)" in lines
    assert f"  {long}: clear (partly_looked)" in lines
    assert not [line for line in lines if "fine" in line]


def test_a_scan_that_was_stopped_says_after_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    report = TableReport()
    report.add(SIGHTED)
    report.add(REFUSED)
    report.end(stopped_of=7)
    shown = capsys.readouterr().out
    assert "a.jpg" in shown
    assert "stopped after 2 of 7 files" in shown


def test_no_files_are_said_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    TableReport().end()
    assert capsys.readouterr().out.strip() == "no files"


def test_without_a_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_over(lambda: [Path("a"), Path("b")]) as advance:
        advance()
    assert capsys.readouterr().err == ""


def test_a_long_path_is_folded_not_cut() -> None:
    shown = io.StringIO()
    report = TableReport(console=Console(file=shown, force_terminal=True, width=80))
    path = "/".join(f"folder{i}" for i in range(12))
    report.add(FileResult(path=path, outcome=Outcome.SIGHTED, matches=(MATCH,)))
    report.end()
    rows = [line.split("│") for line in shown.getvalue().splitlines() if "│" in line]
    assert "".join(row[1].strip() for row in rows) == path


def test_in_a_pipe_a_row_is_one_line_and_nothing_is_cut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = TableReport({MATCH.case: "maple-7"})
    path = "/".join(f"folder {i}" for i in range(12))
    report.add(FileResult(path=path, outcome=Outcome.SIGHTED, matches=(MATCH,)))
    report.end()
    row = (path, "maple-7", MATCH.reference, "1.000", "alert", "frame 0.81")
    assert "\t".join(row) in capsys.readouterr().out.splitlines()
