"""Settings come from the environment, then a file; a slip is an error; no secret is shown."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from streams.media.decoder import MAX_BODY_BYTES
from streams.media.fetcher import FetchLimits
from streams.settings import Settings, environment_of


def test_a_variable_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "haechi.toml"
    file.write_text("workers = 3\npartitions = 8\n")
    monkeypatch.setenv("HAECHI_CONFIG", str(file))
    monkeypatch.setenv("HAECHI_WORKERS", "5")
    settings = Settings()
    assert (settings.workers, settings.partitions) == (5, 8)


def test_a_key_that_no_setting_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "haechi.toml"
    file.write_text("worker = 3\n")
    monkeypatch.setenv("HAECHI_CONFIG", str(file))
    with pytest.raises(ValidationError, match="worker"):
        Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WORKERS", "0"),
        ("ENGINE", "abacus"),
        ("PUSH_PORT", "65536"),
        ("GALLERY_STALE_SECONDS", "61"),
    ],
)
def test_a_value_out_of_bounds_is_refused(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"HAECHI_{variable}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_a_home_holds_its_database_and_its_keys(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert settings.database == f"sqlite:///{tmp_path}/haechi.db"
    assert settings.keys_dir == tmp_path / "keys"
    assert settings.run_dir == tmp_path / "run"


def test_the_cache_of_models_is_no_part_of_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HAECHI_MODELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert Settings(home=tmp_path / "home").models == tmp_path / "cache/haechi/models"


def test_private_origins_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAECHI_FETCH_ALLOW", "http://127.0.0.1:1, http://127.0.0.1:2,")
    assert Settings().fetch_allow == {"http://127.0.0.1:1", "http://127.0.0.1:2"}


def test_a_link_to_the_console_has_no_slash_at_its_end() -> None:
    assert Settings(console_url="https://console.example/").console_link == (
        "https://console.example"
    )
    assert Settings(console_port=1).console_link == "http://127.0.0.1:1"


def test_a_child_process_reads_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAECHI_WORKERS", "9")
    settings = Settings(
        home=tmp_path,
        models=tmp_path / "models",
        workers=2,
        push_token=SecretStr("t0ken"),
        fetch_allow=frozenset({"http://127.0.0.1:1", "http://127.0.0.1:2"}),
    )
    for name, value in environment_of(settings).items():
        if name.startswith("HAECHI_"):
            monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_a_secret_is_not_shown() -> None:
    settings = Settings(push_token=SecretStr("t0ken"), webhook_secret=SecretStr("whsec_x"))
    assert "t0ken" not in repr(settings)
    assert "whsec_x" not in repr(settings)


def test_a_fetch_without_limits_of_its_own_takes_what_the_settings_do() -> None:
    assert FetchLimits().max_bytes == Settings().fetch_max_bytes == MAX_BODY_BYTES
