"""`streams.media.files`."""

import os
from pathlib import Path

import pytest

from streams.errors import MediaTooLargeError, UndecodableMediaError, UnreadableFileError
from streams.media.decoder import MAX_BODY_BYTES
from streams.media.files import read_file


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x" * 100)
    assert read_file(file, 100) == b"x" * 100
    file.write_bytes(b"x" * 101)
    with pytest.raises(MediaTooLargeError):
        read_file(file, 100)
    os.truncate(file, MAX_BODY_BYTES + 1)
    with pytest.raises(MediaTooLargeError):
        read_file(file, MAX_BODY_BYTES)


def test_an_empty_file_is_no_medium(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(UndecodableMediaError):
        read_file(tmp_path / "a", 100)


def test_a_pipe_or_a_device_is_unreadable_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path / "missing", tmp_path):
        with pytest.raises(UnreadableFileError):
            read_file(path, 100)
