"""`haechi case`, and what of it searches texts: `keyword preview`."""

from contextlib import closing
from datetime import timedelta
from itertools import islice
from typing import Annotated

import typer

from agents.steps.previewing import Preview, Previewed
from agents.steps.seeking import AT_ONCE
from alerts.case_cli import case_app
from monitors import seen
from monitors.audit import Detail
from monitors.cases import require_active
from monitors.cli import keyword_app
from monitors.command_line import (
    AsJson,
    CaseName,
    Keyword,
    opened_register,
    print_json,
    print_table,
)
from monitors.register import CaseRegister
from monitors.spelling_changes import SpellingEditor
from monitors.spelling_cli import as_row

__all__ = ["case_app"]


@keyword_app.command("preview")
def preview(
    name: CaseName,
    keyword: Keyword,
    *,
    hours: Annotated[float, typer.Option(min=0.1, max=24 * 365, help="How far back.")] = 24.0,
    limit: Annotated[int, typer.Option(min=1, max=5_000_000, help="Posts, newest first.")] = (
        100_000
    ),
    as_json: AsJson = False,
) -> None:
    """Show what each spelling would have hit in the posts with media that were seen lately."""
    with opened_register() as register:
        posts, rows = preview_keyword(register, name, keyword, timedelta(hours=hours), limit)
    typer.echo(f"{posts} posts with a text of the last {hours:g} hours", err=True)
    if as_json:
        for row in rows:
            print_json(as_row(row.listed) | {"hits": row.hits, "excerpts": list(row.excerpts)})
        return
    print_table(("spelling", "kind", "found", "state", "hits", "excerpts"), map(_cells, rows))


def preview_keyword(
    register: CaseRegister, name: str, keyword: str, back: timedelta, limit: int
) -> tuple[int, list[Previewed]]:
    """Search what was seen for each spelling of a keyword; the audit log tells that, first.

    Args:
        register: of the cases.
        name: of the case.
        keyword: its identifier.
        back: how far.
        limit: posts at most, the newest first.

    Returns:
        How many posts had a text, and what each spelling hits.

    Raises:
        CaseNotActiveError: the case has no active legal basis.
        KeyDestroyedError, UnknownCaseError, UnknownKeywordError: as `SpellingEditor.watched`.
    """
    watched = SpellingEditor(register).watched(name, keyword)
    now = register.clock.now()
    with register.database.write() as connection:
        require_active(connection, name, now)
        detail: Detail = {"keyword": keyword, "seconds": int(back.total_seconds())}
        register.record(connection, "keyword.preview", watched.case, detail)
    found, count = Preview(watched), 0
    with (
        register.database.read() as connection,
        closing(seen.texts(connection, now - back, limit)) as posts,
    ):
        while some := list(islice(posts, AT_ONCE)):
            found.look(some)
            count += len(some)
    return count, found.rows()


def _cells(row: Previewed) -> list[str]:
    shown = [str(value) for value in as_row(row.listed).values()]
    return [*shown, str(row.hits), " | ".join(row.excerpts)]
