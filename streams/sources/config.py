"""What an operator writes of each source: `[[stream]]` and `[[search]]` of the sources' file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from streams.clock import Clock
from streams.errors import ConfigurationError
from streams.schemas import Name, explain
from streams.sources.canary import Canary
from streams.sources.source import EventKind

MONTH_SECONDS = 2_592_000
"""Who waits longer for a sign of life expects none."""

Seconds = Annotated[float, Field(gt=0, le=MONTH_SECONDS, allow_inf_nan=False)]


class SourceConfig(BaseModel):
    """What every source has; each kind of source adds its own fields in its own file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    guarded: ClassVar[bool] = False
    """Whether its source takes `allow_origins`, for it follows addresses that strangers wrote."""

    subscribes: ClassVar[bool] = False
    """Whether its source takes `hubs`, to be told when it has something new."""

    kind: str = Field(description="Which adapter reads it.")
    name: Name = Field(description="Unique; names it in lists, cursors and metrics.")
    enabled: bool = True
    silent_seconds: float = Field(
        default=60,
        gt=0,
        le=MONTH_SECONDS,
        description="A stream that gives nothing for so long is stalled.",
    )
    compare_with: Name | None = Field(
        default=None,
        description="Another stream of the same network: what one lacks of the other is told.",
    )
    expect_seconds: Mapping[EventKind, Seconds] = Field(
        default_factory=dict,
        description="Kinds of event that must come at least so often, or are missing.",
    )

    def build_canary(self, clock: Clock) -> Canary | None:  # noqa: ARG002 - most have none
        """Build the canary that is sent through this source; None: there is none."""
        return None


class Token(BaseModel):
    """A secret: written here, or alone in a file of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: SecretStr | None = None
    file: Path | None = None

    def read(self) -> str:
        """Read it; a file anew each time, so that a renewed token needs no restart.

        Raises:
            ConfigurationError: there is none, or its file cannot be read.
        """
        if self.value is not None:
            return self.value.get_secret_value()
        if self.file is None:
            raise ConfigurationError("a token needs a value or a file")
        try:
            found = self.file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(f"the token's file cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigurationError("the token's file is not text in UTF-8") from None
        if not found:
            raise ConfigurationError("the token's file is empty")
        return found


def read_toml(path: Path) -> dict[str, Any]:
    """Read the sources' file.

    Raises:
        ConfigurationError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"the sources' file cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the sources' file is not TOML: {error}") from error


def parse(model: type[BaseModel], entry: Mapping[str, Any], where: str) -> Any:
    """Check one entry against its kind's model.

    Raises:
        ConfigurationError: names the entry and its fields, never their values.
    """
    try:
        return model.model_validate(entry)
    except ValidationError as error:
        raise ConfigurationError(f"sources, {where}: {explain(error)}") from None
