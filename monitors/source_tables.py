"""The tables of sources, of what was seen, and of searches; see `monitors.tables`."""

import sqlalchemy as sa
from sqlalchemy import JSON, Column, Float, ForeignKey, Integer, LargeBinary, String, Table

from monitors.tables import UtcTime, metadata

source_states = Table(
    "source_states",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("connected_at", UtcTime),
    Column("heard_at", UtcTime),
    Column("event_at", UtcTime),
    Column("problem", String(64)),
    Column("problem_at", UtcTime),
    Column("retry_at", UtcTime),
    Column("canary_sent_at", UtcTime),
    Column("canary_seen_at", UtcTime),
)
"""How each source is. `heard_at`: when anything came last; `event_at`: when that happened, as the
source says; `problem`: a `StreamError`'s reason, null while it gives."""


source_kinds = Table(
    "source_kinds",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("events", sa.BigInteger, nullable=False),
    Column("last_at", UtcTime, nullable=False),
)
"""How many events of each kind a source gave, and when the last came."""


gaps = Table(
    "gaps",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("source", String(32), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("from_at", UtcTime, nullable=False),
    Column("to_at", UtcTime),
    Column("state", String(8), nullable=False),  # open | refilled | lost
    sa.Index("ix_gaps_source", "source", "from_at"),
)
"""The gap ledger: when a source was not read, why, and whether that was made good."""


seen_posts = Table(
    "seen_posts",
    metadata,
    Column("post_key", String(32), primary_key=True),
    Column("source", String(32), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("observed_at", UtcTime, nullable=False, index=True),
)
"""Posts with media of the last days, for looking back; `payload` is a `PostRecord`, compressed."""


seen_views = Table(
    "seen_views",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("post_key", String(32), nullable=False),
    Column("medium", Integer, nullable=False),
    Column("space", String(128), nullable=False),
    Column("at_seconds", Float, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("pdq", LargeBinary),
    Column("observed_at", UtcTime, nullable=False),
)
"""Fingerprints on their way from the workers to the look-back's store; see `agents.filing`.
`vector`: float16, little endian."""


searches = Table(
    "searches",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("actor", String(128), nullable=False),
    Column("sources", JSON, nullable=False),
    Column("asked_at", UtcTime, nullable=False, index=True),
    Column("deadline_at", UtcTime, nullable=False),
    Column("owner", String(64)),
    Column("leased_until", UtcTime),
    Column("ended_at", UtcTime),
    Column("state", String(16), nullable=False),  # waiting | running | done | late | stopped
)
"""Searches for a case. `sources`: names that were asked for; empty: every enabled one."""


search_sources = Table(
    "search_sources",
    metadata,
    Column("search_id", ForeignKey("searches.id"), primary_key=True),
    Column("source", String(32), primary_key=True),
    Column("state", String(16), nullable=False),  # waiting | asking | answered | partly | failed
    Column("reason", String(64)),
    Column("queries", Integer, nullable=False, default=0),
    Column("answered", Integer, nullable=False, default=0),
    Column("found", Integer, nullable=False, default=0),
    Column("ended_at", UtcTime),
)
"""How far each source of a search is, and whether its answer is complete."""


search_posts = Table(
    "search_posts",
    metadata,
    Column("search_id", ForeignKey("searches.id"), primary_key=True),
    Column("post_key", String(32), primary_key=True),
    Column("source", String(32), nullable=False),
    Column("found_at", UtcTime, nullable=False),
    sa.Index("ix_search_posts_post_key", "post_key"),
)
"""What a search found, to be inspected like any post."""
