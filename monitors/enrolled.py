"""A case's references as officers see them: what is enrolled, set aside by hand, or taken out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.audit import Detail
from monitors.cases import find_case, raise_gallery_version
from monitors.quarantine import SIGHTING_LOCK, Quarantine, Reason, begin, count_held
from monitors.register import CaseRegister
from monitors.tables import features, held_sightings, negatives, references, sighting_counters
from streams.errors import UnknownReferenceError
from streams.types import CaseId, MediaKind, ReferenceId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRow:
    """A reference as `case reference list` prints it.

    Args:
        reference: which.
        kind: what it is.
        subject: "face" or "voice" where it shows, or lets hear, the person alone; None: footage.
        spaces: that it has features in, sorted; none where they were deleted.
        added_at: aware UTC, as are all.
        quarantined_at: None where it is not in quarantine.
        quarantined_until: likewise.
        quarantine_reason: likewise.
        held: how many sightings wait.
    """

    reference: ReferenceId
    kind: MediaKind
    subject: str | None
    spaces: tuple[str, ...]
    added_at: datetime
    quarantined_at: datetime | None
    quarantined_until: datetime | None
    quarantine_reason: Reason | None
    held: int


def list_references(connection: Connection, case: CaseId, now: datetime) -> list[ReferenceRow]:
    """List a case's references, the oldest first."""
    rows = connection.execute(
        sa.select(references)
        .where(references.c.case_id == case)
        .order_by(references.c.added_at, references.c.id)
    ).all()
    spaces = _spaces(connection, case)
    return [_reference_row(connection, row, spaces.get(row.id, ()), now) for row in rows]


def require_reference(connection: Connection, case: CaseId, reference: str) -> ReferenceId:
    """Find a case's reference by its identifier, or by the beginning of it.

    Raises:
        UnknownReferenceError: the case has no such reference, or several that begin so.
    """
    query = sa.select(references.c.id).where(
        references.c.id.startswith(reference, autoescape=True), references.c.case_id == case
    )
    found = connection.scalars(query.limit(2)).all() if reference else []
    if not found:
        raise UnknownReferenceError("the case has no such reference")
    if len(found) > 1:
        raise UnknownReferenceError("several references begin so: write more of the identifier")
    return ReferenceId(found[0])


def find_reference(register: CaseRegister, case: str, reference: str) -> ReferenceId:
    """Find a reference by its case's name and the beginning of its identifier.

    Raises:
        UnknownCaseError: there is no such case.
        UnknownReferenceError: see `require_reference`.
    """
    with register.database.read() as connection:
        return require_reference(connection, find_case(connection, case).id, reference)


def quarantine_by_hand(
    register: CaseRegister, case: str, reference: str, seconds: float
) -> datetime:
    """Hold everything that a reference sights from now on, what is sure too; tell until when.

    Raises:
        UnknownCaseError: there is no such case.
        UnknownReferenceError: it has no such reference.
    """
    now = register.clock.now()
    until = now + timedelta(seconds=seconds)
    with register.database.write() as connection:
        register.database.lock(connection, SIGHTING_LOCK)
        owner = find_case(connection, case, lock=True).id
        found = require_reference(connection, owner, reference)
        begin(connection, found, Quarantine(reason=Reason.BY_HAND, until=until), now)
        detail: Detail = {"reference": found, "until": until.isoformat()}
        register.record(connection, "reference.quarantine", owner, detail)
    return until


def remove_reference(register: CaseRegister, case: str, reference: str) -> ReferenceId:
    """Forget a reference: its features, what it holds, and what counts against it alone.

    The tasks that it opened stay, and so does their content. Audited.

    Returns:
        Its identifier.

    Raises:
        UnknownCaseError: there is no such case.
        UnknownReferenceError: it has no such reference.
    """
    with register.database.write() as connection:
        register.database.lock(connection, SIGHTING_LOCK)
        owner = find_case(connection, case, lock=True).id
        found = require_reference(connection, owner, reference)
        gone = {
            table.name: connection.execute(
                sa.delete(table).where(table.c.reference_id == found)
            ).rowcount
            for table in (features, held_sightings, negatives, sighting_counters)
        }
        connection.execute(sa.delete(references).where(references.c.id == found))
        raise_gallery_version(connection)
        detail: Detail = {"reference": found, **gone}
        register.record(connection, "reference.remove", owner, detail)
    return found


def _spaces(connection: Connection, case: CaseId) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(
        sa.select(features.c.reference_id, features.c.space)
        .join_from(features, references)
        .where(references.c.case_id == case)
        .order_by(features.c.space)
    )
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        found[row.reference_id] = (*found.get(row.reference_id, ()), row.space)
    return found


def _reference_row(
    connection: Connection, row: sa.Row[Any], spaces: tuple[str, ...], now: datetime
) -> ReferenceRow:
    found = row.quarantined_until is not None and row.quarantined_until > now
    return ReferenceRow(
        reference=ReferenceId(row.id),
        kind=MediaKind(row.kind),
        subject=row.subject,
        spaces=spaces,
        added_at=row.added_at,
        quarantined_at=row.quarantined_at if found else None,
        quarantined_until=row.quarantined_until if found else None,
        quarantine_reason=Reason(row.quarantine_reason) if found else None,
        held=count_held(connection, ReferenceId(row.id)),
    )
