"""`streams.sources.config`."""

from pathlib import Path

import pytest

from streams.errors import ConfigurationError
from streams.sources.config import SourceConfig, Token, parse
from tests.fakes import FakeClock


def test_a_token_is_read_from_its_file_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    token = Token(file=file)
    assert token.read() == "first"
    file.write_text("second")
    assert token.read() == "second"
    file.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        token.read()


def test_a_token_written_in_the_file_is_not_shown() -> None:
    token = Token.model_validate({"value": "hunter2"})
    assert token.read() == "hunter2"
    assert "hunter2" not in repr(token)
    with pytest.raises(ConfigurationError, match="a value or a file"):
        Token().read()


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "x", "name": "Not A Name"},
        {"kind": "x", "name": "sky", "silent_seconds": 0},
        {"kind": "x", "name": "sky", "silent_seconds": "inf"},
        {"kind": "x", "name": "sky", "expect_seconds": {"post": -1}},
        {"kind": "x", "name": "sky", "expect_seconds": {"nonsense": 1}},
    ],
)
def test_an_entry_that_cannot_be_is_refused(entry: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="sources, stream 3"):
        parse(SourceConfig, entry, "stream 3")


def test_most_sources_have_no_canary() -> None:
    assert SourceConfig(kind="x", name="sky").build_canary(FakeClock()) is None
