"""What every command shares."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from monitors.command_line import (
    CURES,
    ended_in_words,
    opened_register,
    print_table,
    printable,
    say,
    set_actor,
)
from streams.errors import (
    DecoderCrashedError,
    LowDetailError,
    MediaTooLargeError,
    SubjectUnclearError,
    UndecodableMediaError,
    UnreadableFileError,
)
from streams.settings import Settings


def test_who_calls_stands_in_the_audit_log(tmp_path: Path) -> None:
    for actor in ("clerk 7", None):
        set_actor(actor)
        with opened_register(Settings(home=tmp_path / "home")) as register:
            assert register.actor == actor or (actor is None and register.actor)


def test_a_path_that_is_no_text_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    say({"path": "a\udcff"}, "a\udcff", as_json=False)
    say({"path": "a\udcff"}, "", as_json=True)
    assert capsys.readouterr().out == 'a\ufffd\n{"path": "a\\udcff"}\n'


def test_a_name_that_would_steer_the_terminal_is_shown_without_its_orders(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say({}, "\x1b]0;gone\x07\n\u202egpj.해치 é", as_json=False)
    assert capsys.readouterr().out == "\ufffd]0;gone\ufffd\ufffd\ufffdgpj.해치 é\n"
    assert printable("한국어 [x]") == "한국어 [x]"


def test_every_reason_for_which_a_medium_is_not_enrolled_has_its_cure() -> None:
    local = (
        DecoderCrashedError,
        LowDetailError,
        MediaTooLargeError,
        SubjectUnclearError,
        UndecodableMediaError,
        UnreadableFileError,
    )
    assert sorted(CURES) == sorted(error.reason for error in local)
    assert ended_in_words("a", "enrolled", None) == "a: enrolled"
    assert ended_in_words("a", "refused", "new_reason") == "a: refused new_reason"


def test_a_table_is_folded_on_a_terminal_and_never_cut() -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=64)
    long = "sscd/1/openvino/f32,keypoints/1"
    print_table(("id", "kind", "spaces"), [("f" * 32, "video", long)], console=console)
    rows = [line.split("│")[1:-1] for line in shown.getvalue().splitlines() if "│" in line]
    assert rows[0][0].strip() == "f" * 32
    assert all(len(line) <= 64 for line in shown.getvalue().splitlines() if "│" in line)
    cells = ["".join(row[at].strip() for row in rows) for at in range(3)]
    assert cells == ["f" * 32, "video", long]


def test_a_table_in_a_pipe_is_a_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("id", "spaces"), [("f" * 32, "s" * 200), ("a\tb", "-")])
    print_table(("", ""), [("name", "value")])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["id\tspaces", "f" * 32 + "\t" + "s" * 200, "a\ufffdb\t-", "name\tvalue"]


def test_names_and_values_are_folded_on_a_terminal_beside_whole_names() -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=70)
    print_table(("", ""), [("case", "c" * 32), ("post_url", "u" * 90)], console=console)
    assert shown.getvalue().count("u") == 91  # one is the name's
    assert "post_url" in shown.getvalue()
    assert "─" not in shown.getvalue()
