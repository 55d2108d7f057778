"""How sources are, what they missed, what was seen lately, searches, and what is gone."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_REFS = ("post_ref", "author_ref")


def upgrade() -> None:
    """Add tables and columns."""
    op.add_column(
        "inbox", sa.Column("urgent", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    for name in _REFS:
        for table in ("inbox", "locations", "held_sightings"):
            op.add_column(table, _nullable(name, sa.String(32)))
        for table in ("inbox", "locations"):
            op.create_index(f"ix_{table}_{name}", table, [name])
    op.add_column("locations", _nullable("gone_at", _time()))
    op.add_column("locations", _nullable("gone_reason", sa.String(64)))
    _create_states()
    _create_gaps()
    _create_seen()
    _create_searches()
    _create_spellings()


def downgrade() -> None:
    """Drop what was added."""
    for table in (
        "keyword_spellings", "search_posts", "search_sources", "searches", "seen_views",
        "seen_posts", "gaps", "source_kinds", "source_states",
    ):  # fmt: skip
        op.drop_table(table)
    for name in ("gone_reason", "gone_at"):
        op.drop_column("locations", name)
    for name in reversed(_REFS):
        for table in ("inbox", "locations"):
            op.drop_index(f"ix_{table}_{name}", table)
        for table in ("inbox", "locations", "held_sightings"):
            op.drop_column(table, name)
    op.drop_column("inbox", "urgent")


def _c(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _nullable(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def _time() -> sa.String:
    """`monitors.tables.UtcTime` as the database sees it."""
    return sa.String(26)


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}")


def _create_states() -> None:
    times = ("connected_at", "heard_at", "event_at", "problem_at", "retry_at", "canary_sent_at",
             "canary_seen_at")  # fmt: skip
    op.create_table(
        "source_states",
        _c("source", sa.String(32)),
        *(_nullable(name, _time()) for name in times),
        _nullable("problem", sa.String(64)),
        sa.PrimaryKeyConstraint("source", name="pk_source_states"),
    )
    op.create_table(
        "source_kinds",
        _c("source", sa.String(32)),
        _c("kind", sa.String(16)),
        _c("events", sa.BigInteger()),
        _c("last_at", _time()),
        sa.PrimaryKeyConstraint("source", "kind", name="pk_source_kinds"),
    )


def _create_gaps() -> None:
    op.create_table(
        "gaps",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=True),
        _c("source", sa.String(32)),
        _c("reason", sa.String(64)),
        _c("from_at", _time()),
        _nullable("to_at", _time()),
        _c("state", sa.String(8)),
        sa.PrimaryKeyConstraint("id", name="pk_gaps"),
    )
    op.create_index("ix_gaps_source", "gaps", ["source", "from_at"])


def _create_seen() -> None:
    op.create_table(
        "seen_posts",
        _c("post_key", sa.String(32)),
        _c("source", sa.String(32)),
        _c("payload", sa.LargeBinary()),
        _c("observed_at", _time()),
        sa.PrimaryKeyConstraint("post_key", name="pk_seen_posts"),
    )
    op.create_index("ix_seen_posts_observed_at", "seen_posts", ["observed_at"])
    op.create_table(
        "seen_views",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=True),
        _c("post_key", sa.String(32)),
        _c("medium", sa.Integer()),
        _c("space", sa.String(128)),
        _c("at_seconds", sa.Float()),
        _c("vector", sa.LargeBinary()),
        _nullable("pdq", sa.LargeBinary()),
        _c("observed_at", _time()),
        sa.PrimaryKeyConstraint("id", name="pk_seen_views"),
    )


def _create_searches() -> None:
    op.create_table(
        "searches",
        _c("id", sa.String(32)),
        _c("case_id", sa.String(32)),
        _c("actor", sa.String(128)),
        _c("sources", sa.JSON()),
        _c("asked_at", _time()),
        _c("deadline_at", _time()),
        _nullable("owner", sa.String(64)),
        _nullable("leased_until", _time()),
        _nullable("ended_at", _time()),
        _c("state", sa.String(16)),
        _refers("searches", "case_id", "cases"),
        sa.PrimaryKeyConstraint("id", name="pk_searches"),
    )
    for column in ("case_id", "asked_at"):
        op.create_index(f"ix_searches_{column}", "searches", [column])
    op.create_table(
        "search_sources",
        _c("search_id", sa.String(32)),
        _c("source", sa.String(32)),
        _c("state", sa.String(16)),
        _nullable("reason", sa.String(64)),
        _c("queries", sa.Integer()),
        _c("answered", sa.Integer()),
        _c("found", sa.Integer()),
        _nullable("ended_at", _time()),
        _refers("search_sources", "search_id", "searches"),
        sa.PrimaryKeyConstraint("search_id", "source", name="pk_search_sources"),
    )
    op.create_table(
        "search_posts",
        _c("search_id", sa.String(32)),
        _c("post_key", sa.String(32)),
        _c("source", sa.String(32)),
        _c("found_at", _time()),
        _refers("search_posts", "search_id", "searches"),
        sa.PrimaryKeyConstraint("search_id", "post_key", name="pk_search_posts"),
    )
    op.create_index("ix_search_posts_post_key", "search_posts", ["post_key"])


def _create_spellings() -> None:
    op.create_table(
        "keyword_spellings",
        _c("id", sa.String(32)),
        _c("keyword_id", sa.String(32)),
        _c("state", sa.String(8)),
        _c("sealed", sa.LargeBinary()),
        _c("changed_at", _time()),
        _refers("keyword_spellings", "keyword_id", "keywords"),
        sa.PrimaryKeyConstraint("id", name="pk_keyword_spellings"),
    )
    op.create_index("ix_keyword_spellings_keyword_id", "keyword_spellings", ["keyword_id"])
