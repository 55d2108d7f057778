"""Writes the page on settings: .venv/bin/python scripts/settings_docs.py >docs/settings.md.

A test keeps the page equal to what this prints.
"""

import sys
import typing
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from streams.settings import Settings

HEAD = """\
# Settings

Every setting is an environment variable, or a key of the TOML file that `HAECHI_CONFIG` names
(lower case, without `HAECHI_`). The environment wins. `haechi` reads them once, at its start.

This page is written by `.venv/bin/python scripts/settings_docs.py >docs/settings.md`.

| variable | type | default | what it is |
| --- | --- | --- | --- |
"""

PLACES = {
    "home": "`$XDG_DATA_HOME/haechi`, else `~/.local/share/haechi`",
    "models": "`$XDG_CACHE_HOME/haechi/models`, else `~/.cache/haechi/models`",
}
"""Defaults that depend on the machine."""

BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "length ≥"}


def type_of(annotation: Any) -> str:
    """Name a type as an operator would."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{choice}`" for choice in inner)
    if origin is frozenset:
        return "list, comma-separated"
    if origin is not None:
        return type_of(next(part for part in inner if part is not type(None)))
    names = {str: "text", int: "whole number", float: "number", Path: "path", SecretStr: "secret"}
    return names[annotation]


def bounds_of(field: FieldInfo) -> str:
    """List the bounds, if any."""
    found = (
        f"{sign} {getattr(rule, name)}"
        for rule in field.metadata
        for name, sign in BOUNDS.items()
        if hasattr(rule, name)
    )
    return ", ".join(found)


def default_of(name: str, field: FieldInfo) -> str:
    """Show the default."""
    if name in PLACES:
        return PLACES[name]
    if field.default is None:
        return "none"
    if field.default == frozenset():
        return "empty"
    return f"`{field.default}`"


def row(name: str, field: FieldInfo) -> str:
    """Write one setting's line."""
    kind = ", ".join(part for part in (type_of(field.annotation), bounds_of(field)) if part)
    cells = (f"`HAECHI_{name.upper()}`", kind, default_of(name, field), field.description or "")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


if __name__ == "__main__":
    sys.stdout.write(HEAD)
    for setting, declared in Settings.model_fields.items():
        sys.stdout.write(row(setting, declared))
