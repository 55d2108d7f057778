"""The negative bank: what was wrongly taken for footage, so that it is not taken for it again.

A negative is somebody else's picture or sound. Only what copies are told by is kept of it, never a
face or a voice.
"""

import contextlib
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import uuid4

import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from gpu_kernels.arrays import pack, unpack
from monitors.audit import Detail
from monitors.cases import CaseStatus, Consent, find_case, raise_gallery_version
from monitors.enrolled import require_reference
from monitors.register import CaseRegister
from monitors.tables import negatives
from streams.errors import CaseError, LowDetailError, SealError, UnknownNegativeError
from streams.types import CaseId, ReferenceId

Fingerprint: TypeAlias = Mapping[str, NDArray[Any]]
"""What a fingerprint's `to_arrays` gives."""

Features: TypeAlias = Mapping[str, Sequence[Fingerprint]]
"""A medium's fingerprints by the space that they live in; of a video, one for each frame."""

MAX_REASON = 64
"""Characters: a word or two, and no story."""

REJECTED = "rejected"
"""The reason where nobody gives another: an officer said that it is no match."""

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Negative:
    """A negative in one space, as matching needs it.

    Args:
        id: which.
        case: that it counts for; None: for all.
        reference: that it counts for; None: for all of those.
        fingerprints: at least one; read-only.
    """

    id: str
    case: CaseId | None
    reference: ReferenceId | None
    fingerprints: tuple[dict[str, NDArray[Any]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NegativeRow:
    """A negative as `case negative list` prints it.

    Args:
        negative: which.
        case: that it counts for; None: for all.
        reference: that it counts for; None: for all of those.
        spaces: that it has features in, sorted.
        reason: why it was added.
        added_by: who stands in the audit log.
        added_at: aware UTC.
    """

    negative: str
    case: CaseId | None
    reference: ReferenceId | None
    spaces: tuple[str, ...]
    reason: str
    added_by: str
    added_at: datetime


def add_negative(
    register: CaseRegister,
    case: str | None,
    found: Features,
    *,
    reference: str | None = None,
    reason: str = REJECTED,
) -> str:
    """Keep what a medium is told by, and tell every gallery. Audited.

    Args:
        register: whose cases; it audits.
        case: identifier or alias of the case that it counts for; None: for all.
        found: of the medium; what is of a face's or a voice's space is left out.
        reference: of the case, which the medium was wrongly matched to.
        reason: see `MAX_REASON`.

    Returns:
        Its identifier.

    Raises:
        UnknownCaseError: there is no such case.
        UnknownReferenceError: the case has no such reference.
        LowDetailError: nothing is left to tell it by.
        CaseError: the reason is unusable, the case is withdrawn, or a reference was named without
            its case.
    """
    kept = {space: some for space, some in found.items() if some and not is_biometric(space)}
    if not kept:
        raise LowDetailError("nothing in it can be compared")
    if not 1 <= len(reason) <= MAX_REASON or not reason.isprintable():
        raise CaseError(f"a reason has 1 to {MAX_REASON} printable characters")
    if reference is not None and case is None:
        raise CaseError("a reference is of a case: name it, too")
    negative = uuid4().hex
    with register.database.write() as connection:
        owner = None if case is None else _open_case(connection, case)
        own = None
        if owner is not None and reference is not None:
            own = require_reference(connection, owner, reference)
        values = {
            "id": negative,
            "case_id": owner,
            "reference_id": own,
            "reason": reason,
            "added_by": register.actor[:128],
            "added_at": register.clock.now(),
        }
        rows = [values | {"space": space, "features": to_bytes(kept[space])} for space in kept]
        connection.execute(sa.insert(negatives), rows)
        raise_gallery_version(connection)
        detail: Detail = {"negative": negative, "reference": own, "spaces": sorted(kept)}
        register.record(connection, "negative.add", owner or "all", detail)
    return negative


def list_negatives(connection: Connection, case: CaseId | None) -> list[NegativeRow]:
    """List a case's negatives, or those that count for all; the oldest first."""
    is_own = negatives.c.case_id.is_(None) if case is None else negatives.c.case_id == case
    order = (negatives.c.added_at, negatives.c.id, negatives.c.space)
    found: dict[str, NegativeRow] = {}
    for row in connection.execute(sa.select(negatives).where(is_own).order_by(*order)):
        before = found[row.id].spaces if row.id in found else ()
        found[row.id] = NegativeRow(
            negative=row.id,
            case=row.case_id,
            reference=row.reference_id,
            spaces=(*before, row.space),
            reason=row.reason,
            added_by=row.added_by,
            added_at=row.added_at,
        )
    return list(found.values())


def remove_negative(register: CaseRegister, case: str | None, negative: str) -> None:
    """Forget a negative, and tell every gallery. Audited.

    Raises:
        UnknownCaseError: there is no such case.
        UnknownNegativeError: the case has no such negative.
    """
    with register.database.write() as connection:
        owner = None if case is None else find_case(connection, case, lock=True).id
        is_own = negatives.c.case_id.is_(None) if owner is None else negatives.c.case_id == owner
        gone = connection.execute(sa.delete(negatives).where(negatives.c.id == negative, is_own))
        if not gone.rowcount:
            raise UnknownNegativeError("the case has no such negative")
        raise_gallery_version(connection)
        register.record(connection, "negative.remove", owner or "all", {"negative": negative})


def load_negatives(connection: Connection, space: str) -> list[Negative]:
    """Read the negatives of one space, the oldest first, for the gallery.

    One that cannot be read is left out: it would keep a false alarm away, and shall not keep the
    gallery from being read.
    """
    rows = connection.execute(
        sa.select(negatives)
        .where(negatives.c.space == space)
        .order_by(negatives.c.added_at, negatives.c.id)
    )
    found = []
    for row in rows:
        with contextlib.suppress(SealError):
            prints = tuple(from_bytes(row.features))
            found.append(
                Negative(
                    id=row.id, case=row.case_id, reference=row.reference_id, fingerprints=prints
                )
            )
    return found


def is_biometric(space: str) -> bool:
    """Say whether a space tells people apart, and needs a consent of its own."""
    return space.startswith(tuple(f"{consent}/" for consent in Consent))


def to_bytes(fingerprints: Iterable[Fingerprint]) -> bytes:
    """Write fingerprints: each as its length, then its packed arrays."""
    parts = [pack(one) for one in fingerprints]
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


def from_bytes(content: bytes) -> list[dict[str, NDArray[Any]]]:
    """Read what `to_bytes` wrote.

    Raises:
        SealError: it is something else.
    """
    try:
        return [unpack(part) for part in _parts(content)]
    except (ValueError, struct.error) as error:
        raise SealError("not the features of this version") from error


def _parts(content: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        (length,) = _LENGTH.unpack_from(content, at)
        at += _LENGTH.size + length
        yield content[at - length : at]


def _open_case(connection: Connection, name: str) -> CaseId:
    """Find a case that was not withdrawn: of one that was, nothing is kept."""
    case = find_case(connection, name, lock=True)
    if case.status is CaseStatus.WITHDRAWN:
        raise CaseError("the case is withdrawn")
    return case.id
