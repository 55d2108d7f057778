"""Who may log in, and for how long: passwords, the brake on guessing, server-side sessions."""

import hashlib
import hmac
import secrets
import threading
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.engine import Connection

from monitors.audit import AuditLog
from monitors.database import Database
from monitors.metrics import LOGINS
from monitors.tables import login_attempts, sessions, users
from streams.clock import Clock

IDLE = timedelta(minutes=30)
"""A session ends so long after its last request (OWASP ASVS 5.0, 7.3.1 asks for a bound)."""

ABSOLUTE = timedelta(hours=12)
"""A session ends so long after its log-in (ASVS 7.3.2): one shift."""

MAX_FAILURES = 5
"""Wrong passwords in a row that lock a name."""

LOCK = timedelta(minutes=15)
"""How long a name stays locked, and after how long failures are forgotten."""

MAX_PASSWORD = 1024
"""Characters that are hashed at all."""

_TOKEN_BYTES = 32
_SEEN_EVERY = timedelta(minutes=1)  # `seen_at` is written that often, not at every request
_HASHES_AT_ONCE = 2  # argon2id takes 64 MiB each (argon2-cffi's defaults, RFC 9106's second choice)


class Role(StrEnum):
    """What somebody is here for."""

    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    CASE_WORKER = "case_worker"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


SEES_LOCATIONS = frozenset({Role.OFFICER, Role.SUPERVISOR, Role.CASE_WORKER})
"""Who may read where footage stands; the others see a task without its addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is logged in.

    Args:
        token: 256 random bits; only its SHA-256 is stored.
        user: the identifier.
        name: as typed at the log-in, lower case.
        role: which.
    """

    token: str = field(repr=False)
    user: str
    name: str
    role: Role

    @property
    def csrf(self) -> str:
        """The token that this session's forms carry."""
        return csrf_of(self.token)


def new_token() -> str:
    """Draw 256 bits for a session, or for the form before there is one."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def csrf_of(token: str) -> str:
    """Derive a form's token, so that pages never show the cookie's."""
    return hmac.new(token.encode(), b"haechi/csrf", hashlib.sha256).hexdigest()


def is_csrf(token: str | None, sent: str) -> bool:
    """Compare a form's token with its cookie's, in constant time."""
    return token is not None and hmac.compare_digest(csrf_of(token).encode(), sent.encode())


class Passwords:
    """argon2id, a few at a time. Thread-safe.

    Args:
        hasher: its cost; tests take a cheap one.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = threading.BoundedSemaphore(_HASHES_AT_ONCE)
        self._nobody = self.hash(secrets.token_urlsafe())

    def hash(self, password: str) -> str:
        """Hash a new password."""
        with self._slots:
            return self._hasher.hash(_composed(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Check a password; an unknown user's takes as long as a known one's."""
        with self._slots:
            try:
                self._hasher.verify(stored or self._nobody, _composed(password))
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None and len(password) <= MAX_PASSWORD


class Authenticator:
    """Logs people in and out, and knows them again. Thread-safe; its calls block.

    Args:
        database: of users and sessions.
        clock: decides what has ended.
        audit: where log-ins are written down.
        passwords: checks them.
    """

    def __init__(
        self, database: Database, clock: Clock, audit: AuditLog, passwords: Passwords
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._passwords = passwords

    def log_in(self, name: str, password: str) -> Session | None:
        """Start a session; None where the name or the password is wrong, or the name locked.

        A try is counted before the password is looked at, so that many at once gain nothing.
        """
        name = normalise(name)
        if not self._take_try(name):
            LOGINS.labels("locked").inc()
            return None
        with self._database.read() as connection:
            row = connection.execute(sa.select(users).where(users.c.name == name)).one_or_none()
        is_right = self._passwords.verify(None if row is None else row.password_hash, password)
        if row is None or not is_right or row.disabled:
            LOGINS.labels("refused").inc()
            self._note_failure(row)
            return None
        LOGINS.labels("accepted").inc()
        return self._start(row)

    def find(self, token: str | None) -> Session | None:
        """Find a session that is still good, and keep it awake."""
        if not token:
            return None
        now, digest = self._clock.now(), _digest(token)
        with self._database.read() as connection:
            row = connection.execute(_alive(digest, now)).one_or_none()
        if row is None:
            return None
        if now - row.seen_at >= _SEEN_EVERY:
            with self._database.write() as connection:
                mine = sessions.c.token_hash == digest
                connection.execute(sa.update(sessions).where(mine).values(seen_at=now))
        return Session(token=token, user=row.user_id, name=row.name, role=Role(row.role))

    def log_out(self, session: Session) -> None:
        """End a session, wherever its cookie is."""
        with self._database.write() as connection:
            digest = _digest(session.token)
            connection.execute(sa.delete(sessions).where(sessions.c.token_hash == digest))
            self._write(connection, session.name, "user.log_out", session.user)

    def _take_try(self, name: str) -> bool:
        """Count a try; False where the name is locked. Unknown names are locked just the same."""
        now, key = self._clock.now(), _digest(name)
        mine = login_attempts.c.name == key
        with self._database.write() as connection:
            forgotten = login_attempts.c.locked_until <= now
            connection.execute(sa.delete(login_attempts).where(forgotten))
            connection.execute(
                self._database.insert_new(login_attempts).values(
                    name=key, failures=0, locked_until=now + LOCK
                )
            )
            counted = connection.execute(
                sa.update(login_attempts)
                .where(mine, login_attempts.c.failures < MAX_FAILURES)
                .values(failures=login_attempts.c.failures + 1, locked_until=now + LOCK)
            )
            return counted.rowcount == 1

    def _start(self, user: sa.Row[Any]) -> Session:
        now, token = self._clock.now(), new_token()
        with self._database.write() as connection:
            forget_failures(connection, user.name)
            old = sa.or_(sessions.c.expires_at <= now, sessions.c.seen_at <= now - IDLE)
            connection.execute(sa.delete(sessions).where(old))
            connection.execute(
                sa.insert(sessions).values(
                    token_hash=_digest(token),
                    user_id=user.id,
                    created_at=now,
                    seen_at=now,
                    expires_at=now + ABSOLUTE,
                )
            )
            self._write(connection, user.name, "user.log_in", user.id)
        return Session(token=token, user=user.id, name=user.name, role=Role(user.role))

    def _note_failure(self, user: sa.Row[Any] | None) -> None:
        """Audit a known user's failure only: strangers must not fill the log."""
        if user is not None:
            with self._database.write() as connection:
                self._write(connection, "console", "user.log_in_refused", user.id)

    def _write(self, connection: Connection, actor: str, action: str, subject: str) -> None:
        self._audit.append(
            connection,
            actor=actor,
            action=action,
            subject=subject,
            detail={},
            now=self._clock.now(),
        )


def normalise(name: str) -> str:
    """Write a user's name as it is stored."""
    return name.strip().lower()


def forget_failures(connection: Connection, name: str) -> None:
    """Unlock a name."""
    connection.execute(sa.delete(login_attempts).where(login_attempts.c.name == _digest(name)))


def _composed(password: str) -> str:
    """Write Hangul and accents one way, whatever the keyboard sends; never hash a book."""
    return unicodedata.normalize("NFC", password[:MAX_PASSWORD])


def _digest(text: str) -> str:
    """Store no token, and no name that may be a password typed in the wrong field."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _alive(digest: str, now: datetime) -> sa.Select[Any]:
    return (
        sa.select(sessions, users.c.name, users.c.role)
        .join(users, users.c.id == sessions.c.user_id)
        .where(
            sessions.c.token_hash == digest,
            sessions.c.expires_at > now,
            sessions.c.seen_at > now - IDLE,
            sa.not_(users.c.disabled),
        )
    )
