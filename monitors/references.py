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

from gpu_kernels import fingerprint as stored_form
from gpu_kernels.fingerprint import MIN_DETAIL, ImageFingerprint
from monitors.audit import Detail
from monitors.cases import is_lawful, raise_gallery_version, require_active
from monitors.keystore import KeyStore
from monitors.recognition import Recogniser
from monitors.register import CaseRegister
from monitors.tables import contents, features, references
from streams.errors import (
    CaseNotActiveError,
    LowDetailError,
    MediaError,
    MediaRefusedError,
    MediaTooLargeError,
    SealError,
    UndecodableMediaError,
    UnreadableFileError,
    UnsupportedKindError,
)
from streams.media.decoder import MAX_BODY_BYTES
from streams.types import CaseId, ReferenceId

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

    async def enrol(self, case: CaseId, path: Path) -> Enrolment:
        """Enrol one file; identical bytes return the earlier reference.

        Raises:
            UnknownCaseError: there is no such case.
            CaseNotActiveError: it has no active legal basis; the file is not looked at.
            KeyDestroyedError: the case's key is gone.
        """
        try:
            body = await asyncio.to_thread(_read, path)
            reference, outcome = await self.enrol_bytes(case, body)
        except MediaError as error:
            refused = isinstance(error, MediaRefusedError)
            outcome = EnrolOutcome.REFUSED if refused else EnrolOutcome.UNREADABLE
            return Enrolment(path=str(path), reference=None, outcome=outcome, reason=error.reason)
        return Enrolment(path=str(path), reference=reference, outcome=outcome)

    async def enrol_bytes(self, case: CaseId, body: bytes) -> tuple[ReferenceId, EnrolOutcome]:
        """Enrol a medium.

        An earlier reference of the same bytes that lacks the recogniser's space gets it.

        Raises:
            MediaError: it cannot be compared; its class says whether that is the medium's fault.
            UnknownCaseError: there is no such case.
            CaseNotActiveError: it has no active legal basis.
            KeyDestroyedError: the case's key is gone.
        """
        name, known = await asyncio.to_thread(self._look_up, case, body)
        if known is not None:
            return known, EnrolOutcome.DUPLICATE
        _refuse_unsupported(body)
        media, found = await self._recogniser.fingerprints(body, reference=True)
        kept = [one for one in found if one.detail >= MIN_DETAIL]
        if not kept:
            raise LowDetailError("nothing tells it from other pictures")
        return await asyncio.to_thread(self._store, case, name, str(media.kind), kept)

    def _look_up(self, case: CaseId, body: bytes) -> tuple[str, ReferenceId | None]:
        """Name the bytes; find the reference of the same that has features in our space."""
        if not is_lawful(self._register.find(case), self._register.clock.now()):
            raise CaseNotActiveError("the case has no active legal basis")
        name = self._register.keystore.hmac(case, body)
        query = (
            sa.select(references.c.id)
            .join_from(references, features)
            .where(
                references.c.case_id == case,
                references.c.bytes_hmac == name,
                features.c.space == self._recogniser.space,
            )
        )
        with self._register.database.read() as connection:
            known = connection.execute(query).scalar()
        return name, None if known is None else ReferenceId(known)

    def _store(
        self, case: CaseId, name: str, kind: str, kept: Sequence[ImageFingerprint]
    ) -> tuple[ReferenceId, EnrolOutcome]:
        register, space = self._register, self._recogniser.space
        with register.database.write() as connection:
            require_active(connection, case, register.clock.now())
            reference, is_new = self._reference(connection, case, name, kind)
            sealed = seal_frames(register.keystore, case, reference, space, kept)
            added = connection.execute(
                register.database.insert_new(features).values(
                    reference_id=reference, space=space, sealed=sealed
                )
            )
            if added.rowcount:
                raise_gallery_version(connection)
                detail: Detail = {"reference": reference, "space": space, "frames": len(kept)}
                register.record(connection, "reference.add", case, detail)
        return reference, EnrolOutcome.ENROLLED if is_new else EnrolOutcome.DUPLICATE

    def _reference(
        self, connection: Connection, case: CaseId, name: str, kind: str
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
                bytes_hmac=name,
                added_at=now,
            )
        )
        return ReferenceId(reference), True


def seal_frames(
    keystore: KeyStore,
    case: CaseId,
    reference: ReferenceId,
    space: str,
    frames: Sequence[ImageFingerprint],
) -> bytes:
    """Seal a reference's fingerprints in one space.

    Raises:
        KeyDestroyedError: the case's key is gone.
    """
    parts = [stored_form.to_bytes(frame) for frame in frames]
    plain = b"".join(_LENGTH.pack(len(part)) + part for part in parts)
    return keystore.seal(case, plain, context=_context(reference, space))


def open_frames(
    keystore: KeyStore, case: CaseId, reference: ReferenceId, space: str, sealed: bytes
) -> list[ImageFingerprint]:
    """Read what `seal_frames` wrote.

    Raises:
        KeyDestroyedError: the case's key is gone.
        SealError: the row was altered, or is of a later version.
    """
    plain = keystore.open_sealed(case, sealed, context=_context(reference, space))
    try:
        return [stored_form.from_bytes(part) for part in _parts(plain)]
    except (ValueError, struct.error) as error:
        raise SealError("not the features of this version") from error


def _parts(plain: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(plain):
        (length,) = _LENGTH.unpack_from(plain, at)
        at += _LENGTH.size + length
        yield plain[at - length : at]


def _context(reference: ReferenceId, space: str) -> str:
    return f"features/{reference}/{space}"


def _read(path: Path) -> bytes:
    if not path.is_file():  # a pipe would be waited for
        raise UnreadableFileError("not a file")
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BODY_BYTES + 1)
    except OSError as error:
        raise UnreadableFileError("cannot be read") from error
    if not body:
        raise UndecodableMediaError("no bytes")
    if len(body) > MAX_BODY_BYTES:
        raise MediaTooLargeError(f"more than {MAX_BODY_BYTES} bytes")
    return body


_UNSUPPORTED = (
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (0, b"OggS"),
    (0, b"ID3"),
    (0, b"fLaC"),
    (0, b"\x00\x00\x01\xba"),  # MPEG programme stream
    (0, b"\xff\xfb"),  # MP3 without a tag
    (0, b"FLV"),
    (8, b"WAVE"),
    (8, b"AVI "),
    (4, b"ftyp"),  # MP4, QuickTime; AVIF and HEIF, which are pictures, share it
)
"""Where in a file which bytes tell that it moves or sounds."""

_PICTURE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")


def _refuse_unsupported(body: bytes) -> None:
    """Say of a video or a recording that it is one, rather than that it is broken."""
    moves = any(body[at : at + len(mark)] == mark for at, mark in _UNSUPPORTED)
    if moves and body[8:12] not in _PICTURE_BRANDS:
        raise UnsupportedKindError("videos and recordings are not compared yet")
