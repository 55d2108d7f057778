"""WebSub: a hub tells when a feed has something new, and the feed is read at once.

What a hub sends is not trusted: a ping with our secret's signature only wakes the next reading.
The standard: W3C Recommendation "WebSub", 23 January 2018.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.requests import ClientDisconnect

from streams.clock import Clock
from streams.errors import MediaError, SourceError
from streams.sources.polite import PoliteClient

log = structlog.get_logger()

PATH = "/v1/websub"
MAX_PING_BYTES = 2 * 2**20
"""As much of a ping is read as its signature needs; a longer one wakes nothing."""

LEASE_SECONDS = 864_000
"""Ten days are asked for; the hub says what it gives."""

RENEW_SHARE = 0.8
"""Of a lease, after which it is renewed."""

RETRY_SECONDS = 3600.0
"""After so long a hub is asked again that has not confirmed."""

HASHES = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}
"""Those that the standard names and are still taken by hubs; sha1 only signs, it hides nothing."""

PING_SECONDS = 10.0
"""Time that a ping may take to arrive."""

_LINK = re.compile(r"<(?P<url>[^<>]*)>(?P<parameters>[^<>]*)")
_RELATIONS = re.compile(r""";\s*rel\s*=\s*(?:"([^"]*)"|([^\s";,]+))""", re.IGNORECASE)


@dataclass(slots=True)
class Subscription:
    """What one feed's hub is asked for.

    Args:
        name: the source's.
        token: names it in its callback's address, unguessable.
        secret: signs its pings.
        wake: set by a ping.
        topic: asked for; None: nothing yet.
        due_at: by the clock's monotonic time, when the hub is asked (again).
    """

    name: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    topic: str | None = None
    due_at: float = float("-inf")


class Hubs:
    """The subscriptions of one process.

    Args:
        base_url: of the push endpoint, as hubs reach it.
        clock: whose monotonic time leases follow.
    """

    def __init__(self, base_url: str, clock: Clock) -> None:
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._by_token: dict[str, Subscription] = {}

    def subscription(self, name: str) -> Subscription:
        """Make the subscription of a source."""
        made = Subscription(name)
        self._by_token[made.token] = made
        return made

    async def subscribe(
        self, one: Subscription, client: PoliteClient, hub: str, topic: str
    ) -> None:
        """Ask a hub, where that is due. What goes wrong is tried again in an hour."""
        if self._clock.monotonic() < one.due_at:
            return
        one.topic, one.due_at = topic, self._clock.monotonic() + RETRY_SECONDS
        form = {
            "hub.mode": "subscribe",
            "hub.topic": topic,
            "hub.callback": f"{self._base_url}{PATH}/{one.token}",
            "hub.secret": one.secret,
            "hub.lease_seconds": str(LEASE_SECONDS),
        }
        try:
            status = await client.post(hub, form)
        except (SourceError, MediaError) as error:
            log.warning("hub not asked", source=one.name, reason=error.reason)
            return
        except ValueError:  # an address that cannot be one, found out late: `http://xn--/`
            log.warning("hub not asked", source=one.name, reason="forbidden_address")
            return
        if not 200 <= status < 300:
            log.warning("hub refused", source=one.name, status=status)

    def confirm(self, token: str, asked: Mapping[str, str]) -> str | None:
        """Answer a hub that asks whether we subscribed; None: we did not."""
        one = self._by_token.get(token)
        if one is None or one.topic is None or asked.get("hub.topic") != one.topic:
            return None
        if asked.get("hub.mode") != "subscribe":
            return None
        lease = asked.get("hub.lease_seconds", "")
        seconds = float(lease[:9]) if lease.isascii() and lease.isdigit() else LEASE_SECONDS
        one.due_at = self._clock.monotonic() + max(60.0, seconds * RENEW_SHARE)
        log.info("hub confirmed", source=one.name)
        return asked.get("hub.challenge", "")

    def knows(self, token: str) -> bool:
        """Tell whether a callback's address is one of ours."""
        return token in self._by_token

    def ping(self, token: str, body: bytes, signature: str) -> bool | None:
        """Take a ping: wakes its feed where our secret signed it; None: nobody's."""
        one = self._by_token.get(token)
        if one is None:
            return None
        name, _, sent = signature.partition("=")
        kind = HASHES.get(name.strip().lower())
        if kind is None:
            return False
        known = hmac.new(one.secret.encode(), body, kind).hexdigest()
        if not hmac.compare_digest(known.encode(), sent.strip().lower().encode("utf-8", "replace")):
            return False
        one.wake.set()
        return True


def linked(header: str, relation: str) -> str | None:
    """Give the address that a `Link` header (RFC 8288) names for a relation."""
    for one in _LINK.finditer(header):
        told = _RELATIONS.search(one["parameters"])
        if told is not None and relation in (told[1] or told[2]).lower().split():
            return one["url"].strip()
    return None


def build_router(hubs: Hubs, ping_seconds: float = PING_SECONDS) -> APIRouter:
    """Make the routes that hubs call. A ping is answered alike, whatever it is worth.

    Args:
        hubs: whose subscriptions.
        ping_seconds: time that a ping may take to arrive.
    """
    router = APIRouter()

    @router.get(PATH + "/{token}")
    async def confirm(request: Request, token: str) -> Response:
        challenge = hubs.confirm(token, request.query_params)
        if challenge is None:
            return Response(status_code=404)
        return PlainTextResponse(challenge)

    @router.post(PATH + "/{token}")
    async def ping(request: Request, token: str) -> Response:
        if not hubs.knows(token):  # before anything of it is read: anybody can call
            return Response(status_code=404, headers={"Connection": "close"})
        body = await _read(request, ping_seconds)
        if body is None:
            return Response(status_code=413, headers={"Connection": "close"})
        hubs.ping(token, body, request.headers.get("x-hub-signature", ""))
        return Response(status_code=202)

    return router


async def _read(request: Request, seconds: float) -> bytes | None:
    """Read a ping; None where it is too long, comes too slowly or breaks off."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                body += part
                if len(body) > MAX_PING_BYTES:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    return bytes(body)
