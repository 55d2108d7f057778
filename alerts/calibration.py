"""The calibration that is shipped, and how one is read and written."""

import json
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any

from alerts.policy import Calibration, Heard, Moving, Still
from streams.errors import ConfigurationError

SHIPPED = Path(__file__).with_name("calibration.json")
"""Fitted on half of the development sets; docs/recognition.md says how and what it gives."""

_PARTS = {"still": Still, "moving": Moving, "heard": Heard}


def load_calibration(path: Path) -> Calibration:
    """Read a calibration.

    Raises:
        ConfigurationError: missing, malformed or senseless.
    """
    try:
        stored = json.loads(path.read_text())
        parts = {
            name: kind(**{field.name: float(stored[name][field.name]) for field in fields(kind)})
            for name, kind in _PARTS.items()
        }
        return Calibration(
            **parts,
            alert=float(stored["alert"]),
            review=float(stored["review"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"no usable calibration in {path}") from error


@cache
def shipped_calibration() -> Calibration:
    """Return what is shipped; read once."""
    return load_calibration(SHIPPED)


def save_calibration(calibration: Calibration, path: Path, *, fitted_on: dict[str, Any]) -> None:
    """Write a calibration together with what it was fitted on.

    Args:
        calibration: the numbers.
        path: replaced where it exists.
        fitted_on: whatever a reader needs to judge the numbers; not read again.
    """
    content = asdict(calibration) | {"fitted_on": fitted_on}
    path.write_text(json.dumps(content, indent=2) + "\n")
