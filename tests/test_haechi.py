"""The command line: quick help, one line for what went wrong, a status for scripts."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import haechi
from haechi import COMMANDS, app, load_command
from streams.errors import CaseError


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "haechi", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=50,
        check=False,
    )


def test_help_names_every_command_and_imports_none() -> None:
    code = (
        "import sys, haechi\n"
        "from typer.testing import CliRunner\n"
        "print(CliRunner().invoke(haechi.app, ['--help']).stdout)\n"
        "heavy = {'faust', 'sqlalchemy', 'openvino', 'pydantic', 'numpy', 'fastapi'}\n"
        "print('imported:', *sorted(heavy & set(sys.modules)))"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - started
    assert all(f" {name} " in done.stdout for name in COMMANDS)
    assert done.stdout.splitlines()[-1].strip() == "imported:"
    assert seconds < 10  # 0.6 s on an idle machine


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded_and_shows_its_help(name: str) -> None:
    assert load_command(name).name == name
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"haechi {name}" in " ".join(result.stdout.split()) or f" {name} " in result.stdout
    assert "--install-completion" not in result.stdout


def test_the_version_is_printed() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("haechi 0.")


def test_an_unknown_command_is_unusable() -> None:
    assert CliRunner().invoke(app, ["frobnicate"]).exit_code == 2


def end_of_main(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> object:
    def broken(**_: str) -> None:
        raise error

    monkeypatch.setattr(haechi, "app", broken)
    monkeypatch.setattr("monitors.logs.configure", lambda *_, **__: None)
    with pytest.raises(SystemExit) as ended:
        haechi.main()
    return ended.value.code


def test_what_is_raised_on_purpose_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_of_main(monkeypatch, CaseError("the case is\nclosed already")) == 1
    assert capsys.readouterr().err == "haechi: the case is closed already\n"


def test_an_error_without_words_gives_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_of_main(monkeypatch, CaseError()) == 1
    assert capsys.readouterr().err == "haechi: case\n"


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert end_of_main(monkeypatch, KeyboardInterrupt()) == 130


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: str) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(haechi, "app", broken)
    monkeypatch.setattr("monitors.logs.configure", lambda *_, **__: None)
    with pytest.raises(ValueError, match="a bug"):
        haechi.main()


def test_a_wrong_setting_is_named_in_one_line_without_its_value() -> None:
    done = run("models", "list", HAECHI_WORKERS="secret-0")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("haechi: setting HAECHI_WORKERS: ")
    assert "secret-0" not in done.stderr


def test_a_settings_file_that_is_no_toml_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "haechi.toml"
    file.write_text("workers = = 2")
    done = run("models", "list", HAECHI_CONFIG=str(file))
    assert done.returncode == 2
    assert done.stderr.startswith("haechi: the settings cannot be read")
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m haechi models list --json | true"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=50, check=False
    )
    assert "Traceback" not in done.stderr
