"""Renders the templates: escaped, in the reader's language, with nothing undefined."""

from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboards.console import words
from dashboards.console.auth import Session
from dashboards.console.texts import choose

FOLDER = Path(__file__).parent
"""Of the templates and the style sheet."""

_environment = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(
    request: Request,
    template: str,
    *,
    session: Session | None = None,
    status: int = 200,
    **values: object,
) -> HTMLResponse:
    """Render one page.

    Args:
        request: whose `Accept-Language` decides.
        template: its file.
        session: of who reads; None where nobody is logged in.
        status: of HTTP.
        values: what the template shows.
    """
    t = choose(request.headers.get("accept-language", ""))
    page = _environment.get_template(template)
    return HTMLResponse(page.render(t=t, say=words, session=session, **values), status)


def render_error(request: Request, status: int) -> HTMLResponse:
    """Render what went wrong, without anything of the request or the error."""
    return render(request, "error.html", status=status, code=status)
