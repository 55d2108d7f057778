"""`haechi case`, `haechi audit` and `haechi db`, as users and scripts call them."""

import asyncio
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeAlias

import pytest
from typer.testing import CliRunner, Result

from monitors import recognition
from monitors.cli import audit_app, case_app, db_app, parse_end
from monitors.command_line import CURES
from monitors.references import Enroller, Enrolment, EnrolOutcome
from streams.errors import (
    CaseError,
    ConfigurationError,
    EngineError,
    NoConsentError,
    UnknownCaseError,
    UnknownKeywordError,
)
from tests.fakes import FakeRecogniser, picture_bytes

OPEN = ("open", "--alias", "나무", "--age-class", "adult", "--basis", "victim_request")

Run: TypeAlias = Callable[..., Result]


def _rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_case_opens_in_an_empty_home_and_prints_its_identifier(run: Run) -> None:
    (row,) = _rows(run(*OPEN, "--json"))
    assert list(row) == ["case"]
    assert len(row["case"]) == 32
    assert row["case"] in run("show", "나무").stdout


def test_show_tells_what_the_case_rests_on(run: Run) -> None:
    (opened,) = _rows(run(*OPEN, "--consent", "voice,face", "--expires", "2099-01-31", "--json"))
    run("keyword", "add", "나무", "해치")
    (shown,) = _rows(run("show", opened["case"], "--json"))
    assert shown["alias"] == "나무"
    assert shown["consents"] == ["face", "voice"]
    assert shown["lawful"] is True
    assert shown["expires_at"] == _end_of("2099-01-31").isoformat()
    assert [one["text"] for one in shown["keywords"]] == ["해치"]
    assert shown["references"] == 0
    (listed,) = _rows(run("list", "--json"))
    assert listed == {key: value for key, value in shown.items() if key != "keywords"}
    assert "나무" in run("list").stdout


def _end_of(day: str) -> datetime:
    midnight = datetime.fromisoformat(f"{day}T00:00").astimezone()
    return datetime.fromtimestamp(midnight.timestamp() + 86400, UTC)


def test_an_authority_lasts_to_the_end_of_its_last_day() -> None:
    assert parse_end("2099-01-31") == _end_of("2099-01-31")
    assert parse_end("2099-01-31T12:00+09:00") == datetime(2099, 1, 31, 3, tzinfo=UTC)
    assert parse_end(None) is None


@pytest.mark.parametrize(
    "words",
    [
        ("open", "--alias", "A", "--age-class", "old", "--basis", "victim_request"),
        ("open", "--alias", "A", "--age-class", "adult", "--basis", "curiosity"),
        ("open", "--alias", "A", "--age-class", "adult"),
        (*OPEN, "--expires", "tomorrow"),
        (*OPEN, "--expires", "2099-02-30"),
        (*OPEN, "--expires", "2099-01-31T12:00"),
        (*OPEN, "--expires", "9999-12-31"),
        (*OPEN, "--consent", "face,smell"),
        ("keyword", "add", "A"),
    ],
)
def test_unusable_arguments_end_with_status_2(run: Run, words: tuple[str, ...]) -> None:
    run(*words, status=2)


def test_what_cannot_be_done_is_raised_for_the_one_line_that_says_it(run: Run) -> None:
    with pytest.raises(UnknownCaseError):
        run("show", "nobody")
    with pytest.raises(CaseError, match="expired"):
        run(*OPEN, "--expires", "2020-01-01")


def test_keywords_are_told_with_the_variants_that_will_be_found(run: Run) -> None:
    run(*OPEN)
    rows = _rows(run("keyword", "add", "나무", "해치 공주", "딥페이크", "--json"))
    assert [row["text"] for row in rows] == ["해치 공주", "딥페이크"]
    assert "해치공주" in rows[0]["variants"]
    assert "해치공주" in run("keyword", "add", "나무", "해치 공주").stdout


def test_of_words_one_of_which_is_unusable_none_is_kept_and_it_is_named(run: Run) -> None:
    run(*OPEN)
    with pytest.raises(CaseError, match=r"'비'.*letters"):
        run("keyword", "add", "나무", "해치 공주", "비", "딥페이크")
    with pytest.raises(CaseError, match=r"'해해.*characters"):
        run("keyword", "add", "나무", "해치 공주", "해" * 201)
    assert run("keyword", "list", "나무", "--json").stdout == ""


def test_keywords_can_be_given_where_nobody_sees_them(run: Run) -> None:
    run(*OPEN)
    typed = CliRunner().invoke(
        case_app, ("keyword", "add", "나무", "-", "--json"), input="해치 공주\n\n딥페이크\n"
    )
    assert [row["text"] for row in _rows(typed)] == ["해치 공주", "딥페이크"]
    shown = _rows(run("show", "나무", "--json"))[0]["keywords"]
    assert [one["text"] for one in shown] == ["해치 공주", "딥페이크"]


def test_a_wrong_keyword_is_found_in_the_list_and_taken_out(run: Run) -> None:
    run(*OPEN)
    run("keyword", "add", "나무", "해치", "딥페이크")
    listed = _rows(run("keyword", "list", "나무", "--json"))
    assert {one["text"] for one in listed} == {"해치", "딥페이크"}
    wrong, kept = listed
    assert f"{wrong['keyword']}  {wrong['text']}" in run("keyword", "list", "나무").stdout
    assert _rows(run("keyword", "remove", "나무", wrong["keyword"], "--json")) == [
        {"keyword": wrong["keyword"], "removed": True}
    ]
    assert _rows(run("keyword", "list", "나무", "--json")) == [kept]
    with pytest.raises(UnknownKeywordError):
        run("keyword", "remove", "나무", wrong["keyword"])


def test_a_withdrawn_case_shows_nothing_any_more(run: Run, tmp_path: Path) -> None:
    run(*OPEN)
    run("keyword", "add", "나무", "해치")
    (row,) = _rows(run("withdraw", "나무", "--json"))
    assert row["status"] == "withdrawn"
    assert not (tmp_path / "home" / "keys" / "cases" / f"{row['case']}.key").exists()
    (shown,) = _rows(run("show", "나무", "--json"))
    assert (shown["lawful"], shown["keywords"]) == (False, [])
    run("withdraw", "나무")


def test_close_renew_and_consent_say_what_they_did(run: Run) -> None:
    run(*OPEN)
    assert _rows(run("consent", "나무", "--set", "face", "--json"))[0]["consents"] == ["face"]
    assert _rows(run("consent", "나무", "--set", "none", "--json"))[0]["consents"] == []
    end = _rows(run("renew", "나무", "--expires", "2099-01-31", "--json"))[0]["expires_at"]
    assert end == _end_of("2099-01-31").isoformat()
    assert _rows(run("renew", "나무", "--json"))[0]["expires_at"] is None
    assert _rows(run("close", "나무", "--json"))[0]["status"] == "closed"
    with pytest.raises(CaseError, match="closed"):
        run("close", "나무")


class _Recognition(FakeRecogniser):
    @classmethod
    def from_settings(cls, _settings: object) -> Self:
        return cls()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two pictures, one of them twice, and a text."""
    monkeypatch.setattr(recognition, "Recognition", _Recognition)
    bodies = [picture_bytes(1), picture_bytes(2), b"a text", picture_bytes(1)]
    for number, body in enumerate(bodies):
        (tmp_path / f"{number}.png").write_bytes(body)
    return [str(tmp_path / f"{number}.png") for number in range(len(bodies))]


def test_each_file_gets_one_line_in_the_order_given(run: Run, files: list[str]) -> None:
    run(*OPEN)
    rows = _rows(run("reference", "add", "나무", *files[:3], "--json", status=1))
    assert [list(row) for row in rows] == [["path", "reference", "outcome", "reason"]] * 3
    assert [row["path"] for row in rows] == files[:3]
    assert [row["outcome"] for row in rows] == ["enrolled", "enrolled", "unreadable"]
    assert [row["reason"] for row in rows] == [None, None, "undecodable_media"]
    (again,) = _rows(run("reference", "add", "나무", files[3], "--json"))
    assert (again["outcome"], again["reference"]) == ("duplicate", rows[0]["reference"])
    assert _rows(run("show", "나무", "--json"))[0]["references"] == 2


def test_people_are_told_the_reference_or_what_to_do(run: Run, files: list[str]) -> None:
    run(*OPEN)
    run("reference", "add", "나무", files[0])
    lines = run("reference", "add", "나무", *files[1:], status=1).stdout.splitlines()
    earlier, new = (one["reference"] for one in _rows(run("reference", "list", "나무", "--json")))
    assert lines == [
        f"{files[1]}: enrolled {new}",
        f"{files[2]}: unreadable undecodable_media: {CURES['undecodable_media']}",
        f"{files[3]}: duplicate {earlier}",
    ]


def test_a_missing_file_or_a_folder_is_refused_before_any_work(
    run: Run, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")  # else a long path breaks the line
    run(*OPEN)
    missing = run("reference", "add", "나무", files[0], str(tmp_path / "nosuch"), status=2)
    assert "no such file" in missing.stderr
    folder = run("reference", "add", "나무", files[0], str(tmp_path), status=2)
    assert "a folder" in folder.stderr
    assert _rows(run("reference", "list", "나무", "--json")) == []


def test_what_was_stored_before_it_was_stopped_is_printed(
    run: Run, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def enrol(_: object, __: object, path: Path, **___: object) -> Enrolment:
        if path.name == "0.png":
            await asyncio.sleep(0.2)
            raise EngineError("gone")
        return Enrolment(path=path.name, reference=None, outcome=EnrolOutcome.ENROLLED)

    run(*OPEN)
    monkeypatch.setattr(Enroller, "enrol", enrol)
    words = ("reference", "add", "나무", files[0], files[1], "--json")
    stopped = CliRunner().invoke(case_app, words)
    assert isinstance(stopped.exception, EngineError)
    assert [row["path"] for row in _rows(stopped)] == ["1.png"]


def test_a_subject_is_enrolled_with_consent_alone(run: Run, files: list[str]) -> None:
    run(*OPEN)
    with pytest.raises(NoConsentError):
        run("reference", "add", "나무", "--subject", "face", files[0])
    run("consent", "나무", "--set", "face")
    words = ("reference", "add", "나무", "--subject", "face", files[0])
    (nobody,) = _rows(run(*words, "--json", status=1))
    assert (nobody["outcome"], nobody["reason"]) == ("refused", "subject_unclear")
    run("reference", "add", "나무", "--subject", "smell", files[0], status=2)
    assert _rows(run("show", "나무", "--json"))[0]["references"] == 0


def test_an_unknown_case_enrols_nothing(run: Run, files: list[str]) -> None:
    with pytest.raises(UnknownCaseError):
        run("reference", "add", "nobody", *files)


def test_the_log_of_all_this_verifies_against_its_head(run: Run, tmp_path: Path) -> None:
    run("--actor", "clerk 7", *OPEN)
    head = tmp_path / "head.json"
    head.write_text(run("head", app=audit_app).stdout)
    run("close", "나무")
    (report,) = _rows(run("verify", "--head", str(head), "--json", app=audit_app))
    assert report == {"rows": 2, "broken_at": None}
    head.write_text(json.dumps({"seq": 3, "mac": "0" * 64}))
    (report,) = _rows(run("verify", "--head", str(head), "--json", app=audit_app, status=1))
    assert report == {"rows": 2, "broken_at": 3}
    assert "broken at row 3" in run("verify", "--head", str(head), app=audit_app, status=1).stdout
    head.write_text("[]")
    with pytest.raises(CaseError, match="no head"):
        run("verify", "--head", str(head), app=audit_app)


def test_a_backup_is_whole_private_and_without_keys(run: Run, tmp_path: Path) -> None:
    run(*OPEN)
    backup = tmp_path / "copy.db"
    assert _rows(run("backup", str(backup), "--json", app=db_app)) == [{"backup": str(backup)}]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["copy.db"]
    with pytest.raises(ConfigurationError, match="exists"):
        run("backup", str(backup), app=db_app)
    (tmp_path / "home" / "haechi.db").unlink()
    for side in ("-wal", "-shm"):
        (tmp_path / "home" / f"haechi.db{side}").unlink(missing_ok=True)
    backup.rename(tmp_path / "home" / "haechi.db")
    assert "나무" in run("list").stdout


def test_a_backup_that_cannot_be_written_is_said(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot write"):
        run("backup", str(tmp_path / "nowhere" / "copy.db"), app=db_app)


def test_upgrade_says_where_the_database_is(run: Run) -> None:
    assert _rows(run("upgrade", "--json", app=db_app)) == [{"step": "0003"}]
