"""Signed webhooks by Standard Webhooks 1.0.0: one attempt at one endpoint.

Endpoints are the operator's own setting, and may be private; they are never attacker-controlled,
so this client is not the guarded one of `streams.media`. It follows no redirect all the same.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook

from monitors.keystore import KeyStore
from streams.errors import ConfigurationError
from streams.settings import Settings

TIMEOUT_SECONDS = 15.0
"""For a whole attempt (Standard Webhooks 1.0.0 recommends 15 to 30 s)."""

MAX_PAYLOAD_BYTES = 20_000
"""Standard Webhooks 1.0.0 asks for less than 20 kB."""

SENT = "sent"
GONE = "endpoint_gone"
"""The endpoint answered 410: it wants nothing any more."""

_MIN_SECRET_BYTES, _MAX_SECRET_BYTES = 24, 64  # Standard Webhooks 1.0.0, "Signature scheme"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events are sent.

    Args:
        url: http or https.
        secret: `whsec_` and base64; signs every message.
    """

    url: str
    secret: str = field(repr=False)


def load_endpoints(settings: Settings) -> tuple[Endpoint, ...]:
    """Read the endpoints; where the settings hold no secret, the key store makes one and keeps it.

    Raises:
        ConfigurationError: not an http(s) URL, or a secret that is not 24 to 64 bytes.
    """
    urls = [part.strip() for part in (settings.webhook_url or "").split(",") if part.strip()]
    if not urls:
        return ()
    if settings.webhook_secret is not None:
        secret = settings.webhook_secret.get_secret_value()
    else:
        secret = KeyStore(settings.keys_dir).secret("webhook_secret")
    _check_secret(secret)
    for url in urls:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            raise ConfigurationError("HAECHI_WEBHOOK_URL: each must be http:// or https://")
    return tuple(Endpoint(url, secret) for url in urls)


def build_client() -> httpx.AsyncClient:
    """Make the client: no proxies of the environment, no redirects."""
    return httpx.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        timeout=TIMEOUT_SECONDS,
        headers={"user-agent": "haechi-webhooks/1"},
    )


async def post(
    client: httpx.AsyncClient,
    endpoint: Endpoint,
    message_id: str,
    payload: Mapping[str, Any],
    now: datetime,
) -> str:
    """Try once. The body of the answer is not read.

    Args:
        client: of `build_client`.
        endpoint: where to.
        message_id: the idempotency key: the same for every attempt.
        payload: `{type, timestamp, data}`.
        now: goes into the signature; receivers refuse what is older than some minutes.

    Returns:
        `sent`, or why not in snake_case: `endpoint_gone`, `redirect`, `http_503`…, `timeout`,
        `connection`.
    """
    body = json.dumps(payload, separators=(",", ":"), ensure_ascii=True)
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(endpoint.secret).sign(message_id, now, body),
    }
    try:
        async with (
            asyncio.timeout(TIMEOUT_SECONDS),
            client.stream("POST", endpoint.url, content=body, headers=headers) as answer,
        ):
            return _result(answer.status_code)
    except (TimeoutError, httpx.TimeoutException):
        return "timeout"
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return "connection"


def _result(status: int) -> str:
    if 200 <= status < 300:
        return SENT
    if status == httpx.codes.GONE:
        return GONE
    return "redirect" if 300 <= status < 400 else f"http_{status}"


def _check_secret(secret: str) -> None:
    try:
        size = len(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
    except binascii.Error:
        raise ConfigurationError("HAECHI_WEBHOOK_SECRET: not `whsec_` and base64") from None
    if not _MIN_SECRET_BYTES <= size <= _MAX_SECRET_BYTES:
        raise ConfigurationError("HAECHI_WEBHOOK_SECRET: 24 to 64 bytes in base64")
