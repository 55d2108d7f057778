"""What every command shares."""

from pathlib import Path

import pytest

from monitors.command_line import CURES, ended_in_words, opened_register, printable, say, set_actor
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
