"""Requests to an AT Protocol service, with the session of an account where one is configured."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from streams.clock import Clock
from streams.errors import ConfigurationError, SourceError, UnauthorizedError
from streams.sources.answers import ask, asking, decode
from streams.sources.at_answers import RefusedError, to_error, to_plain
from streams.sources.config import Token

EXPIRED = ("ExpiredToken", "InvalidToken")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who signs in.

    Args:
        identifier: a handle or a DID.
        password: an app password; see https://atproto.com/specs/xrpc#app-passwords.
    """

    identifier: str
    password: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    did: str
    access: str
    refresh: str


class AtSession:
    """Asks one service. Signs in when first asked, and keeps the session; one question at a time.

    Args:
        url: `https://HOST` of a PDS, or of an AppView that needs no account.
        account: None: nobody signs in.
        clock: for dates in answers.
    """

    def __init__(self, url: str, account: Account | None, *, clock: Clock) -> None:
        self._url = url.rstrip("/")
        self._account = account
        self._clock = clock
        self._session: _Session | None = None

    async def did(self) -> str:
        """Tell who is signed in.

        Raises:
            SourceError: nobody can be now.
            ConfigurationError: nobody is to be.
        """
        async with self._client() as client:
            return (await self._signed_in(client)).did

    async def get(self, nsid: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Ask a query.

        Raises:
            SourceError: it is not answered now; its `reason` says why.
        """
        return await self._ask("GET", f"{nsid}?{urlencode(parameters, doseq=True)}", None)

    async def post(self, nsid: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Call a procedure.

        Raises:
            SourceError: it is not carried out now; its `reason` says why.
        """
        return await self._ask("POST", nsid, content)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Hold a client for one question, so that nobody needs to close us."""
        async with asking() as client:
            try:
                yield client
            except RefusedError as refused:
                raise to_plain(refused) from None

    async def _ask(
        self, method: str, path: str, content: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        async with self._client() as client:
            if self._account is None:
                return await self._send(client, method, path, content)
            session = await self._signed_in(client)
            try:
                return await self._send(client, method, path, content, session.access)
            except RefusedError as refused:
                if refused.error not in EXPIRED:
                    raise
            try:
                renewed = (await self._renewed(client, session)).access
                return await self._send(client, method, path, content, renewed)
            except RefusedError as refused:
                if refused.error not in EXPIRED:
                    raise
                self._session = None
                raise UnauthorizedError("a new session is expired, too") from None

    async def _signed_in(self, client: httpx.AsyncClient) -> _Session:
        if self._session is None:
            if self._account is None:
                raise ConfigurationError("an account is needed")
            content = {
                "identifier": self._account.identifier,
                "password": self._account.password.read(),
            }
            path = "com.atproto.server.createSession"
            self._session = _session(await self._send(client, "POST", path, content))
        return self._session

    async def _renewed(self, client: httpx.AsyncClient, session: _Session) -> _Session:
        """Refresh the session; where it is too old for that, sign in anew."""
        self._session = None
        path = "com.atproto.server.refreshSession"
        try:
            answer = await self._send(client, "POST", path, None, session.refresh)
        except RefusedError:
            return await self._signed_in(client)
        self._session = _session(answer)
        return self._session

    async def _send(
        self,
        client: httpx.AsyncClient,
        method: str,
        path: str,
        content: Mapping[str, Any] | None,
        token: str | None = None,
    ) -> dict[str, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = f"{self._url}/xrpc/{path}"
        answer = await ask(client, method, url, json=content, headers=headers)
        if answer.status != 200:
            raise to_error(answer, self._clock.now())
        return _object(answer.body)


def _object(body: bytes) -> dict[str, Any]:
    answer = decode(body or b"{}")
    if not isinstance(answer, dict):
        raise SourceError("an answer that is no object")
    return answer


def _session(answer: Mapping[str, Any]) -> _Session:
    parts = [answer.get(name) for name in ("did", "accessJwt", "refreshJwt")]
    if not all(isinstance(part, str) and part.isascii() for part in parts):
        raise SourceError("an answer that is no session")
    did, access, refresh = map(str, parts)
    return _Session(did=did, access=access, refresh=refresh)
