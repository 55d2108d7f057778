"""`dashboards.console.accounts`."""

import pytest
import sqlalchemy as sa

from dashboards.console.accounts import Accounts
from dashboards.console.auth import Role
from monitors.database import Database
from monitors.tables import audit, users
from streams.errors import AccountError
from tests.dashboards.console.conftest import PASSWORD


def test_everybody_is_listed_by_name_without_a_password(accounts: Accounts) -> None:
    listed = accounts.list_all()
    assert [one.name for one in listed] == sorted(Role)
    assert "argon2" not in repr(listed)


@pytest.mark.parametrize("name", ["", "with space", "-dash", "x" * 65, "이름", "a\nb"])
def test_a_name_that_cannot_be_typed_everywhere_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError):
        accounts.add(name, Role.OFFICER, PASSWORD)


def test_a_name_is_taken_once_whatever_its_case(accounts: Accounts) -> None:
    with pytest.raises(AccountError):
        accounts.add("OFFICER", Role.AUDITOR, PASSWORD)


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 1025])
def test_a_password_has_bounds(accounts: Accounts, password: str) -> None:
    with pytest.raises(AccountError):
        accounts.add("new", Role.OFFICER, password)
    with pytest.raises(AccountError):
        accounts.set_password("officer", password)


def test_nobody_cannot_be_changed(accounts: Accounts) -> None:
    with pytest.raises(AccountError):
        accounts.disable("nobody")
    with pytest.raises(AccountError):
        accounts.set_password("nobody", PASSWORD)


def test_a_new_password_lets_a_disabled_user_in_again(accounts: Accounts) -> None:
    assert accounts.disable("officer").disabled
    assert not accounts.set_password("officer", PASSWORD).disabled


def test_changes_are_audited_without_the_password(accounts: Accounts, database: Database) -> None:
    accounts.disable("officer")
    accounts.set_password("officer", PASSWORD)
    with database.read() as connection:
        rows = connection.execute(sa.select(audit).order_by(audit.c.seq)).all()
        user = connection.execute(sa.select(users).where(users.c.name == "officer")).one()
    assert [row.action for row in rows] == ["user.add"] * len(Role) + [
        "user.disable",
        "user.password",
    ]
    assert rows[-1].subject == user.id
    assert {row.actor for row in rows} == {"root"}
    assert PASSWORD not in str(rows)
    assert user.password_hash.startswith("$argon2id$")
