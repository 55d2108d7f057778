"""What stands around every request: headers, a bound on its size, and silence about bugs."""

from collections.abc import MutableMapping
from typing import Any

import structlog
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.console.pages import render_error
from streams.errors import DatabaseUnavailableError

MAX_BODY_BYTES = 64 * 1024
"""Of a form: a name, a password and a token."""

HEADERS: MutableMapping[str, str] = {
    "content-security-policy": (
        "default-src 'self'; script-src 'none'; img-src 'none'; media-src 'none'; "
        "object-src 'none'; frame-src 'none'; connect-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "x-robots-tag": "noindex, nofollow",
    "cache-control": "no-store",
}
"""OWASP ASVS 5.0, chapter 3.4. The console runs no script and shows no picture, so it may not."""

_HSTS = "max-age=31536000"  # ASVS 3.4.1: a year

_log = structlog.get_logger()


class Guard:
    """ASGI middleware, the outermost of ours.

    Args:
        app: what it stands around.
        secure: whether officers reach the console by https.
    """

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, secure=self._secure)
        status = _refusal(scope)
        if status is None:
            status = await self._serve(scope, receive, answer)
        if status is not None and not answer.started:
            await render_error(Request(scope), status)(scope, receive, answer.send)

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> int | None:
        """Run the application; an error becomes a status, and none of its words leave."""
        try:
            await self._app(scope, receive, answer.send)
        except DatabaseUnavailableError as error:
            _log.warning("console", reason=error.reason)
            return 503
        except Exception as error:  # noqa: BLE001 - its message may hold an address: type only
            _log.error("console", reason="bug", error=type(error).__name__)
            return 500
        return None


class _Answer:
    """Sends, with our headers on top."""

    def __init__(self, send: Send, *, secure: bool) -> None:
        self._send = send
        self._secure = secure
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            if self._secure:
                headers["strict-transport-security"] = _HSTS
        await self._send(message)


def _refusal(scope: MutableMapping[str, Any]) -> int | None:
    """Refuse a body that is too large, or does not say how large it is."""
    headers = dict(scope["headers"])
    if scope["method"] in {"GET", "HEAD"}:
        return None
    length = headers.get(b"content-length", b"")
    if b"transfer-encoding" in headers or not length.isdigit():  # chunks overrule the length
        return 411
    return 413 if int(length[:20]) > MAX_BODY_BYTES else None
