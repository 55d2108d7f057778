"""Features of several modalities, negatives, and the quarantine of a reference that floods."""

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NEW_COLUMNS = (("subject", 8), ("quarantined_at", 26), ("quarantine_reason", 16))


def upgrade() -> None:
    """Add tables and columns, and to each case the content that its keywords stand for."""
    for name, length in _NEW_COLUMNS:
        op.add_column("media_references", _nullable(name, sa.String(length)))
    _create_negatives()
    _create_counters()
    _create_held()
    _add_mentions()


def downgrade() -> None:
    """Drop what was added; the contents stay, for tasks may name them."""
    for table in ("held_sightings", "sighting_counters", "negatives"):
        op.drop_table(table)
    for name, _ in reversed(_NEW_COLUMNS):
        op.drop_column("media_references", name)


def _c(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _nullable(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def _time() -> sa.String:
    """`monitors.tables.UtcTime` as the database sees it."""
    return sa.String(26)


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}")


def _create_negatives() -> None:
    op.create_table(
        "negatives",
        _c("id", sa.String(32)),
        _c("space", sa.String(128)),
        _c("features", sa.LargeBinary()),
        _nullable("case_id", sa.String(32)),
        _nullable("reference_id", sa.String(32)),
        _c("reason", sa.String(64)),
        _c("added_by", sa.String(128)),
        _c("added_at", _time()),
        _refers("negatives", "case_id", "cases"),
        _refers("negatives", "reference_id", "media_references"),
        sa.PrimaryKeyConstraint("id", "space", name="pk_negatives"),
    )
    op.create_index("ix_negatives_case_id", "negatives", ["case_id"])
    op.create_index("ix_negatives_space", "negatives", ["space"])


def _create_counters() -> None:
    op.create_table(
        "sighting_counters",
        _c("reference_id", sa.String(32)),
        _c("post_key", sa.String(32)),
        _c("medium", sa.Integer()),
        _c("bytes_key", sa.String(64)),
        _c("host", sa.String(253)),
        _c("unsure", sa.Boolean()),
        _c("at", _time()),
        _refers("sighting_counters", "reference_id", "media_references"),
        sa.PrimaryKeyConstraint("reference_id", "post_key", "medium", name="pk_sighting_counters"),
    )
    op.create_index("ix_sighting_counters_at", "sighting_counters", ["reference_id", "at"])


def _create_held() -> None:
    op.create_table(
        "held_sightings",
        _c("id", sa.String(32)),
        _c("reference_id", sa.String(32)),
        _c("case_id", sa.String(32)),
        _c("content_id", sa.String(32)),
        _c("host", sa.String(253)),
        _c("keyword_hits", sa.Integer()),
        _c("post_key", sa.String(32)),
        _c("medium", sa.Integer()),
        _c("source", sa.String(32)),
        _c("post_id", sa.String(1024)),
        _c("post_url", sa.String(4096)),
        _c("media_url", sa.String(4096)),
        _nullable("author", sa.String(1024)),
        _nullable("media_sha256", sa.String(64)),
        _c("confidence", sa.Float()),
        _c("decision", sa.String(8)),
        _c("evidence", sa.JSON()),
        _nullable("published_at", _time()),
        _c("observed_at", _time()),
        _c("triaged_at", _time()),
        _c("inspected_at", _time()),
        _c("decided_at", _time()),
        _c("held_until", _time()),
        _nullable("discarded_at", _time()),
        _refers("held_sightings", "reference_id", "media_references"),
        _refers("held_sightings", "case_id", "cases"),
        _refers("held_sightings", "content_id", "contents"),
        sa.PrimaryKeyConstraint("id", name="pk_held_sightings"),
        sa.UniqueConstraint(
            "case_id",
            "content_id",
            "host",
            "post_key",
            "medium",
            name="uq_held_sightings_case_id_content_id_host_post_key_medium",
        ),
    )
    for column in ("reference_id", "case_id", "held_until", "discarded_at"):
        op.create_index(f"ix_held_sightings_{column}", "held_sightings", [column])


def _add_mentions() -> None:
    """Do what `monitors.register` does for each case that it opens."""
    connection = op.get_bind()
    for case, opened_at in connection.execute(sa.text("SELECT id, opened_at FROM cases")).all():
        content = hashlib.sha256(f"mentions\0{case}".encode()).hexdigest()[:32]
        connection.execute(
            sa.text("INSERT INTO contents (id, case_id, created_at) VALUES (:id, :case, :at)"),
            {"id": content, "case": case, "at": opened_at},
        )
