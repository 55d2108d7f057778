"""The database's tables (SQLAlchemy Core). Alembic's steps in `migrations/` must equal them.

Portable between SQLite and PostgreSQL: times are aware UTC (`UtcTime`), identifiers are text,
JSON is `sqlalchemy.JSON`. What names a person or shows a picture is sealed with its case's key.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Integer, LargeBinary, String, Table
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC in Python; 26 sortable characters in every database (ISO 8601, microseconds)."""

    impl = String(26)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:  # noqa: ARG002
        """Write UTC without its offset."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without its zone")
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        """Read UTC."""
        return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

cases = Table(
    "cases",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("alias", String(128), nullable=False, unique=True),
    Column("age_class", String(8), nullable=False),
    Column("legal_basis", String(32), nullable=False),
    Column("consent_face", Boolean, nullable=False, default=False),
    Column("consent_voice", Boolean, nullable=False, default=False),
    Column("status", String(16), nullable=False),  # open | withdrawn | closed
    Column("opened_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("ended_at", UtcTime),
)
"""`alias` is a pseudonym that the case worker chooses; never a name."""

keywords = Table(
    "keywords",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("added_at", UtcTime, nullable=False),
)
"""A keyword may be a name: its text is sealed with the case's key."""

contents = Table(
    "contents",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
)
"""Reference groups: canonical content. One of each case stands for its keywords where they are
spoken or written in pictures; see `monitors.cases.mentions_content`."""

references = Table(
    "media_references",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("content_id", ForeignKey("contents.id"), nullable=False),
    Column("kind", String(8), nullable=False),  # image | video | audio
    Column("subject", String(8)),  # face | voice
    Column("bytes_hmac", String(64), nullable=False),
    Column("quarantined_until", UtcTime),
    Column("quarantined_at", UtcTime),
    Column("quarantine_reason", String(16)),
    Column("added_at", UtcTime, nullable=False),
    sa.UniqueConstraint("case_id", "bytes_hmac"),
)
"""`bytes_hmac`: HMAC-SHA-256 of the file under the case's key, so that it names nothing outside.
`subject`: null for footage; else it shows, or lets hear, the consenting person alone. The three of
the quarantine are null together; see `monitors.quarantine`."""

features = Table(
    "features",
    metadata,
    Column("reference_id", ForeignKey("media_references.id"), primary_key=True),
    Column("space", String(128), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""Derived features of a reference in one vector space, sealed with the case's key."""

negatives = Table(
    "negatives",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("space", String(128), primary_key=True),
    Column("features", LargeBinary, nullable=False),
    Column("case_id", ForeignKey("cases.id"), index=True),
    Column("reference_id", ForeignKey("media_references.id")),
    Column("reason", String(64), nullable=False),
    Column("added_by", String(128), nullable=False),
    Column("added_at", UtcTime, nullable=False),
    sa.Index("ix_negatives_space", "space"),
)
"""What a picture or a sound that is not the footage is told by: never a face or a voice, and not
sealed, for it is nobody's footage. Without a case it counts for all; with a reference, for it."""

gallery_version = Table(
    "gallery_version",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1
    Column("version", Integer, nullable=False),
)
"""Raised in the transaction of every change that matching must see."""

inbox = Table(
    "inbox",
    metadata,
    Column("post_key", String(32), primary_key=True),
    Column("source", String(32), nullable=False),
    Column("cursor", String(256)),
    Column("payload", LargeBinary, nullable=False),
    Column("observed_at", UtcTime, nullable=False),
    Column("produced_at", UtcTime),
    Column("attempts", Integer, nullable=False, default=0),
    Column("not_before", UtcTime),
    Column("urgent", Boolean, nullable=False, default=False),
    Column("post_ref", String(32), index=True),
    Column("author_ref", String(32), index=True),
    sa.Index("ix_inbox_due", "produced_at", "not_before"),
    sa.Index("ix_inbox_source", "source", "observed_at"),
)
"""Posts that have not ended. `payload` is a `PostRecord`; `produced_at` null: produce it now.
`post_ref` and `author_ref` name post and author without its revision, see `streams.refs`."""

outcomes = Table(
    "outcomes",
    metadata,
    Column("post_key", String(32), primary_key=True),
    Column("source", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(64)),
    Column("media", Integer, nullable=False),
    Column("observed_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime, nullable=False, index=True),
)
"""The one end of each post. No URL, no text."""

cursors = Table(
    "cursors",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("cursor", String(256)),
    Column("owner", String(64)),
    Column("leased_until", UtcTime),
    Column("updated_at", UtcTime, nullable=False),
)
"""Where each source goes on, and which collector owns it."""


keyword_spellings = Table(
    "keyword_spellings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("keyword_id", ForeignKey("keywords.id"), nullable=False, index=True),
    Column("state", String(8), nullable=False),  # added | off
    Column("sealed", LargeBinary, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
)
"""What an officer changed of a keyword's variants; the spelling is sealed with the case's key."""

tasks = Table(
    "tasks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False),
    Column("content_id", ForeignKey("contents.id"), nullable=False),
    Column("host", String(253), nullable=False),
    Column("status", String(32), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("decision", String(8), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("opened_at", UtcTime, nullable=False, index=True),
    Column("updated_at", UtcTime, nullable=False),
    Column("observed_at", UtcTime, nullable=False),
    Column("reappeared", Integer, nullable=False, default=0),
    sa.UniqueConstraint("case_id", "content_id", "host"),
)
"""One for each case, canonical content and host, for ever. `observed_at`: of the first sighting."""

locations = Table(
    "locations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("task_id", ForeignKey("tasks.id"), nullable=False, index=True),
    Column("post_key", String(32), nullable=False),
    Column("medium", Integer, nullable=False),
    Column("source", String(32), nullable=False),
    Column("post_id", String(1024), nullable=False),
    Column("post_url", String(4096), nullable=False),
    Column("media_url", String(4096), nullable=False),
    Column("author", String(1024)),
    Column("media_sha256", String(64)),
    Column("reference_id", String(32), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("decision", String(8), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("published_at", UtcTime),
    Column("observed_at", UtcTime, nullable=False),
    Column("triaged_at", UtcTime, nullable=False),
    Column("inspected_at", UtcTime, nullable=False),
    Column("decided_at", UtcTime, nullable=False),
    Column("post_ref", String(32), index=True),
    Column("author_ref", String(32), index=True),
    Column("gone_at", UtcTime),
    Column("gone_reason", String(64)),
    sa.UniqueConstraint("task_id", "post_key", "medium"),
)
"""Where a task's content stands: one row a medium. `evidence`: what
`alerts.evidence` writes, as JSON: numbers and words only. `gone_at`: when its source said that it
is gone."""

sighting_counters = Table(
    "sighting_counters",
    metadata,
    Column("reference_id", ForeignKey("media_references.id"), primary_key=True),
    Column("post_key", String(32), primary_key=True),
    Column("medium", Integer, primary_key=True),
    Column("bytes_key", String(64), nullable=False),
    Column("host", String(253), nullable=False),
    Column("unsure", Boolean, nullable=False),
    Column("at", UtcTime, nullable=False),
    sa.Index("ix_sighting_counters_at", "reference_id", "at"),
)
"""What each reference sighted lately: what its flood is told by. `bytes_key`: the medium's SHA-256,
or one of its address."""

held_sightings = Table(
    "held_sightings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("reference_id", ForeignKey("media_references.id"), nullable=False, index=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("content_id", ForeignKey("contents.id"), nullable=False),
    Column("host", String(253), nullable=False),
    Column("keyword_hits", Integer, nullable=False),
    Column("post_key", String(32), nullable=False),
    Column("medium", Integer, nullable=False),
    Column("source", String(32), nullable=False),
    Column("post_id", String(1024), nullable=False),
    Column("post_url", String(4096), nullable=False),
    Column("media_url", String(4096), nullable=False),
    Column("author", String(1024)),
    Column("media_sha256", String(64)),
    Column("confidence", Float, nullable=False),
    Column("decision", String(8), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("published_at", UtcTime),
    Column("observed_at", UtcTime, nullable=False),
    Column("triaged_at", UtcTime, nullable=False),
    Column("inspected_at", UtcTime, nullable=False),
    Column("decided_at", UtcTime, nullable=False),
    Column("post_ref", String(32)),
    Column("author_ref", String(32)),
    Column("held_until", UtcTime, nullable=False, index=True),
    Column("discarded_at", UtcTime, index=True),
    sa.UniqueConstraint("case_id", "content_id", "host", "post_key", "medium"),
)
"""Locations in waiting: what a reference in quarantine sighted. Due at `held_until` they become
locations; discarded ones stay a while without an address, so that the same sighting, delivered
again, is known."""

outbox = Table(
    "outbox",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("task_id", ForeignKey("tasks.id"), nullable=False),
    Column("event", String(64), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
"""Events to be told, written in the transaction that made them true."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("outbox_id", ForeignKey("outbox.id"), primary_key=True),
    Column("endpoint", Integer, primary_key=True),
    Column("status", String(8), nullable=False),  # pending | sent | dead
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", UtcTime, nullable=False),
    Column("leased_until", UtcTime),
    Column("delivered_at", UtcTime),
    Column("last_reason", String(64)),
    sa.Index("ix_deliveries_due", "status", "next_attempt_at"),
)
"""One row an event and endpoint; the endpoint is its position in the settings."""

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("epoch", String(64), nullable=False),
    Column("topic", String(249), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("record_offset", sa.BigInteger, nullable=False),
    Column("agent", String(32), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("error", String(128), nullable=False),
    Column("at", UtcTime, nullable=False),
    sa.UniqueConstraint("epoch", "topic", "partition", "record_offset", "agent"),
)
"""Messages set aside. `epoch` is the consumer group: an embedded broker forgets its offsets."""

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("mac", String(64), nullable=False),
)
"""Who did what: chained and keyed, appended under the write lock."""

users = Table(
    "users",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(256), nullable=False),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", UtcTime, nullable=False),
)
"""People who may log in to the console; argon2id hashes."""

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)
"""Server-side sessions: the SHA-256 of a 256-bit token."""

login_attempts = Table(
    "login_attempts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("locked_until", UtcTime),
)
"""Brake on guessing."""
