"""`haechi console` and `haechi user`."""

import getpass
import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
import uvicorn

from dashboards.console.accounts import Account, Accounts
from dashboards.console.app import build_console
from dashboards.console.auth import Passwords, Role
from monitors.audit import AuditLog
from monitors.keystore import KeyStore
from monitors.logs import configure
from monitors.migrate import open_database
from streams.clock import SystemClock
from streams.errors import AccountError
from streams.settings import Settings

SHUTDOWN_SECONDS = 3
"""For requests under way when the console is told to stop."""

AsJson = Annotated[bool, typer.Option("--json", help="JSON, one object a line.")]
UserName = Annotated[str, typer.Argument(metavar="NAME", help="Lower case; what they log in with.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password's line from standard input.")
]
Generate = Annotated[
    bool, typer.Option("--generate", help="Make a password and print it, once. Default in scripts.")
]

user_app = typer.Typer(
    help="Who may log in to the console.", no_args_is_help=True, add_completion=False
)


def console() -> None:
    """Serve the console until told to stop. One process: its metrics are its own."""
    settings = Settings()
    configure(settings.log_level, process="console")
    database = open_database(settings)
    try:
        uvicorn.run(
            build_console(settings, database, SystemClock()),
            host=settings.console_host,
            port=settings.console_port,
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    finally:
        database.close()


@user_app.command("add")
def add_user(
    name: UserName,
    *,
    role: Annotated[Role, typer.Option(help="What they are here for.")] = Role.OFFICER,
    password_stdin: FromStdin = False,
    generate: Generate = False,
    as_json: AsJson = False,
) -> None:
    """Add somebody who may log in."""
    password, is_made = _choose_password(password_stdin=password_stdin, generate=generate)
    with _accounts() as accounts:
        account = accounts.add(name, role, password)
    _say(account, password if is_made else None, as_json=as_json)


@user_app.command("list")
def list_users(*, as_json: AsJson = False) -> None:
    """List everybody."""
    with _accounts() as accounts:
        for account in accounts.list_all():
            _say(account, None, as_json=as_json)


@user_app.command("disable")
def disable_user(name: UserName, *, as_json: AsJson = False) -> None:
    """Let somebody in no more, and end their sessions; `passwd` lets them in again."""
    with _accounts() as accounts:
        _say(accounts.disable(name), None, as_json=as_json)


@user_app.command("passwd")
def set_password(
    name: UserName,
    *,
    password_stdin: FromStdin = False,
    generate: Generate = False,
    as_json: AsJson = False,
) -> None:
    """Give somebody a new password; it unlocks the name and ends older sessions."""
    password, is_made = _choose_password(password_stdin=password_stdin, generate=generate)
    with _accounts() as accounts:
        account = accounts.set_password(name, password)
    _say(account, password if is_made else None, as_json=as_json)


def _choose_password(*, password_stdin: bool, generate: bool) -> tuple[str, bool]:
    """Ask for, read or make a password; say whether it was made here."""
    if password_stdin and generate:
        raise typer.BadParameter("--password-stdin and --generate exclude each other")
    if password_stdin:
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise AccountError("standard input holds no password")
        return line, False
    if generate or not sys.stdin.isatty():
        return secrets.token_urlsafe(18), True
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed, False


@contextmanager
def _accounts() -> Iterator[Accounts]:
    settings = Settings()
    database = open_database(settings)
    try:
        audit = AuditLog(KeyStore(settings.keys_dir).audit_key())
        yield Accounts(database, SystemClock(), audit, Passwords(), actor=_login_name())
    finally:
        database.close()


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def _say(account: Account, password: str | None, *, as_json: bool) -> None:
    row: dict[str, Any] = {
        "user": account.id,
        "name": account.name,
        "role": account.role,
        "disabled": account.disabled,
    }
    if password is not None:
        row["password"] = password
    if as_json:
        typer.echo(json.dumps(row))
        return
    typer.echo(f"{account.name}  {account.role}{'  disabled' if account.disabled else ''}")
    if password is not None:
        typer.echo(f"password: {password}  (shown this once)")
