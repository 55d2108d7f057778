"""Log in, log out, and who is asking."""

import re
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from dashboards.console.auth import Authenticator, Session, csrf_of, is_csrf, new_token
from dashboards.console.pages import render

_NEXT = re.compile(r"/tasks/[0-9a-f]{32}")
"""Where a log-in may lead, besides the list: a webhook's link."""


class Access:
    """Knows people by their cookies.

    Args:
        authenticator: of the sessions.
        secure: whether officers reach the console by https: then cookies are `__Host-`.
    """

    def __init__(self, authenticator: Authenticator, *, secure: bool) -> None:
        self.authenticator = authenticator
        prefix = "__Host-" if secure else ""
        self._secure = secure
        self.session_cookie = f"{prefix}haechi"
        self.form_cookie = f"{prefix}haechi-form"

    def require(self, request: Request) -> Session:
        """Give the session of a request; nobody's leads to the log-in."""
        session = self.authenticator.find(request.cookies.get(self.session_cookie))
        if session is None:
            wanted = request.url.path if _NEXT.fullmatch(request.url.path) else ""
            target = f"/login?next={wanted}" if wanted else "/login"
            raise HTTPException(303, headers={"location": target})
        return session

    def set_cookie(self, response: Response, name: str, value: str) -> None:
        """Set a cookie that ends with the browser, and that scripts and other sites cannot use."""
        response.set_cookie(
            name, value, path="/", httponly=True, samesite="lax", secure=self._secure
        )

    def delete_cookie(self, response: Response, name: str) -> None:
        """Delete a cookie."""
        response.delete_cookie(name, path="/", httponly=True, samesite="lax", secure=self._secure)


def build_router(access: Access) -> APIRouter:
    """Make the routes of logging in and out."""
    router = APIRouter()

    @router.get("/login")
    def show(request: Request, next: str = "") -> Response:  # noqa: A002 - the query's name
        return _form(request, access, next, status=200)

    @router.post("/login")
    def log_in(
        request: Request,
        name: Annotated[str, Form(max_length=256)] = "",
        password: Annotated[str, Form(max_length=8192)] = "",
        csrf: Annotated[str, Form(max_length=256)] = "",
        next: Annotated[str, Form(max_length=64)] = "",  # noqa: A002 - the field's name
    ) -> Response:
        if not is_csrf(request.cookies.get(access.form_cookie), csrf):
            return _form(request, access, next, status=403, error="form_is_old")
        session = access.authenticator.log_in(name, password)
        if session is None:
            return _form(request, access, next, status=401, error="log_in_failed")
        response = RedirectResponse(next if _NEXT.fullmatch(next) else "/", 303)
        access.set_cookie(response, access.session_cookie, session.token)
        access.delete_cookie(response, access.form_cookie)
        return response

    @router.post("/logout")
    def log_out(request: Request, csrf: Annotated[str, Form(max_length=256)] = "") -> Response:
        session = access.require(request)
        if not is_csrf(session.token, csrf):
            raise HTTPException(403)
        access.authenticator.log_out(session)
        response = RedirectResponse("/login", 303)
        access.delete_cookie(response, access.session_cookie)
        return response

    return router


def _form(
    request: Request, access: Access, wanted: str, *, status: int, error: str | None = None
) -> Response:
    token = request.cookies.get(access.form_cookie) or new_token()
    response = render(
        request,
        "login.html",
        status=status,
        error=error,
        csrf=csrf_of(token),
        next=wanted if _NEXT.fullmatch(wanted) else "",
    )
    access.set_cookie(response, access.form_cookie, token)
    return response
