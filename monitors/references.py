"""Enrolment: a file in, derived features out, sealed with the case's key. The file is not kept."""

import asyncio
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gpu_kernels.arrays import Arrays, pack
from gpu_kernels.sound import SOUND_SPACE
from monitors.audit import Detail
from monitors.cases import Consent, is_lawful, raise_gallery_version, require_active
from monitors.deriving import Derived, Progress, derive, derive_subject
from monitors.keystore import KeyStore
from monitors.recognition import Recogniser
from monitors.register import CaseRegister
from monitors.tables import contents, features, references
from streams.errors import (
    CaseNotActiveError,
    MediaError,
    MediaRefusedError,
    NoConsentError,
    SealError,
)
from streams.media.decoder import MAX_BODY_BYTES
from streams.media.files import read_file
from streams.types import CaseId, MediaKind, ReferenceId

_LENGTH = struct.Struct("<I")


class EnrolOutcome(StrEnum):
    """What became of one file."""

    ENROLLED = "enrolled"
    DUPLICATE = "duplicate"
    UNREADABLE = "unreadable"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What became of one file; field by field what `reference add --json` prints.

    Args:
        path: as given.
        reference: the new one, or the earlier one of a duplicate; None where there is none.
        outcome: which.
        reason: snake_case; None where the outcome says it all.
    """

    path: str
    reference: ReferenceId | None
    outcome: EnrolOutcome
    reason: str | None = None


class Enroller:
    """Enrols files in cases.

    Args:
        register: whose cases; it audits.
        recogniser: started; gives the features.
    """

    def __init__(self, register: CaseRegister, recogniser: Recogniser) -> None:
        self._register = register
        self._recogniser = recogniser

    async def enrol(
        self,
        case: CaseId,
        path: Path,
        *,
        subject: Consent | None = None,
        progress: Progress = lambda _at, _of: None,
    ) -> Enrolment:
        """Enrol one file; identical bytes return the earlier reference.

        Args:
            case: whose.
            path: image, video or sound.
            subject: the consenting subject's face or voice is to be known, and the file shows or
                lets hear them alone; None: the file is footage.
            progress: told how far a long medium was looked at.

        Raises:
            UnknownCaseError: there is no such case.
            CaseNotActiveError: it has no active legal basis; the file is not looked at.
            NoConsentError: the subject's consent to that is lacking; likewise.
            KeyDestroyedError: the case's key is gone.
        """
        try:
            body = await asyncio.to_thread(read_file, path, MAX_BODY_BYTES)
            reference, outcome = await self.enrol_bytes(
                case, body, subject=subject, progress=progress
            )
        except MediaError as error:
            refused = isinstance(error, MediaRefusedError)
            outcome = EnrolOutcome.REFUSED if refused else EnrolOutcome.UNREADABLE
            return Enrolment(path=str(path), reference=None, outcome=outcome, reason=error.reason)
        return Enrolment(path=str(path), reference=reference, outcome=outcome)

    async def enrol_bytes(
        self,
        case: CaseId,
        body: bytes,
        *,
        subject: Consent | None = None,
        progress: Progress = lambda _at, _of: None,
    ) -> tuple[ReferenceId, EnrolOutcome]:
        """Enrol a medium; see `enrol`.

        An earlier reference of the same bytes that lacks the recogniser's space gets it.

        Raises:
            MediaError: it cannot be compared; its class says whether that is the medium's fault.
            UnknownCaseError: there is no such case.
            CaseNotActiveError: it has no active legal basis.
            NoConsentError: the subject's consent is lacking.
            KeyDestroyedError: the case's key is gone.
        """
        name, known = await asyncio.to_thread(self._look_up, case, body, subject)
        if known is not None:
            return known, EnrolOutcome.DUPLICATE
        if subject is None:
            derived = await derive(self._recogniser, body, progress)
        else:
            derived = await derive_subject(self._recogniser, body, subject)
        return await asyncio.to_thread(self._store, case, name, derived, subject)

    def _look_up(
        self, case: CaseId, body: bytes, subject: Consent | None
    ) -> tuple[str, ReferenceId | None]:
        """Name the bytes; find the reference of the same that has the features of its kind."""
        found = self._register.find(case)
        if not is_lawful(found, self._register.clock.now()):
            raise CaseNotActiveError("the case has no active legal basis")
        if subject is not None and subject not in found.consents:
            raise NoConsentError(f"the case has no consent to the {subject}")
        name = self._register.keystore.hmac(case, (subject or "").encode() + body)
        query = (
            sa.select(references.c.id)
            .join_from(references, features)
            .where(
                references.c.case_id == case,
                references.c.bytes_hmac == name,
                has_its_space(self._recogniser.space),
            )
        )
        with self._register.database.read() as connection:
            known = connection.execute(query).scalar()
        return name, None if known is None else ReferenceId(known)

    def _store(
        self, case: CaseId, name: str, derived: Derived, subject: Consent | None
    ) -> tuple[ReferenceId, EnrolOutcome]:
        register = self._register
        seen = subject is not None or self._recogniser.space in derived.features
        kind = derived.kind if seen else MediaKind.AUDIO  # a black video is known by its sound
        with register.database.write() as connection:
            found = require_active(connection, case, register.clock.now())
            if subject is not None and subject not in found.consents:
                raise NoConsentError(f"the case has no consent to the {subject}")
            reference, is_new = self._reference(connection, case, name, kind, subject)
            added = {
                space: len(prints)
                for space, prints in derived.features.items()
                if self._add(connection, case, reference, space, prints)
            }
            if added:
                raise_gallery_version(connection)
                spaces = [f"{space}: {count}" for space, count in sorted(added.items())]
                detail: Detail = {
                    "reference": reference,
                    "kind": kind,
                    "spaces": spaces,
                    **({"subject": subject} if subject is not None else {}),
                }
                register.record(connection, "reference.add", case, detail)
        return reference, EnrolOutcome.ENROLLED if is_new else EnrolOutcome.DUPLICATE

    def _add(
        self,
        connection: Connection,
        case: CaseId,
        reference: ReferenceId,
        space: str,
        prints: Sequence[Arrays],
    ) -> bool:
        sealed = seal_features(self._register.keystore, case, reference, space, prints)
        added = connection.execute(
            self._register.database.insert_new(features).values(
                reference_id=reference, space=space, sealed=sealed
            )
        )
        return added.rowcount == 1

    def _reference(
        self,
        connection: Connection,
        case: CaseId,
        name: str,
        kind: MediaKind,
        subject: Consent | None,
    ) -> tuple[ReferenceId, bool]:
        """Find the reference of these bytes, or make it and its group."""
        own = sa.select(references.c.id).where(
            references.c.case_id == case, references.c.bytes_hmac == name
        )
        known = connection.execute(own).scalar()
        if known is not None:
            return ReferenceId(known), False
        reference, content, now = uuid4().hex, uuid4().hex, self._register.clock.now()
        connection.execute(sa.insert(contents).values(id=content, case_id=case, created_at=now))
        connection.execute(
            sa.insert(references).values(
                id=reference,
                case_id=case,
                content_id=content,
                kind=kind,
                subject=subject,
                bytes_hmac=name,
                added_at=now,
            )
        )
        return ReferenceId(reference), True


def has_its_space(space: str) -> sa.ColumnElement[bool]:
    """Say in SQL that a row of features is what its reference is mainly compared by.

    Args:
        space: of pictures, in force.
    """
    is_heard = references.c.kind == MediaKind.AUDIO
    wanted = sa.case((is_heard, SOUND_SPACE), else_=space)
    return sa.or_(references.c.subject.is_not(None), features.c.space == wanted)


def seal_features(
    keystore: KeyStore,
    case: CaseId,
    reference: ReferenceId,
    space: str,
    prints: Sequence[Arrays],
) -> bytes:
    """Seal a reference's fingerprints in one space.

    Raises:
        KeyDestroyedError: the case's key is gone.
    """
    parts = [pack(one) for one in prints]
    plain = b"".join(_LENGTH.pack(len(part)) + part for part in parts)
    return keystore.seal(case, plain, context=_context(reference, space))


def open_features(
    keystore: KeyStore, case: CaseId, reference: ReferenceId, space: str, sealed: bytes
) -> list[bytes]:
    """Open what `seal_features` wrote: one packed fingerprint each.

    Raises:
        KeyDestroyedError: the case's key is gone.
        SealError: the row was altered, or is of a later version.
    """
    plain = keystore.open_sealed(case, sealed, context=_context(reference, space))
    try:
        return list(_parts(plain))
    except struct.error as error:
        raise SealError("not the features of this version") from error


def _parts(plain: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(plain):
        (length,) = _LENGTH.unpack_from(plain, at)
        at += _LENGTH.size + length
        yield plain[at - length : at]


def _context(reference: ReferenceId, space: str) -> str:
    return f"features/{reference}/{space}"
