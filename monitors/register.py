"""The register of cases: it opens, shows and ends them; every change is audited."""

import contextlib
import re
import unicodedata
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.audit import AuditLog, Detail
from monitors.cases import (
    Case,
    CaseStatus,
    Consent,
    NewCase,
    find_case,
    fits,
    mentions_content,
    raise_gallery_version,
    require_active,
    to_case,
)
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.spellings import is_searchable
from monitors.tables import (
    audit,
    cases,
    contents,
    features,
    held_sightings,
    keyword_spellings,
    keywords,
    negatives,
    references,
    sighting_counters,
)
from streams.clock import Clock
from streams.errors import (
    CaseError,
    DatabaseUnavailableError,
    KeyDestroyedError,
    UnknownCaseError,
    UnknownKeywordError,
)
from streams.types import CaseId, KeywordId

MAX_KEYWORD = 200
"""Characters of a keyword: a sentence, not a text."""

_ID = re.compile(r"[0-9a-f]{32}")


class CaseRegister:
    """Opens, shows and ends cases; every change is audited. Thread-safe; its calls block.

    Args:
        database: migrated.
        keystore: holds the cases' keys.
        clock: tells when.
        actor: on whose behalf; stands in the audit log.
    """

    def __init__(self, database: Database, keystore: KeyStore, clock: Clock, *, actor: str) -> None:
        self.database = database
        self.keystore = keystore
        self.clock = clock
        self.actor = actor
        self._log = AuditLog(keystore.audit_key())

    def open(self, new: NewCase) -> Case:
        """Open a case and give it its key.

        Raises:
            CaseError: the alias is taken or unusable, the basis does not fit the age, or the
                authority has expired already.
        """
        alias, now = new.alias.strip(), self.clock.now()
        self._check(new, alias, now)
        case = CaseId(uuid4().hex)
        self.keystore.create(case)
        try:
            with self.database.write() as connection:
                self._insert(connection, case, alias, new)
        except BaseException as error:
            self._destroy_unless_opened(case)
            if isinstance(error, sa.exc.IntegrityError):
                raise CaseError("another case has this alias") from error
            raise
        return self.find(case)

    def _destroy_unless_opened(self, case: CaseId) -> None:
        """Destroy a key without a case; keep it where a commit's answer may have been lost."""
        with contextlib.suppress(DatabaseUnavailableError):
            try:
                self.find(case)
            except UnknownCaseError:
                self.keystore.destroy(case)

    def find(self, name: str) -> Case:
        """Find a case by its identifier or its alias.

        Raises:
            UnknownCaseError: there is none.
        """
        with self.database.read() as connection:
            return find_case(connection, name)

    def list_all(self) -> list[Case]:
        """List every case, the oldest first."""
        with self.database.read() as connection:
            rows = connection.execute(sa.select(cases).order_by(cases.c.opened_at, cases.c.id))
            return [to_case(row) for row in rows]

    def withdraw(self, name: str) -> Case:
        """Stop matching, delete the features and keywords, and destroy the case's key.

        Wherever this is interrupted, either nothing happened or matching has stopped; doing it
        again, or `finish_withdrawals`, completes it.

        Raises:
            UnknownCaseError: there is no such case.
        """
        with self.database.write() as connection:
            case = find_case(connection, name, lock=True)
            if case.status is not CaseStatus.WITHDRAWN:
                self._end(connection, case, CaseStatus.WITHDRAWN)
        self._erase(case.id)
        return self.find(case.id)

    def finish_withdrawals(self) -> int:
        """Destroy the keys that interrupted withdrawals left; tell how many there were."""
        erased = sa.exists().where(audit.c.subject == cases.c.id, audit.c.action == "case.erase")
        query = sa.select(cases.c.id).where(cases.c.status == CaseStatus.WITHDRAWN, ~erased)
        with self.database.read() as connection:
            left = list(connection.scalars(query))
        for case in left:
            self._erase(CaseId(case))
        return len(left)

    def close(self, name: str) -> Case:
        """Stop matching, and keep what the law says to keep: features and key stay.

        Raises:
            UnknownCaseError: there is no such case.
            CaseError: it is not open.
        """
        with self.database.write() as connection:
            case = find_case(connection, name, lock=True)
            if case.status is not CaseStatus.OPEN:
                raise CaseError(f"the case is {case.status} already")
            self._end(connection, case, CaseStatus.CLOSED)
        return self.find(case.id)

    def renew(self, name: str, expires_at: datetime | None) -> Case:
        """Set the authority's end anew.

        Raises:
            UnknownCaseError: there is no such case.
            CaseError: it is not open, or the new end is past.
        """
        if expires_at is not None and expires_at <= self.clock.now():
            raise CaseError("the authority would have expired already")
        words = {"expires_at": None if expires_at is None else expires_at.isoformat()}
        return self._change(name, "case.renew", {"expires_at": expires_at}, words)

    def set_consents(self, name: str, consents: frozenset[Consent]) -> Case:
        """Record the separate consents anew; the features of one that is withdrawn are deleted.

        Raises:
            UnknownCaseError: there is no such case.
            CaseError: it is not open.
        """
        return self._change(
            name, "case.consent", _columns(consents), {"consents": sorted(consents)}
        )

    def add_keyword(self, name: str, text: str) -> KeywordId:
        """Watch for a word; one that is there already keeps its identifier.

        Raises:
            UnknownCaseError: there is no such case.
            CaseNotActiveError: it has no active legal basis.
            CaseError: see `check_keyword`.
        """
        word = check_keyword(text)
        keyword = KeywordId(uuid4().hex)
        with self.database.write() as connection:
            case = require_active(connection, name, self.clock.now())
            known = {text: known for known, text in self._keywords(connection, case.id)}
            if word in known:
                return known[word]
            sealed = self.keystore.seal(case.id, word.encode(), context=keyword_context(keyword))
            connection.execute(
                sa.insert(keywords).values(
                    id=keyword, case_id=case.id, sealed=sealed, added_at=self.clock.now()
                )
            )
            raise_gallery_version(connection)
            self.record(connection, "keyword.add", case.id, {"keyword": keyword})
        return keyword

    def remove_keyword(self, name: str, keyword: str) -> None:
        """Watch for a word no longer; the tasks that it opened stay.

        Raises:
            UnknownCaseError: there is no such case.
            UnknownKeywordError: it has no such keyword.
        """
        with self.database.write() as connection:
            case = find_case(connection, name, lock=True).id
            own = (keywords.c.id == keyword, keywords.c.case_id == case)
            _delete_spellings(connection, *own)
            if not connection.execute(sa.delete(keywords).where(*own)).rowcount:
                raise UnknownKeywordError("the case has no such keyword")
            raise_gallery_version(connection)
            self.record(connection, "keyword.remove", case, {"keyword": keyword})

    def list_keywords(self, case: CaseId) -> list[tuple[KeywordId, str]]:
        """List a case's keywords, the oldest first; none where its key is destroyed."""
        with self.database.read() as connection:
            try:
                return self._keywords(connection, case)
            except KeyDestroyedError:
                return []

    def count_references(self, case: CaseId) -> int:
        """Count the references whose features are still there."""
        query = (
            sa.select(sa.func.count(references.c.id.distinct()))
            .join_from(references, features)
            .where(references.c.case_id == case)
        )
        with self.database.read() as connection:
            return connection.execute(query).scalar_one()

    def record(self, connection: Connection, action: str, subject: str, detail: Detail) -> None:
        """Audit something, as the transaction's last statement."""
        self._log.append(
            connection,
            actor=self.actor,
            action=action,
            subject=subject,
            detail=detail,
            now=self.clock.now(),
        )

    def _check(self, new: NewCase, alias: str, now: datetime) -> None:
        if not 1 <= len(alias) <= 128 or not alias.isprintable() or _ID.fullmatch(alias):
            raise CaseError("an alias has 1 to 128 printable characters, and is no identifier")
        if not fits(new.age_class, new.legal_basis):
            raise CaseError("an adult's case needs a request: minor_proactive is for minors")
        if new.expires_at is not None and new.expires_at <= now:
            raise CaseError("the authority has expired already")

    def _insert(self, connection: Connection, case: CaseId, alias: str, new: NewCase) -> None:
        connection.execute(
            sa.insert(cases).values(
                id=case,
                alias=alias,
                age_class=new.age_class,
                legal_basis=new.legal_basis,
                status=CaseStatus.OPEN,
                opened_at=self.clock.now(),
                expires_at=new.expires_at,
                **_columns(new.consents),
            )
        )
        connection.execute(
            sa.insert(contents).values(
                id=mentions_content(case), case_id=case, created_at=self.clock.now()
            )
        )
        raise_gallery_version(connection)
        detail: Detail = {
            "age_class": new.age_class,
            "legal_basis": new.legal_basis,
            "consents": sorted(new.consents),
            "expires_at": None if new.expires_at is None else new.expires_at.isoformat(),
        }
        self.record(connection, "case.open", case, detail)

    def _end(self, connection: Connection, case: Case, status: CaseStatus) -> None:
        ended = {"status": status, "ended_at": self.clock.now()}
        connection.execute(sa.update(cases).where(cases.c.id == case.id).values(ended))
        detail: Detail = {}
        if status is CaseStatus.WITHDRAWN:
            _delete_spellings(connection, keywords.c.case_id == case.id)
            gone = connection.execute(sa.delete(keywords).where(keywords.c.case_id == case.id))
            detail = {"keywords": gone.rowcount, "features": _delete_features(connection, case.id)}
            _delete_sighted(connection, case.id)
        raise_gallery_version(connection)
        action = "case.withdraw" if status is CaseStatus.WITHDRAWN else "case.close"
        self.record(connection, action, case.id, detail)

    def _erase(self, case: CaseId) -> None:
        """Destroy the key, and then say so: the audit row is the mark of a finished withdrawal."""
        self.keystore.destroy(case)
        done = sa.exists().where(audit.c.subject == case, audit.c.action == "case.erase")
        with self.database.write() as connection:
            if not connection.execute(sa.select(done)).scalar_one():
                self.record(connection, "case.erase", case, {})

    def _change(self, name: str, action: str, values: dict[str, Any], words: Detail) -> Case:
        with self.database.write() as connection:
            case = find_case(connection, name, lock=True)
            if case.status is not CaseStatus.OPEN:
                raise CaseError(f"the case is {case.status}")
            connection.execute(sa.update(cases).where(cases.c.id == case.id).values(values))
            for consent in Consent:
                if values.get(f"consent_{consent}") is False:
                    _delete_features(connection, case.id, f"{consent}/%")
                    _delete_features(connection, case.id, subject=consent)
            raise_gallery_version(connection)
            self.record(connection, action, case.id, words)
        return self.find(case.id)

    def _keywords(self, connection: Connection, case: CaseId) -> list[tuple[KeywordId, str]]:
        rows = connection.execute(
            sa.select(keywords.c.id, keywords.c.sealed)
            .where(keywords.c.case_id == case)
            .order_by(keywords.c.added_at, keywords.c.id)
        )
        return [
            (KeywordId(row.id), open_keyword(self.keystore, case, KeywordId(row.id), row.sealed))
            for row in rows
        ]


def check_keyword(text: str) -> str:
    """Give a keyword in the form in which it is kept.

    Raises:
        CaseError: it is empty, too short to be looked for, or too long; the message names it.
    """
    word = unicodedata.normalize("NFC", text).strip()
    if not word or len(word) > MAX_KEYWORD:
        raise CaseError(f"keyword {word[:20]!r}: a keyword has 1 to {MAX_KEYWORD} characters")
    if not is_searchable(word):
        raise CaseError(f"keyword {word!r}: so few letters are in every text")
    return word


def keyword_context(keyword: KeywordId) -> str:
    """Name what a keyword's seal is bound to."""
    return f"keyword/{keyword}"


def open_keyword(keystore: KeyStore, case: CaseId, keyword: KeywordId, sealed: bytes) -> str:
    """Read a keyword.

    Raises:
        KeyDestroyedError: the case's key is gone.
        SealError: the row was altered.
    """
    return keystore.open_sealed(case, sealed, context=keyword_context(keyword)).decode()


def _columns(consents: Collection[Consent]) -> dict[str, Any]:
    return {f"consent_{consent}": consent in consents for consent in Consent}


def _delete_spellings(connection: Connection, *whose: sa.ColumnElement[bool]) -> None:
    own = sa.select(keywords.c.id).where(*whose)
    connection.execute(sa.delete(keyword_spellings).where(keyword_spellings.c.keyword_id.in_(own)))


def _delete_features(
    connection: Connection, case: CaseId, spaces: str = "%", *, subject: Consent | None = None
) -> int:
    """Delete a case's features in the spaces whose names are like the pattern.

    Args:
        connection: of `Database.write`.
        case: whose.
        spaces: a pattern of SQL's.
        subject: of references that show, or let hear, the person alone; None: of all.
    """
    own = sa.select(references.c.id).where(references.c.case_id == case)
    if subject is not None:
        own = own.where(references.c.subject == subject)
    return connection.execute(
        sa.delete(features).where(features.c.reference_id.in_(own), features.c.space.like(spaces))
    ).rowcount


def _delete_sighted(connection: Connection, case: CaseId) -> None:
    """Delete a case's negatives, and what its references sighted but opened no task for."""
    own = sa.select(references.c.id).where(references.c.case_id == case)
    connection.execute(sa.delete(negatives).where(negatives.c.case_id == case))
    connection.execute(sa.delete(held_sightings).where(held_sightings.c.case_id == case))
    connection.execute(
        sa.delete(sighting_counters).where(sighting_counters.c.reference_id.in_(own))
    )
