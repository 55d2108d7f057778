"""`streams.sources.config`."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from streams.errors import ConfigurationError
from streams.sources.config import SourceConfig, Token, parse, read_toml
from streams.sources.source import EventKind
from tests.fakes import FakeClock

PLAIN: dict[str, Any] = {"kind": "board", "name": "board"}


def refused(**values: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(SourceConfig, PLAIN | values, "stream 2")
    return str(caught.value)


def test_an_entry_has_defaults_that_work(clock: FakeClock) -> None:
    config = parse(SourceConfig, PLAIN, "stream 1")
    assert (config.enabled, config.silent_seconds, config.expect_seconds) == (True, 60, {})
    assert config.build_canary(clock) is None


def test_kinds_are_expected_by_their_names() -> None:
    config = parse(SourceConfig, PLAIN | {"expect_seconds": {"deletion": 90}}, "stream 1")
    assert config.expect_seconds == {EventKind.DELETION: 90}


def test_an_error_is_one_line_that_names_entry_and_field_and_no_value() -> None:
    told = refused(silent_seconds="s3cret", token="s3cret", name="S3cret")
    assert told.startswith("sources, stream 2: ")
    assert "\n" not in told
    assert "s3cret" not in told.lower()
    for field in ("silent_seconds", "token", "name"):
        assert field in told


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e300])
def test_a_wait_that_never_ends_or_is_none_is_refused(seconds: float) -> None:
    assert "silent_seconds" in refused(silent_seconds=seconds)
    assert "expect_seconds.post" in refused(expect_seconds={"post": seconds})


def test_a_kind_that_does_not_exist_is_refused() -> None:
    assert "expect_seconds" in refused(expect_seconds={"posts": 5})


def test_a_token_is_read_where_it_is_written(tmp_path: Path) -> None:
    assert Token(value=SecretStr("one")).read() == "one"
    file = tmp_path / "token"
    file.write_text("two\n")
    token = Token(file=file)
    assert token.read() == "two"
    file.write_text("renewed\n")
    assert token.read() == "renewed"


def test_a_token_is_not_shown() -> None:
    assert "s3cret" not in repr(Token(value=SecretStr("s3cret")))


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_token_that_is_none_is_said_without_its_place(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="token") as caught:
        Token(file=file).read()
    assert str(tmp_path) not in str(caught.value)


def test_a_token_without_value_and_file_is_said() -> None:
    with pytest.raises(ConfigurationError, match="a value or a file"):
        Token().read()


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text('[[stream]]\nkind = "board"\n')
    assert read_toml(file) == {"stream": [{"kind": "board"}]}


@pytest.mark.parametrize("content", [b"[[stream", b"a = \xff"])
def test_a_file_that_is_no_toml_is_said(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "sources.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is not TOML"):
        read_toml(file)


def test_a_file_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_toml(tmp_path / "none.toml")
