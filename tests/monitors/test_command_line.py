"""What every command shares."""

import os
from pathlib import Path

import pytest

from monitors.command_line import opened_register, read_medium, say, set_actor
from streams.errors import MediaTooLargeError, UndecodableMediaError, UnreadableFileError
from streams.media.decoder import MAX_BODY_BYTES
from streams.settings import Settings


def test_a_file_is_read_and_what_is_none_is_said(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"bytes")
    assert read_medium(file) == b"bytes"
    file.write_bytes(b"")
    with pytest.raises(UndecodableMediaError):
        read_medium(file)
    os.truncate(file, MAX_BODY_BYTES + 1)
    with pytest.raises(MediaTooLargeError):
        read_medium(file)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none", tmp_path, tmp_path / "pipe"):
        with pytest.raises(UnreadableFileError):
            read_medium(path)


def test_who_calls_stands_in_the_audit_log(tmp_path: Path) -> None:
    for actor in ("clerk 7", None):
        set_actor(actor)
        with opened_register(Settings(home=tmp_path / "home")) as register:
            assert register.actor == actor or (actor is None and register.actor)


def test_a_path_that_is_no_text_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    say({"path": "a\udcff"}, "a\udcff", as_json=False)
    say({"path": "a\udcff"}, "", as_json=True)
    assert capsys.readouterr().out == 'a?\n{"path": "a\\udcff"}\n'
