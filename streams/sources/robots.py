"""What a host's robots.txt allows (RFC 9309), asked for once a day."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urljoin

from protego import Protego

from streams.clock import Clock
from streams.errors import MediaRefusedError, SourceError
from streams.sources.polite import PoliteClient

AGENT = "Haechi"
"""The product token of `streams.media.fetcher.USER_AGENT`."""

KEPT_SECONDS = 86_400.0
"""RFC 9309, section 2.4: not longer than a day."""

MAX_BYTES = 512 * 1024
"""Read of it; section 2.5 asks for 500 KiB at least."""

MAX_DELAY_SECONDS = 600.0
"""Of what a host may ask for as `Crawl-delay`."""

MAX_HOSTS = 100


@dataclass(frozen=True, slots=True)
class _Rules:
    """A host's, and until when they are kept."""

    rules: Protego
    until: float


class Robots:
    """Knows what hosts allow.

    Args:
        client: fetches their robots.txt.
        clock: whose monotonic time their age is measured by.
    """

    def __init__(self, client: PoliteClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._known: dict[str, _Rules] = {}

    async def allow(self, url: str) -> bool:
        """Say whether an address may be read. A host without a robots.txt allows everything.

        Raises:
            SourceError: nobody knows: it does not answer.
            MediaRefusedError: its address is forbidden.
        """
        place = urljoin(url, "/robots.txt")
        known = self._known.get(place)
        if known is None or self._clock.monotonic() >= known.until:
            known = _Rules(await self._asked(place), self._clock.monotonic() + KEPT_SECONDS)
            self._known.pop(place, None)
            self._known[place] = known
            if len(self._known) > MAX_HOSTS:
                del self._known[next(iter(self._known))]
        return await asyncio.to_thread(known.rules.can_fetch, url, AGENT)

    def delay_of(self, url: str) -> float:
        """Tell how long the host wants to be left alone between two requests, where it said."""
        known = self._known.get(urljoin(url, "/robots.txt"))
        asked = None if known is None else known.rules.crawl_delay(AGENT)
        return 0.0 if asked is None else min(max(asked, 0.0), MAX_DELAY_SECONDS)

    async def _asked(self, place: str) -> Protego:
        try:
            page = await self._client.get(place)
        except MediaRefusedError as error:
            if "address" in error.reason:
                raise
            raise SourceError(f"robots.txt: {error.reason}") from None
        body = page.body[:MAX_BYTES].decode("utf-8", "replace").removeprefix("\ufeff")
        return await asyncio.to_thread(Protego.parse, body)
