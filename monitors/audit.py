"""Who did what: a chain of rows, each authenticated together with its predecessor.

A row's MAC is HMAC-SHA-256 over its canonical JSON, the previous row's MAC included. Whoever has
no key can neither change, delete, insert nor swap a row unnoticed; the last rows can only be cut
off, which an exported head shows.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.tables import audit

Detail: TypeAlias = Mapping[str, str | int | bool | Sequence[str] | None]
"""Identifiers, numbers and choices only: never a keyword, a URL or a file's name."""

GENESIS = "0" * 64
"""What the first row has for a predecessor."""

_AUTHENTICATED = ("seq", "at", "actor", "action", "subject", "detail", "previous")

_LOCK = 0x415544  # PostgreSQL's advisory lock of whoever appends


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The chain's last row, to be kept outside the database.

    Args:
        seq: its number; 0 for an empty chain.
        mac: its MAC, 64 hex digits.
    """

    seq: int
    mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One thing that somebody did.

    Args:
        seq: from 1 on, without a gap.
        at: aware UTC.
        actor: the operating system's user, the console's, or a process.
        action: "case.withdraw", "reference.add"...
        subject: the case's or the task's identifier.
        detail: what else must be known.
        previous: the MAC of row `seq - 1`.
        mac: this row's.
    """

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    previous: str
    mac: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a check of the chain found.

    Args:
        rows: how many there are.
        broken_at: the number of the first row that is missing or not as written; None: whole.
    """

    rows: int
    broken_at: int | None


class AuditLog:
    """Appends to the chain.

    Args:
        key: see `KeyStore.audit_key`.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def append(
        self,
        connection: Connection,
        *,
        actor: str,
        action: str,
        subject: str,
        detail: Detail,
        now: datetime,
    ) -> None:
        """Add a row in the transaction that did the thing, as that transaction's last statement.

        Last, because it takes the chain's lock until the transaction ends.

        Args:
            connection: of `Database.write`.
            actor: see `AuditRow`, as for the rest.
            action: which.
            subject: whose.
            detail: what else.
            now: when.
        """
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        last = read_head(connection)
        row = AuditRow(
            seq=last.seq + 1,
            at=now,
            actor=actor[:128],
            action=action,
            subject=subject,
            detail=json.loads(_canonical(dict(detail))),
            previous=last.mac,
        )
        values = asdict(row) | {"mac": _mac(self._key, row)}
        connection.execute(sa.insert(audit).values(values))


def read_head(connection: Connection) -> Head:
    """Read the chain's last row."""
    query = sa.select(audit.c.seq, audit.c.mac).order_by(audit.c.seq.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return Head(seq=0, mac=GENESIS) if row is None else Head(seq=row.seq, mac=row.mac)


def verify(connection: Connection, key: bytes, head: Head | None = None) -> AuditReport:
    """Check every row of the chain, and that it reaches an earlier head.

    Args:
        connection: reads only.
        key: see `KeyStore.audit_key`.
        head: one that was exported before; None: a chain cut short goes unnoticed.
    """
    rows = connection.execution_options(yield_per=1000).execute(
        sa.select(audit).order_by(audit.c.seq)
    )
    return check_chain((AuditRow(**row) for row in rows.mappings()), key, head)


def check_chain(rows: Iterable[AuditRow], key: bytes, head: Head | None = None) -> AuditReport:
    """Check rows in order; see `verify`."""
    count, previous, broken_at = 0, GENESIS, None
    for row in rows:
        count += 1
        if broken_at is None and not (_follows(row, count, previous, key) and _meets(row, head)):
            broken_at = count
        previous = row.mac
    if broken_at is None and head is not None and count < head.seq:
        broken_at = count + 1
    return AuditReport(rows=count, broken_at=broken_at)


def _follows(row: AuditRow, seq: int, previous: str, key: bytes) -> bool:
    linked = row.seq == seq and row.previous == previous
    return linked and hmac.compare_digest(row.mac.encode(), _mac(key, row).encode())


def _meets(row: AuditRow, head: Head | None) -> bool:
    return head is None or row.seq != head.seq or row.mac == head.mac


def _mac(key: bytes, row: AuditRow) -> str:
    fields = {name: getattr(row, name) for name in _AUTHENTICATED}
    fields["at"] = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    return hmac.new(key, _canonical(fields).encode(), hashlib.sha256).hexdigest()


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
