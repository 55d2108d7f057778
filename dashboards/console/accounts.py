"""The people who may log in: added, disabled and given a new password by an administrator."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from dashboards.console.auth import MAX_PASSWORD, Passwords, Role, forget_failures, normalise
from monitors.audit import AuditLog
from monitors.database import Database
from monitors.tables import sessions, users
from streams.clock import Clock
from streams.errors import AccountError

MIN_PASSWORD = 12
"""Characters (OWASP ASVS 5.0, 6.2.1 wants 8 at least, and recommends 15)."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One user, without the password."""

    id: str
    name: str
    role: Role
    disabled: bool
    created_at: datetime


class Accounts:
    """Changes accounts; every change is audited. Its calls block.

    Args:
        database: of the users.
        clock: dates them.
        audit: where changes are written down.
        passwords: hashes them.
        actor: who changes.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        audit: AuditLog,
        passwords: Passwords,
        *,
        actor: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._passwords = passwords
        self._actor = actor

    def add(self, name: str, role: Role, password: str) -> Account:
        """Add a user.

        Raises:
            AccountError: the name is taken or no name, or the password too short or too long.
        """
        name = normalise(name)
        if not _NAME.fullmatch(name):
            raise AccountError("a user's name has 1 to 64 of a-z, 0-9 and . _ @ -")
        row = {
            "id": uuid4().hex,
            "name": name,
            "role": role,
            "password_hash": self._hash(password),
            "disabled": False,
            "created_at": self._clock.now(),
        }
        with self._database.write() as connection:
            if connection.execute(self._database.insert_new(users).values(row)).rowcount != 1:
                raise AccountError("there is a user of this name")
            self._write(connection, "user.add", str(row["id"]), role)
        return self._find(name)

    def list_all(self) -> tuple[Account, ...]:
        """List every user by name."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(users).order_by(users.c.name))
            return tuple(_account(row) for row in rows)

    def disable(self, name: str) -> Account:
        """Let somebody in no more, and end their sessions.

        Raises:
            AccountError: there is no such user.
        """
        account = self._find(name)
        with self._database.write() as connection:
            mine = users.c.id == account.id
            connection.execute(sa.update(users).where(mine).values(disabled=True))
            self._end_sessions(connection, account)
            self._write(connection, "user.disable", account.id, account.role)
        return self._find(name)

    def set_password(self, name: str, password: str) -> Account:
        """Give a new password; let the user in again, and end older sessions.

        Raises:
            AccountError: there is no such user, or the password is too short or too long.
        """
        account, hashed = self._find(name), self._hash(password)
        with self._database.write() as connection:
            values = {"password_hash": hashed, "disabled": False}
            connection.execute(sa.update(users).where(users.c.id == account.id).values(values))
            self._end_sessions(connection, account)
            forget_failures(connection, account.name)
            self._write(connection, "user.password", account.id, account.role)
        return self._find(name)

    def _hash(self, password: str) -> str:
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise AccountError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
        return self._passwords.hash(password)

    def _find(self, name: str) -> Account:
        with self._database.read() as connection:
            query = sa.select(users).where(users.c.name == normalise(name))
            row = connection.execute(query).one_or_none()
        if row is None:
            raise AccountError("there is no user of this name")
        return _account(row)

    def _end_sessions(self, connection: Connection, account: Account) -> None:
        connection.execute(sa.delete(sessions).where(sessions.c.user_id == account.id))

    def _write(self, connection: Connection, action: str, subject: str, role: Role) -> None:
        self._audit.append(
            connection,
            actor=self._actor,
            action=action,
            subject=subject,
            detail={"role": role},
            now=self._clock.now(),
        )


def _account(row: sa.Row[tuple[object, ...]]) -> Account:
    return Account(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        disabled=row.disabled,
        created_at=row.created_at,
    )
