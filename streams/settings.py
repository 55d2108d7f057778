"""Every setting, read once in the composition root and passed down as plain values.

From the environment (`HAECHI_…`) or the TOML file that `HAECHI_CONFIG` names; the environment wins.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

EngineName = Literal["openvino", "onnxruntime", "numpy"]


def _user_dir(variable: str, fallback: str) -> Path:
    base = os.environ.get(variable)  # noqa: TID251 - the XDG base directories
    return (Path(base) if base else Path.home() / fallback) / "haechi"


class Settings(BaseSettings):
    """One immutable set of settings."""

    model_config = SettingsConfigDict(env_prefix="HAECHI_", frozen=True, extra="forbid")

    home: Path = Field(
        default_factory=lambda: _user_dir("XDG_DATA_HOME", ".local/share"),
        description="Directory of one instance: database, keys, run files.",
    )
    models: Path = Field(
        default_factory=lambda: _user_dir("XDG_CACHE_HOME", ".cache") / "models",
        description="Cache of model weights, shared by all homes.",
    )
    keys: Path | None = Field(
        default=None,
        description="The key store; outside the database and outside every backup. "
        "Default: `keys` below the home.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL: `sqlite:///FILE` or `postgresql+psycopg://…`. "
        "Default: `haechi.db` below the home.",
    )
    broker_url: str | None = Field(
        default=None,
        description="`kafka://host:port[;host:port]`. Default: the embedded broker on loopback.",
    )
    redis_url: SecretStr | None = Field(
        default=None, description="`redis://…`; shared politeness of several workers."
    )
    consumer_group: str = Field(
        default="haechi",
        min_length=1,
        description="Consumer group of the workers; the launcher appends the broker's epoch.",
    )
    partitions: int = Field(default=4, ge=1, le=64, description="Partitions of each topic.")
    workers: int = Field(default=1, ge=1, le=64, description="Worker processes of `haechi up`.")
    engine: EngineName = Field(default="openvino", description="Runtime of the models.")
    engine_children: int = Field(
        default=2, ge=1, le=64, description="Single-threaded engine processes of each worker."
    )
    decoder_children: int = Field(
        default=2, ge=1, le=64, description="Media decoded at once in each worker."
    )
    sscd_file: Path | None = Field(
        default=None, description="The operator's own SSCD ONNX file, instead of the pulled one."
    )
    fetch_allow: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(),
        description="Private origins (scheme://host:port, comma-separated) that the fetcher may "
        "reach. For demo and tests; logged at start.",
    )
    fetch_timeout_seconds: float = Field(
        default=15, gt=0, le=120, description="For one medium, redirects included."
    )
    fetch_max_bytes: int = Field(
        default=64 * 2**20,
        ge=1024,
        le=64 * 2**20,
        description="A larger medium is refused; the decoder takes no more.",
    )
    plc_url: str = Field(
        default="https://plc.directory",
        pattern=r"^https?://[^\s?#]+$",
        description="Directory that knows the servers of AT Protocol accounts (`did:plc`).",
    )
    fetch_attempts: int = Field(
        default=3, ge=1, le=10, description="Tries of a medium whose host does not deliver."
    )
    fetch_retry_seconds: float = Field(
        default=20, gt=0, description="Wait before the second try; doubles with each."
    )
    batch_posts: int = Field(default=32, ge=1, le=512, description="Posts that a step takes.")
    batch_wait_seconds: float = Field(
        default=0.1, gt=0, le=5, description="Wait for a batch to fill."
    )
    reproduce_after_seconds: float = Field(
        default=60, gt=0, description="Age at which an unfinished inbox row is produced again."
    )
    stuck_after_seconds: float = Field(
        default=120, gt=0, description="No progress for so long with work waiting: not ready."
    )
    dead_letters_in_a_row: int = Field(
        default=20, ge=1, description="Flood: consecutive dead letters that halt an agent."
    )
    gallery_poll_seconds: float = Field(
        default=1, gt=0, le=10, description="How often a worker confirms its gallery."
    )
    gallery_stale_seconds: float = Field(
        default=30, gt=0, le=60, description="A gallery unconfirmed for so long matches nothing."
    )
    quarantine_after_sightings: int = Field(
        default=50,
        ge=1,
        le=100_000,
        description="More unsure sightings by one reference in the window are a flood: they wait.",
    )
    quarantine_window_seconds: float = Field(
        default=3600, gt=0, le=86_400, description="Sightings that are counted together."
    )
    quarantine_seconds: float = Field(
        default=86_400,
        gt=0,
        le=604_800,
        description="A flooding reference's quarantine; what waits then becomes tasks.",
    )
    sla_seconds: float = Field(default=180, gt=0, description="Observed to task open.")
    push_host: str = Field(default="127.0.0.1", description="Address of the push endpoint.")
    push_port: int = Field(default=8601, ge=0, le=65535, description="Port of the push endpoint.")
    push_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s]+$",
        description="The push endpoint's address as feeds' hubs reach it; none: none is asked.",
    )
    push_token: SecretStr | None = Field(
        default=None, description="Bearer token of the push endpoint; none: made at first start."
    )
    replay_file: Path | None = Field(
        default=None, description="JSON-lines file of posts that the replay source plays."
    )
    replay_rate: float = Field(default=10, gt=0, description="Posts a second of the replay.")
    sources: Path | None = Field(
        default=None, description="TOML file that names the sources; see docs/sources.md."
    )
    search_seconds: float = Field(
        default=180, gt=0, le=3600, description="A search ends after so long, whatever is missing."
    )
    lookback_days: float = Field(
        default=7,
        ge=0,
        le=365,
        description="How long fingerprints of what was seen are kept, and their posts; 0 keeps "
        "none, and forgets those that there are.",
    )
    lookback_url: str | None = Field(
        default=None,
        description="Where they are kept: a directory, or an object store's address "
        "(`s3://bucket/path`). Default: `lookback` below the home.",
    )
    console_host: str = Field(default="127.0.0.1", description="Address of the console.")
    console_port: int = Field(
        default=8600, ge=0, le=65535, description="Port of the console, its metrics and its health."
    )
    console_url: str | None = Field(
        default=None, description="The console's address as officers see it; used in links."
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        description="Address of the metrics and health pages of collector and workers.",
    )
    worker_port: int = Field(
        default=8610, ge=0, le=65535, description="Metrics and health of worker 0; +1 for each."
    )
    collector_port: int = Field(
        default=8602, ge=0, le=65535, description="Metrics and health of the collector."
    )
    webhook_url: str | None = Field(
        default=None, description="Endpoint of signed webhooks; comma-separated for several."
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="`whsec_…`; none: made at first start."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log line that is written."
    )

    @field_validator("fetch_allow", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(part.strip() for part in value.split(",") if part.strip())
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the TOML file below the environment."""
        file = os.environ.get("HAECHI_CONFIG")  # noqa: TID251 - names the file of settings
        sources = (init_settings, env_settings)
        return (*sources, TomlConfigSettingsSource(settings_cls, file)) if file else sources

    @property
    def keys_dir(self) -> Path:
        """The key store's directory."""
        return self.keys or self.home / "keys"

    @property
    def database(self) -> str:
        """The database's SQLAlchemy URL."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home / 'haechi.db'}"

    @property
    def run_dir(self) -> Path:
        """Where a running instance keeps its pid and port files."""
        return self.home / "run"

    @property
    def console_link(self) -> str:
        """The console's address for links, without a trailing slash."""
        return (self.console_url or f"http://{self.console_host}:{self.console_port}").rstrip("/")


def environment_of(settings: Settings) -> dict[str, str]:
    """Give a child process the environment that yields the same settings."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    own = {
        f"HAECHI_{name.upper()}": _plain(value)
        for name, value in values.items()
        if value is not None
    }
    return foreign_environment() | own


def foreign_environment() -> dict[str, str]:
    """Give this process's environment without our settings: some of them are secret."""
    return {key: value for key, value in os.environ.items() if not key.startswith("HAECHI_")}  # noqa: TID251


def _plain(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, frozenset):
        return ",".join(sorted(value))
    return str(value)
