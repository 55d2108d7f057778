"""What is known of each source: for `haechi source list`."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from agents.streaming import expectations
from monitors.command_line import iso
from monitors.freshness import Freshness, read_freshness
from monitors.gaps import Gap, GapState, list_gaps
from monitors.searches import LOOK_BACK
from monitors.tables import cursors, inbox, outcomes
from streams.settings import Settings
from streams.sources.catalogue import Catalogue, read_catalogue

INTERNAL = "@"
"""Begins the names of leases that are no source's."""

LATELY = timedelta(days=7)
"""Gaps that are counted and shown."""

SHOWN_GAPS = 5

GIVING, NEVER, DISABLED, ASKED = "giving", "never read", "not enabled", "asked by searches"

CURES: Mapping[str, str] = {
    "unauthorized": "renew the token that the sources' file names",
    "rate_limited": "it asked to be left alone, and is read again by itself",
    "stalled": "its connection was open and silent; it is connected anew by itself",
    "silent": "nothing comes: try `haechi source test`, and look at its own status page",
    "source_unavailable": "it does not answer: try `haechi source test`; else wait",
    "consumer_too_slow": "this machine reads too slowly: give it fewer sources, or more workers",
    "behind": "events are old when they come: this machine, or the source, has too much to do",
    "kind_missing": "part of the stream does not come: compare it with another endpoint",
    "canary_missing": "our own post did not come back: part of the network is not given",
    "configuration": "its entry in the sources' file cannot work: see the collector's log",
    "bug": "the adapter failed: see the collector's log, and report it",
}
"""What to do about a trouble."""


def read_sources(connection: Connection, settings: Settings, now: datetime) -> list[dict[str, Any]]:
    """Give one row a source: of the sources' file, push, replay, and whatever was seen before.

    Args:
        connection: to read by.
        settings: which sources there are.
        now: what ages are counted to.

    Raises:
        ConfigurationError: the sources' file is wrong.
    """
    catalogue = read_catalogue(settings.sources)
    expected = expectations([one.config for one in catalogue.streams])
    fresh = {one.source: one for one in read_freshness(connection, expected, now)}
    waiting, ended = _counts(connection, inbox), _counts(connection, outcomes)
    read = {row.source: row for row in connection.execute(sa.select(cursors))}
    kinds = _kinds(catalogue, settings)
    names = fresh.keys() | waiting.keys() | ended.keys() | read.keys() | kinds.keys()
    rows = []
    for name in sorted(one for one in names if not one.startswith(INTERNAL)):
        kind, enabled = kinds.get(name, ("", False))
        one = fresh.get(name, Freshness(source=name))
        rows.append(
            {
                "source": name,
                "enabled": enabled,
                "kind": kind or None,
                "state": _state(one, kind, enabled=enabled),
                "cursor": read[name].cursor if name in read else None,
                "updated_at": iso(read[name].updated_at) if name in read else None,
                "waiting": waiting.get(name, 0),
                "ended": ended.get(name, 0),
            }
            | _fresh_row(one, enabled=enabled)
            | _gaps_row(list_gaps(connection, source=name, limit=1000), now)
        )
    return rows


def cure_of(trouble: str) -> str | None:
    """Say what to do about a trouble; None where nothing is known."""
    return CURES.get(trouble)


def gap_row(gap: Gap) -> dict[str, Any]:
    """Write a gap."""
    return {
        "source": gap.source,
        "reason": gap.reason,
        "from_at": iso(gap.from_at),
        "to_at": iso(gap.to_at),
        "state": gap.state,
    }


def _kinds(catalogue: Catalogue, settings: Settings) -> dict[str, tuple[str, bool]]:
    found = {
        "push": ("push", True),
        LOOK_BACK: (f"{LOOK_BACK} search", settings.lookback_days > 0),
    }
    if settings.replay_file is not None:
        found["replay"] = ("replay", True)
    for one in catalogue.streams:
        found[one.config.name] = (one.config.kind, one.config.enabled)
    for one in catalogue.searches:
        found[one.config.name] = (f"{one.config.kind} search", one.config.enabled)
    return found


def _state(one: Freshness, kind: str, *, enabled: bool) -> str:
    if not enabled:
        return DISABLED
    if one.troubles:
        return one.troubles[0]
    if kind.endswith(" search"):
        return ASKED
    return GIVING if one.heard_at is not None or kind in {"push", "replay"} else NEVER


def _fresh_row(one: Freshness, *, enabled: bool) -> dict[str, Any]:
    return {
        "troubles": list(one.troubles) if enabled else [],
        "problem": one.problem,
        "problem_at": iso(one.problem_at),
        "retry_at": iso(one.retry_at),
        "heard_seconds": one.heard_seconds,
        "lag_seconds": one.lag_seconds,
        "kinds": {
            kind.value: {"events": events, "last_at": iso(at), "missing": kind in one.missing}
            for kind, (events, at) in sorted(one.kinds.items())
        },
        "missing": [kind.value for kind in one.missing],
    }


def _gaps_row(found: Sequence[Gap], now: datetime) -> dict[str, Any]:
    lately = [one for one in found if one.to_at is None or one.to_at > now - LATELY]
    counts = {state.value: sum(one.state is state for one in lately) for state in GapState}
    return {"gaps": counts, "latest_gaps": [gap_row(one) for one in lately[:SHOWN_GAPS]]}


def _counts(connection: Connection, table: sa.Table) -> dict[str, int]:
    query = sa.select(table.c.source, sa.func.count()).group_by(table.c.source)
    return {row[0]: row[1] for row in connection.execute(query)}
