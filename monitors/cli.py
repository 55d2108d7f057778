"""`haechi case`, `haechi audit` and `haechi db`."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from monitors.audit import Head, read_head, verify
from monitors.backup import back_up
from monitors.cases import AgeClass, Case, Consent, LegalBasis, NewCase, is_lawful
from monitors.command_line import (
    AsJson,
    CaseName,
    Keyword,
    Words,
    iso,
    opened_database,
    opened_register,
    print_json,
    print_table,
    read_words,
    say,
    set_actor,
)
from monitors.keystore import KeyStore
from monitors.migrate import HEAD
from monitors.negative_cli import negative_app
from monitors.reference_cli import reference_app
from monitors.register import CaseRegister, check_keyword
from monitors.spelling_cli import add_spellings, list_spellings, switch_spellings_off
from monitors.spellings import spellings_of
from streams.errors import CaseError
from streams.settings import Settings

Consents = Annotated[
    str, typer.Option(help="Consents given apart, comma-separated: face, voice; empty for none.")
]
Expires = Annotated[
    str | None,
    typer.Option(help="Last day of the authority (YYYY-MM-DD, local), or a time with its zone."),
]

case_app = typer.Typer(
    help="Cases: open, show, end; keywords, references.", no_args_is_help=True, add_completion=False
)
keyword_app = typer.Typer(help="A case's keywords.", no_args_is_help=True, add_completion=False)
keyword_app.command("spellings")(list_spellings)
keyword_app.command("spell")(add_spellings)
keyword_app.command("unspell")(switch_spellings_off)
case_app.add_typer(keyword_app, name="keyword")
case_app.add_typer(reference_app, name="reference")
case_app.add_typer(negative_app, name="negative")
audit_app = typer.Typer(
    help="The chained log of who did what.", no_args_is_help=True, add_completion=False
)
db_app = typer.Typer(
    help="The database and its migrations.", no_args_is_help=True, add_completion=False
)


@case_app.callback()
def case_root(
    *,
    actor: Annotated[
        str | None, typer.Option(help="Who stands in the audit log; default: your login name.")
    ] = None,
) -> None:
    """Cases: open, show, end; keywords, references."""
    set_actor(actor)


@case_app.command("open")
def open_case(
    *,
    alias: Annotated[str, typer.Option(help="A pseudonym, never a name.")],
    age_class: Annotated[AgeClass, typer.Option(help="Of the person shown.")],
    basis: Annotated[LegalBasis, typer.Option(help="Who asked.")],
    consent: Consents = "",
    expires: Expires = None,
    as_json: AsJson = False,
) -> None:
    """Open a case and print its identifier."""
    new = NewCase(
        alias=alias,
        age_class=age_class,
        legal_basis=basis,
        consents=_parse_consents(consent),
        expires_at=parse_end(expires),
    )
    with opened_register() as register:
        case = register.open(new)
    say({"case": case.id}, f"case {case.id} is open", as_json=as_json)


@case_app.command("show")
def show_case(name: CaseName, *, as_json: AsJson = False) -> None:
    """Show one case: its basis, its consents, its keywords, how many references."""
    with opened_register() as register:
        found = describe(register, register.find(name), detailed=True)
    if as_json:
        print_json(found)
        return
    rows = []
    for key, value in found.items():
        words = ("no", "yes")[value] if isinstance(value, bool) else value
        if key == "keywords":
            words = ", ".join(one["text"] for one in value)
        elif isinstance(value, list):
            words = ", ".join(value)
        rows.append((key, "-" if words in {None, ""} else str(words)))
    print_table(("", ""), rows)


@case_app.command("list")
def list_cases(*, as_json: AsJson = False) -> None:
    """List every case, the oldest first."""
    with opened_register() as register:
        rows = [describe(register, case) for case in register.list_all()]
    if as_json:
        for row in rows:
            print_json(row)
        return
    keys = ("case", "alias", "legal_basis", "status", "lawful", "references")
    words = {True: "yes", False: "no"}
    print_table(
        ("case", "alias", "basis", "status", "lawful", "references"),
        [[str((row | {"lawful": words[row["lawful"]]})[key]) for key in keys] for row in rows],
    )


@case_app.command("withdraw")
def withdraw_case(
    name: CaseName,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop matching and destroy the case's features and key, for ever; repeat it if cut off."""
    with opened_register() as register:
        case = register.find(name)
        if sys.stdin.isatty() and not yes and not as_json:
            typer.confirm("This cannot be undone. Withdraw the case?", abort=True, err=True)
        ended = register.withdraw(case.id)
    words = f"case {ended.id} is withdrawn; its key is destroyed"
    say({"case": ended.id, "status": ended.status}, words, as_json=as_json)


@case_app.command("close")
def close_case(name: CaseName, *, as_json: AsJson = False) -> None:
    """Stop matching, and keep what the law says to keep."""
    with opened_register() as register:
        ended = register.close(name)
    words = f"case {ended.id} is closed"
    say({"case": ended.id, "status": ended.status}, words, as_json=as_json)


@case_app.command("renew")
def renew_case(name: CaseName, *, expires: Expires = None, as_json: AsJson = False) -> None:
    """Set the authority's end anew; without `--expires` it has none."""
    with opened_register() as register:
        case = register.renew(name, parse_end(expires))
    end = iso(case.expires_at)
    say({"case": case.id, "expires_at": end}, f"expires: {end or 'never'}", as_json=as_json)


@case_app.command("consent")
def set_consents(
    name: CaseName,
    *,
    give: Annotated[str, typer.Option("--set", help="All of them: face, voice, or none.")],
    as_json: AsJson = False,
) -> None:
    """Record the separate consents anew; what a withdrawn one allowed is deleted."""
    with opened_register() as register:
        case = register.set_consents(name, _parse_consents("" if give == "none" else give))
    names = sorted(case.consents)
    words = f"consents: {', '.join(names) or 'none'}"
    say({"case": case.id, "consents": names}, words, as_json=as_json)


@keyword_app.command("add")
def add_keywords(
    name: CaseName,
    words: Words,
    *,
    as_json: AsJson = False,
) -> None:
    """Watch for words, and print the variants that will be found; all of them, or none."""
    given = read_words(words)
    for word in given:
        check_keyword(word)
    with opened_register() as register:
        for word in given:
            keyword, found = (
                register.add_keyword(name, word),
                [one.text for one in spellings_of(word)],
            )
            row = {"keyword": keyword, "text": word, "variants": found}
            say(row, f"{word}: {', '.join(found)}", as_json=as_json)


@keyword_app.command("list")
def list_keywords(name: CaseName, *, as_json: AsJson = False) -> None:
    """List a case's keywords with their identifiers, the oldest first."""
    with opened_register() as register:
        found = register.list_keywords(register.find(name).id)
    for keyword, text in found:
        say({"keyword": keyword, "text": text}, f"{keyword}  {text}", as_json=as_json)


@keyword_app.command("remove")
def remove_keyword(
    name: CaseName,
    keyword: Keyword,
    *,
    as_json: AsJson = False,
) -> None:
    """Watch for a word no longer; the tasks that it opened stay."""
    with opened_register() as register:
        register.remove_keyword(name, keyword)
    say({"keyword": keyword, "removed": True}, f"{keyword} is removed", as_json=as_json)


@audit_app.command("head")
def audit_head(*, as_json: AsJson = False) -> None:  # noqa: ARG001 - it is JSON anyway
    """Print the chain's last number and MAC as JSON, to be kept somewhere else."""
    with opened_database(Settings()) as database, database.read() as connection:
        print_json(asdict(read_head(connection)))


@audit_app.command("verify")
def audit_verify(
    *,
    head: Annotated[
        Path | None, typer.Option(help="What `haechi audit head` printed earlier.", dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every row of the log; the exit status is 1 where it is broken."""
    settings = Settings()
    known = None if head is None else _read_head_file(head)
    key = KeyStore(settings.keys_dir).audit_key()
    with opened_database(settings) as database, database.read() as connection:
        report = verify(connection, key, known)
    broken = report.broken_at is not None
    words = f"broken at row {report.broken_at}" if broken else f"whole: {report.rows} rows"
    say(asdict(report), words, as_json=as_json)
    raise typer.Exit(1 if broken else 0)


@db_app.command("upgrade")
def db_upgrade(*, as_json: AsJson = False) -> None:
    """Bring the database to this version."""
    with opened_database(Settings()):
        say({"step": HEAD}, f"the database is at step {HEAD}", as_json=as_json)


@db_app.command("backup")
def db_backup(
    file: Annotated[Path, typer.Argument(help="A new file.", dir_okay=False)],
    *,
    as_json: AsJson = False,
) -> None:
    """Copy the database, never the keys: a withdrawn case stays unreadable in every copy."""
    with opened_database(Settings()) as database:
        back_up(database, file)
    say({"backup": str(file)}, f"wrote {file}", as_json=as_json)


def describe(register: CaseRegister, case: Case, *, detailed: bool = False) -> dict[str, Any]:
    """Return one case as the JSON of `show` and `list`."""
    row: dict[str, Any] = {
        "case": case.id,
        "alias": case.alias,
        "age_class": case.age_class,
        "legal_basis": case.legal_basis,
        "consents": sorted(case.consents),
        "status": case.status,
        "lawful": is_lawful(case, register.clock.now()),
        "opened_at": iso(case.opened_at),
        "expires_at": iso(case.expires_at),
        "ended_at": iso(case.ended_at),
        "references": register.count_references(case.id),
    }
    if detailed:
        words = register.list_keywords(case.id)
        row["keywords"] = [{"keyword": keyword, "text": text} for keyword, text in words]
    return row


def parse_end(text: str | None) -> datetime | None:
    """Read the end of an authority: a day counts to its end, on this machine's clock.

    Raises:
        BadParameter: neither a day nor a time with its zone.
    """
    if text is None:
        return None
    try:
        if len(text) == len("2026-11-23"):
            after = date.fromisoformat(text) + timedelta(days=1)
            return datetime.combine(after, time()).astimezone().astimezone(UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no date; write YYYY-MM-DD") from None
    if moment.tzinfo is None:
        raise typer.BadParameter("a time needs its zone, as in 2026-11-23T12:00+09:00")
    return moment.astimezone(UTC)


def _parse_consents(text: str) -> frozenset[Consent]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in set(Consent)]
    if unknown:
        raise typer.BadParameter(f"no consent {unknown[0]!r}; there are {', '.join(Consent)}")
    return frozenset(Consent(name) for name in names)


def _read_head_file(file: Path) -> Head:
    try:
        head = Head(**json.loads(file.read_text()))
        return Head(seq=int(head.seq), mac=str(head.mac))
    except (OSError, ValueError, TypeError):
        raise CaseError(f"{file} holds no head of `haechi audit head`") from None
