"""Questions to a server of the Mastodon API, as an account where a token is configured."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from streams.clock import Clock
from streams.errors import ConfigurationError, RateLimitedError, SourceError
from streams.sources.answers import ask, asking, decode, to_error
from streams.sources.config import Token
from streams.sources.fields import fits
from streams.sources.sockets import SOCKET_URL

PAGE_STATUSES = 40
"""The most that one page may have; https://docs.joinmastodon.org/methods/timelines/."""


class MastodonApi:
    """Asks one server.

    Args:
        url: `https://HOST`.
        token: None: asked as nobody.
        clock: for dates in answers.
    """

    def __init__(self, url: str, token: Token | None, *, clock: Clock) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._clock = clock

    def headers(self) -> dict[str, str]:
        """Say who asks; a token's file is read anew.

        Raises:
            ConfigurationError: the token cannot be read, or is none.
        """
        if self._token is None:
            return {}
        token = self._token.read()
        if not token.isascii() or not token.isprintable():
            raise ConfigurationError("a token is ASCII in one line")
        return {"Authorization": f"Bearer {token}"}

    async def get(self, path: str, parameters: Mapping[str, Any]) -> Any:
        """Ask for JSON.

        Raises:
            SourceError: it is not given now; its `reason` says why.
            ConfigurationError: the token cannot be read.
        """
        async with asking(**self.headers()) as client:
            answer = await ask(client, "GET", self._url + path, params=dict(parameters))
        if answer.status != 200:
            raise to_error(answer, self._clock.now())
        return decode(answer.body)

    async def page(self, path: str, parameters: Mapping[str, Any]) -> list[Any]:
        """Ask for a page of a timeline, the newest first.

        Raises:
            SourceError: it is not given now; its `reason` says why.
        """
        found = await self.get(path, {"limit": PAGE_STATUSES, **parameters})
        if not isinstance(found, list):
            raise SourceError("an answer that is no timeline")
        return found[: 2 * PAGE_STATUSES]

    async def streaming_url(self) -> str:
        """Find where the server streams: what it names, or the same host.

        Raises:
            RateLimitedError: it asks to be left alone.
        """
        scheme, host, *_ = urlsplit(self._url)
        own = f"{'wss' if scheme == 'https' else 'ws'}://{host}"
        try:
            instance = await self.get("/api/v2/instance", {})
        except RateLimitedError:
            raise
        except SourceError:  # before 4.0 there was none
            return own
        found: Any = instance
        for name in ("configuration", "urls", "streaming"):
            found = found.get(name) if isinstance(found, Mapping) else None
        if fits(SOCKET_URL, found) and (scheme == "http" or found.startswith("wss:")):
            return str(found).rstrip("/")
        return own  # a token is not sent in the clear because an answer says so
