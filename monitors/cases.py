"""A case: whose request it rests on, what was consented to, until when, and how it ends.

Nothing of a case is matched without an active legal basis. The database says what is lawful; the
key store makes what is unlawful unreadable.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.tables import cases, gallery_version, references
from streams.errors import CaseNotActiveError, UnknownCaseError
from streams.types import CaseId, ContentId


class AgeClass(StrEnum):
    """What is known of the person's age. An unknown age is treated as a minor's may be."""

    ADULT = "adult"
    MINOR = "minor"
    UNKNOWN = "unknown"


class LegalBasis(StrEnum):
    """Who asked (domain.md 4.1; Sexual Violence Prevention Act, art. 7-3, paras. 2 and 3)."""

    VICTIM_REQUEST = "victim_request"
    FAMILY_REQUEST = "family_request"
    AGENT_REQUEST = "agent_request"
    INVESTIGATOR_REQUEST = "investigator_request"
    MINOR_PROACTIVE = "minor_proactive"


class Consent(StrEnum):
    """What needs a consent of its own, apart from the request: sensitive biometric data."""

    FACE = "face"
    VOICE = "voice"


class CaseStatus(StrEnum):
    """Where a case stands. `withdrawn` is for ever."""

    OPEN = "open"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """What is said when a case is opened.

    Args:
        alias: a pseudonym that the case worker chooses; never a name.
        age_class: of the person shown.
        legal_basis: who asked.
        consents: given apart from the request.
        expires_at: end of the authority; None: until it is withdrawn or closed.
    """

    alias: str
    age_class: AgeClass
    legal_basis: LegalBasis
    consents: frozenset[Consent] = frozenset()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case as stored; see `NewCase`."""

    id: CaseId
    alias: str
    age_class: AgeClass
    legal_basis: LegalBasis
    consents: frozenset[Consent]
    status: CaseStatus
    opened_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None


def is_lawful(case: Case, now: datetime) -> bool:
    """Say whether the case may be matched at all: an open case with an unexpired basis."""
    unexpired = case.expires_at is None or now < case.expires_at
    return case.status is CaseStatus.OPEN and unexpired and fits(case.age_class, case.legal_basis)


def lawful(now: datetime) -> sa.ColumnElement[bool]:
    """Say the same as `is_lawful` in SQL, of a row of `cases`."""
    return sa.and_(
        cases.c.status == CaseStatus.OPEN,
        sa.or_(cases.c.expires_at.is_(None), cases.c.expires_at > now),
        sa.or_(
            cases.c.age_class != AgeClass.ADULT,
            cases.c.legal_basis != LegalBasis.MINOR_PROACTIVE,
        ),
    )


def subject_consented() -> sa.ColumnElement[bool]:
    """Say in SQL, of a row of `media_references` joined with `cases`, that its subject may be used.

    Footage always may; what shows or lets hear the person alone, only by the consent of its name.
    """
    given = {Consent.FACE: cases.c.consent_face, Consent.VOICE: cases.c.consent_voice}
    return sa.or_(
        references.c.subject.is_(None),
        *(sa.and_(references.c.subject == consent, column) for consent, column in given.items()),
    )


def mentions_content(case: CaseId) -> ContentId:
    """Name the content that stands for a case's keywords, spoken or written in pictures.

    A medium that is found by words alone shows no reference; its task is about this content. The
    row is made with the case.
    """
    return ContentId(hashlib.sha256(f"mentions\0{case}".encode()).hexdigest()[:32])


def lawful_case_ids(connection: Connection, now: datetime, ids: Iterable[CaseId]) -> set[CaseId]:
    """Tell which of the cases may be acted upon, and keep that true until the transaction ends.

    Args:
        connection: of `Database.write`: a withdrawal waits for it, or has happened before.
        now: see `is_lawful`.
        ids: of the cases that something is about to be done about.
    """
    wanted = sorted(set(ids))
    query = sa.select(cases.c.id).where(cases.c.id.in_(wanted), lawful(now)).order_by(cases.c.id)
    return set(connection.scalars(query.with_for_update(read=True))) if wanted else set()


def raise_gallery_version(connection: Connection) -> None:
    """Tell every gallery keeper that something changed; before the audit row, after the change."""
    connection.execute(sa.update(gallery_version).values(version=gallery_version.c.version + 1))


def fits(age_class: AgeClass, legal_basis: LegalBasis) -> bool:
    """An adult is acted for on request alone (domain.md S10); a minor without one, too (S11)."""
    return age_class is not AgeClass.ADULT or legal_basis is not LegalBasis.MINOR_PROACTIVE


def require_active(connection: Connection, name: str, now: datetime) -> Case:
    """Find a case that may be added to, and keep it so until the transaction ends.

    Raises:
        UnknownCaseError: there is no such case.
        CaseNotActiveError: it has no active legal basis.
    """
    case = find_case(connection, name, lock=True)
    if not is_lawful(case, now):
        why = "expired" if case.status is CaseStatus.OPEN else case.status
        raise CaseNotActiveError(f"the case has no active legal basis: it is {why}")
    return case


def find_case(connection: Connection, name: str, *, lock: bool = False) -> Case:
    """Find a case by its identifier or its alias.

    Args:
        connection: of `Database.write` where `lock` is set.
        name: either.
        lock: nobody else changes it until the transaction ends.

    Raises:
        UnknownCaseError: there is none.
    """
    query = sa.select(cases).where(sa.or_(cases.c.id == name, cases.c.alias == name))
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise UnknownCaseError("no case has this identifier or alias")
    return to_case(row)


def read_aliases(connection: Connection) -> dict[CaseId, str]:
    """Read every case's alias."""
    rows = connection.execute(sa.select(cases.c.id, cases.c.alias))
    return {CaseId(row.id): row.alias for row in rows}


def to_case(row: Any) -> Case:
    """Read a row of `cases`."""
    given = {Consent.FACE: row.consent_face, Consent.VOICE: row.consent_voice}
    return Case(
        id=CaseId(row.id),
        alias=row.alias,
        age_class=AgeClass(row.age_class),
        legal_basis=LegalBasis(row.legal_basis),
        consents=frozenset(consent for consent, is_given in given.items() if is_given),
        status=CaseStatus(row.status),
        opened_at=row.opened_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
    )
