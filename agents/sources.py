"""What is known of each source: for `haechi source list`."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.tables import cursors, inbox, outcomes
from streams.settings import Settings

INTERNAL = "@"
"""Begins the names of leases that are no source's."""


def read_sources(connection: Connection, settings: Settings) -> list[dict[str, Any]]:
    """Give one row a source, enabled or seen before; the push endpoint always is one.

    Args:
        connection: to read by.
        settings: which sources are enabled.
    """
    enabled = {"push"} | ({"replay"} if settings.replay_file else set())
    waiting = _counts(connection, inbox)
    ended = _counts(connection, outcomes)
    read = {row.source: row for row in connection.execute(sa.select(cursors))}
    names = sorted(
        name
        for name in enabled | waiting.keys() | ended.keys() | read.keys()
        if not name.startswith(INTERNAL)
    )
    return [
        {
            "source": name,
            "enabled": name in enabled,
            "cursor": read[name].cursor if name in read else None,
            "updated_at": read[name].updated_at.isoformat() if name in read else None,
            "waiting": waiting.get(name, 0),
            "ended": ended.get(name, 0),
        }
        for name in names
    ]


def _counts(connection: Connection, table: sa.Table) -> dict[str, int]:
    query = sa.select(table.c.source, sa.func.count()).group_by(table.c.source)
    return {row[0]: row[1] for row in connection.execute(query)}
