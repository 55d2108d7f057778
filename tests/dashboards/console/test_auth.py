"""`dashboards.console.auth`."""

import threading
from datetime import timedelta
from unittest.mock import Mock

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher, Type, extract_parameters

from dashboards.console.accounts import Accounts
from dashboards.console.auth import (
    ABSOLUTE,
    IDLE,
    LOCK,
    MAX_FAILURES,
    Authenticator,
    Passwords,
    Session,
    csrf_of,
    is_csrf,
    new_token,
)
from monitors.audit import AuditLog
from monitors.database import Database
from monitors.tables import audit as audit_table
from monitors.tables import login_attempts, sessions
from tests.dashboards.console.conftest import CHEAP, PASSWORD
from tests.fakes import FakeClock


@pytest.fixture
def authenticator(
    database: Database, clock: FakeClock, audit: AuditLog, accounts: Accounts
) -> Authenticator:
    return Authenticator(database, clock, audit, Passwords(CHEAP))


def logged_in(authenticator: Authenticator) -> Session:
    session = authenticator.log_in("officer", PASSWORD)
    assert session is not None
    return session


def test_the_right_password_starts_a_session_that_is_known_again(
    authenticator: Authenticator,
) -> None:
    session = logged_in(authenticator)
    assert (session.name, session.role) == ("officer", "officer")
    assert authenticator.find(session.token) == session
    assert authenticator.log_in(" Officer ", PASSWORD) is not None


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("officer", "wrong"),
        ("nobody", PASSWORD),
        ("officer", ""),
        ("", ""),
        ("officer", "x" * 9999),
    ],
)
def test_anything_else_does_not(authenticator: Authenticator, name: str, password: str) -> None:
    assert authenticator.log_in(name, password) is None


def test_only_the_hash_of_a_token_is_stored(
    authenticator: Authenticator, database: Database
) -> None:
    session = logged_in(authenticator)
    with database.read() as connection:
        (row,) = connection.execute(sa.select(sessions))
    assert session.token not in str(row)
    assert len(session.token) >= 43, "256 bits in base64"
    assert authenticator.find(row.token_hash) is None
    assert session.token not in repr(session)


@pytest.mark.parametrize("token", [None, "", "unknown", "\ud800"])
def test_an_unknown_token_is_nobody(authenticator: Authenticator, token: str | None) -> None:
    assert authenticator.find(token) is None


def test_a_session_ends_when_it_is_idle(authenticator: Authenticator, clock: FakeClock) -> None:
    session = logged_in(authenticator)
    for _ in range(5):
        clock.advance(IDLE.total_seconds() - 61)
        assert authenticator.find(session.token) is not None
    clock.advance(IDLE.total_seconds())
    assert authenticator.find(session.token) is None


def test_a_session_ends_however_busy(authenticator: Authenticator, clock: FakeClock) -> None:
    session = logged_in(authenticator)
    step = IDLE / 2
    for _ in range(ABSOLUTE // step - 1):
        clock.advance(step.total_seconds())
        assert authenticator.find(session.token) is not None
    clock.advance(step.total_seconds())
    assert authenticator.find(session.token) is None


def test_logging_out_ends_this_session_alone(authenticator: Authenticator) -> None:
    first, second = logged_in(authenticator), logged_in(authenticator)
    authenticator.log_out(first)
    assert authenticator.find(first.token) is None
    assert authenticator.find(second.token) is not None


def test_disabling_and_a_new_password_end_every_session(
    authenticator: Authenticator, accounts: Accounts
) -> None:
    session = logged_in(authenticator)
    accounts.set_password("officer", "another long password")
    assert authenticator.find(session.token) is None
    again = authenticator.log_in("officer", "another long password")
    assert again is not None
    accounts.disable("officer")
    assert authenticator.find(again.token) is None
    assert authenticator.log_in("officer", "another long password") is None


@pytest.mark.parametrize("name", ["officer", "nobody"])
def test_five_failures_lock_a_name_known_or_not(
    authenticator: Authenticator, clock: FakeClock, name: str
) -> None:
    verify = Mock(return_value=False)
    authenticator._passwords.verify = verify  # type: ignore[method-assign]
    for _ in range(MAX_FAILURES):
        assert authenticator.log_in(name, "wrong") is None
    assert verify.call_count == MAX_FAILURES
    clock.advance(LOCK.total_seconds() - 1)
    assert authenticator.log_in(name, PASSWORD) is None
    assert verify.call_count == MAX_FAILURES, "a locked name's password is not even looked at"
    clock.advance(1)
    authenticator.log_in(name, PASSWORD)
    assert verify.call_count == MAX_FAILURES + 1


def test_a_locked_name_is_not_let_in_by_the_right_password(
    authenticator: Authenticator, accounts: Accounts
) -> None:
    for _ in range(MAX_FAILURES):
        authenticator.log_in("officer", "wrong")
    assert authenticator.log_in("officer", PASSWORD) is None
    assert authenticator.log_in("auditor", PASSWORD) is not None, "others are not locked"
    accounts.set_password("officer", PASSWORD)
    assert authenticator.log_in("officer", PASSWORD) is not None, "a new password unlocks"


def test_a_right_password_and_a_quiet_quarter_of_an_hour_forget_failures(
    authenticator: Authenticator, clock: FakeClock
) -> None:
    for forget in (lambda: logged_in(authenticator), lambda: clock.advance(LOCK.total_seconds())):
        for _ in range(MAX_FAILURES - 1):
            authenticator.log_in("officer", "wrong")
        forget()
    assert authenticator.log_in("officer", PASSWORD) is not None


def test_many_tries_at_once_gain_nothing(database: Database, authenticator: Authenticator) -> None:
    verify = Mock(return_value=False)
    authenticator._passwords.verify = verify  # type: ignore[method-assign]
    threads = [
        threading.Thread(target=authenticator.log_in, args=("officer", f"guess {n}"))
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify.call_count == MAX_FAILURES


def test_what_was_typed_as_a_name_is_not_kept(
    authenticator: Authenticator, database: Database, clock: FakeClock
) -> None:
    authenticator.log_in(PASSWORD, "")
    with database.read() as connection:
        (row,) = connection.execute(sa.select(login_attempts))
    assert PASSWORD not in str(row)
    clock.advance(LOCK.total_seconds())
    authenticator.log_in("officer", PASSWORD)
    with database.read() as connection:
        assert not connection.execute(sa.select(login_attempts)).all(), "and goes away"


def test_an_unknown_user_costs_as_much_as_a_known_one() -> None:
    hasher = Mock(wraps=CHEAP)
    passwords = Passwords(hasher)
    stored = passwords.hash(PASSWORD)
    assert passwords.verify(stored, PASSWORD)
    assert not passwords.verify(None, PASSWORD)
    assert hasher.verify.call_count == 2
    known, unknown = (extract_parameters(call.args[0]) for call in hasher.verify.call_args_list)
    assert known == unknown


def test_passwords_are_hashed_by_argon2id_at_its_full_cost() -> None:
    parameters = extract_parameters(Passwords().hash(PASSWORD))
    assert parameters.type is Type.ID
    assert parameters.memory_cost >= PasswordHasher().memory_cost >= 19 * 1024


def test_hangul_is_the_same_password_on_every_keyboard() -> None:
    passwords = Passwords(CHEAP)
    composed, decomposed = "비밀번호 열두 글자", "비밀번호 열두 글자"
    assert passwords.verify(passwords.hash(composed), composed)
    import unicodedata

    assert passwords.verify(passwords.hash(composed), unicodedata.normalize("NFD", decomposed))


def test_a_broken_hash_lets_nobody_in() -> None:
    assert not Passwords(CHEAP).verify("not a hash", PASSWORD)


def test_a_forms_token_belongs_to_one_cookie() -> None:
    token, other = new_token(), new_token()
    assert is_csrf(token, csrf_of(token))
    assert token not in csrf_of(token)
    for wrong in (csrf_of(other), "", token, "é"):
        assert not is_csrf(token, wrong)
    assert not is_csrf(None, csrf_of(token))


def test_log_ins_are_audited_and_strangers_fill_nothing(
    authenticator: Authenticator, database: Database
) -> None:
    authenticator.log_in("nobody", "wrong")
    authenticator.log_in("officer", "wrong")
    session = logged_in(authenticator)
    authenticator.log_out(session)
    with database.read() as connection:
        rows = connection.execute(sa.select(audit_table).order_by(audit_table.c.seq)).all()
    ours = [(row.actor, row.action, row.subject) for row in rows if "log_" in row.action]
    assert ours == [
        ("console", "user.log_in_refused", session.user),
        ("officer", "user.log_in", session.user),
        ("officer", "user.log_out", session.user),
    ]


def test_ended_sessions_are_swept(
    authenticator: Authenticator, database: Database, clock: FakeClock
) -> None:
    logged_in(authenticator)
    clock.advance((IDLE + timedelta(seconds=1)).total_seconds())
    logged_in(authenticator)
    with database.read() as connection:
        assert len(connection.execute(sa.select(sessions)).all()) == 1
