"""Everything that version 0.1 keeps."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and the gallery's first version."""
    _create_cases()
    _create_posts()
    _create_tasks()
    _create_people()
    op.execute("INSERT INTO gallery_version (id, version) VALUES (1, 0)")


def downgrade() -> None:
    """Drop them, what refers to others first."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _time() -> sa.String:
    """`monitors.tables.UtcTime` as the database sees it."""
    return sa.String(26)


def _c(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **options)


def _nullable(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


_TABLES = [
    "cases",
    "keywords",
    "contents",
    "media_references",
    "features",
    "gallery_version",
    "inbox",
    "outcomes",
    "cursors",
    "dead_letters",
    "tasks",
    "locations",
    "outbox",
    "deliveries",
    "audit",
    "users",
    "sessions",
    "login_attempts",
]


def _create_cases() -> None:
    op.create_table(
        "cases",
        _c("id", sa.String(32)),
        _c("alias", sa.String(128)),
        _c("age_class", sa.String(8)),
        _c("legal_basis", sa.String(32)),
        _c("consent_face", sa.Boolean()),
        _c("consent_voice", sa.Boolean()),
        _c("status", sa.String(16)),
        _c("opened_at", _time()),
        _nullable("expires_at", _time()),
        _nullable("ended_at", _time()),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        sa.UniqueConstraint("alias", name="uq_cases_alias"),
    )
    op.create_table(
        "keywords",
        _c("id", sa.String(32)),
        _c("case_id", sa.String(32)),
        _c("sealed", sa.LargeBinary()),
        _c("added_at", _time()),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_keywords_case_id"),
        sa.PrimaryKeyConstraint("id", name="pk_keywords"),
    )
    op.create_index("ix_keywords_case_id", "keywords", ["case_id"])
    op.create_table(
        "contents",
        _c("id", sa.String(32)),
        _c("case_id", sa.String(32)),
        _c("created_at", _time()),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_contents_case_id"),
        sa.PrimaryKeyConstraint("id", name="pk_contents"),
    )
    op.create_index("ix_contents_case_id", "contents", ["case_id"])
    op.create_table(
        "media_references",
        _c("id", sa.String(32)),
        _c("case_id", sa.String(32)),
        _c("content_id", sa.String(32)),
        _c("kind", sa.String(8)),
        _c("bytes_hmac", sa.String(64)),
        _nullable("quarantined_until", _time()),
        _c("added_at", _time()),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_media_references_case_id"),
        sa.ForeignKeyConstraint(
            ["content_id"], ["contents.id"], name="fk_media_references_content_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_media_references"),
        sa.UniqueConstraint("case_id", "bytes_hmac", name="uq_media_references_case_id_bytes_hmac"),
    )
    op.create_index("ix_media_references_case_id", "media_references", ["case_id"])
    op.create_table(
        "features",
        _c("reference_id", sa.String(32)),
        _c("space", sa.String(128)),
        _c("sealed", sa.LargeBinary()),
        sa.ForeignKeyConstraint(
            ["reference_id"], ["media_references.id"], name="fk_features_reference_id"
        ),
        sa.PrimaryKeyConstraint("reference_id", "space", name="pk_features"),
    )
    op.create_table(
        "gallery_version",
        _c("id", sa.Integer()),
        _c("version", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_gallery_version"),
    )


def _create_posts() -> None:
    op.create_table(
        "inbox",
        _c("post_key", sa.String(32)),
        _c("source", sa.String(32)),
        _nullable("cursor", sa.String(256)),
        _c("payload", sa.LargeBinary()),
        _c("observed_at", _time()),
        _nullable("produced_at", _time()),
        _c("attempts", sa.Integer()),
        _nullable("not_before", _time()),
        sa.PrimaryKeyConstraint("post_key", name="pk_inbox"),
    )
    op.create_index("ix_inbox_due", "inbox", ["produced_at", "not_before"])
    op.create_index("ix_inbox_source", "inbox", ["source", "observed_at"])
    op.create_table(
        "outcomes",
        _c("post_key", sa.String(32)),
        _c("source", sa.String(32)),
        _c("outcome", sa.String(16)),
        _nullable("reason", sa.String(64)),
        _c("media", sa.Integer()),
        _c("observed_at", _time()),
        _c("ended_at", _time()),
        sa.PrimaryKeyConstraint("post_key", name="pk_outcomes"),
    )
    op.create_index("ix_outcomes_ended_at", "outcomes", ["ended_at"])
    op.create_table(
        "cursors",
        _c("source", sa.String(32)),
        _nullable("cursor", sa.String(256)),
        _nullable("owner", sa.String(64)),
        _nullable("leased_until", _time()),
        _c("updated_at", _time()),
        sa.PrimaryKeyConstraint("source", name="pk_cursors"),
    )
    op.create_table(
        "dead_letters",
        _c("id", sa.Integer()),
        _c("epoch", sa.String(64)),
        _c("topic", sa.String(249)),
        _c("partition", sa.Integer()),
        _c("record_offset", sa.BigInteger()),
        _c("agent", sa.String(32)),
        _c("reason", sa.String(64)),
        _c("error", sa.String(128)),
        _c("at", _time()),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"),
        sa.UniqueConstraint(
            "epoch",
            "topic",
            "partition",
            "record_offset",
            "agent",
            name="uq_dead_letters_epoch_topic_partition_record_offset_agent",
        ),
    )


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        _c("id", sa.String(32)),
        _c("case_id", sa.String(32)),
        _c("content_id", sa.String(32)),
        _c("host", sa.String(253)),
        _c("status", sa.String(32)),
        _c("severity", sa.String(16)),
        _c("decision", sa.String(8)),
        _c("confidence", sa.Float()),
        _c("opened_at", _time()),
        _c("updated_at", _time()),
        _c("observed_at", _time()),
        _c("reappeared", sa.Integer()),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_tasks_case_id"),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], name="fk_tasks_content_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sa.UniqueConstraint(
            "case_id", "content_id", "host", name="uq_tasks_case_id_content_id_host"
        ),
    )
    op.create_index("ix_tasks_opened_at", "tasks", ["opened_at"])
    op.create_table(
        "locations",
        _c("id", sa.String(32)),
        _c("task_id", sa.String(32)),
        _c("post_key", sa.String(32)),
        _c("medium", sa.Integer()),
        _c("source", sa.String(32)),
        _c("post_id", sa.String(1024)),
        _c("post_url", sa.String(4096)),
        _c("media_url", sa.String(4096)),
        _nullable("author", sa.String(1024)),
        _nullable("media_sha256", sa.String(64)),
        _c("reference_id", sa.String(32)),
        _c("confidence", sa.Float()),
        _c("decision", sa.String(8)),
        _c("evidence", sa.JSON()),
        _nullable("published_at", _time()),
        _c("observed_at", _time()),
        _c("triaged_at", _time()),
        _c("inspected_at", _time()),
        _c("decided_at", _time()),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_locations_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_locations"),
        sa.UniqueConstraint(
            "task_id", "post_key", "medium", name="uq_locations_task_id_post_key_medium"
        ),
    )
    op.create_index("ix_locations_task_id", "locations", ["task_id"])
    op.create_table(
        "outbox",
        _c("id", sa.String(32)),
        _c("task_id", sa.String(32)),
        _c("event", sa.String(64)),
        _c("payload", sa.JSON()),
        _c("created_at", _time()),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_outbox_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_table(
        "deliveries",
        _c("outbox_id", sa.String(32)),
        _c("endpoint", sa.Integer()),
        _c("status", sa.String(8)),
        _c("attempts", sa.Integer()),
        _c("next_attempt_at", _time()),
        _nullable("leased_until", _time()),
        _nullable("delivered_at", _time()),
        _nullable("last_reason", sa.String(64)),
        sa.ForeignKeyConstraint(["outbox_id"], ["outbox.id"], name="fk_deliveries_outbox_id"),
        sa.PrimaryKeyConstraint("outbox_id", "endpoint", name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_due", "deliveries", ["status", "next_attempt_at"])


def _create_people() -> None:
    op.create_table(
        "audit",
        _c("seq", sa.Integer(), autoincrement=False),
        _c("at", _time()),
        _c("actor", sa.String(128)),
        _c("action", sa.String(64)),
        _c("subject", sa.String(128)),
        _c("detail", sa.JSON()),
        _c("previous", sa.String(64)),
        _c("mac", sa.String(64)),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_table(
        "users",
        _c("id", sa.String(32)),
        _c("name", sa.String(64)),
        _c("role", sa.String(16)),
        _c("password_hash", sa.String(256)),
        _c("disabled", sa.Boolean()),
        _c("created_at", _time()),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )
    op.create_table(
        "sessions",
        _c("token_hash", sa.String(64)),
        _c("user_id", sa.String(32)),
        _c("created_at", _time()),
        _c("seen_at", _time()),
        _c("expires_at", _time()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "login_attempts",
        _c("name", sa.String(64)),
        _c("failures", sa.Integer()),
        _nullable("locked_until", _time()),
        sa.PrimaryKeyConstraint("name", name="pk_login_attempts"),
    )
