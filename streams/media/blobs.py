"""Blobs of the AT Protocol: `at+blob://DID/CID`, fetched from whatever server the author has now.

A DID names its document, the document names the server (PDS), and the server gives the blob. DID,
document and server are the uploader's to choose: all three are asked through the guarded fetcher.
Facts: https://atproto.com/specs/did, /specs/blob and `com.atproto.sync.getBlob`.
"""

import asyncio
import base64
import binascii
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote, urlencode, urlsplit
from weakref import WeakValueDictionary

from streams.clock import Clock
from streams.errors import ForbiddenAddressError, MediaError, MediaRefusedError
from streams.media.fetcher import VANISHED, FetchedMedia

SCHEME = "at+blob://"
PLC_URL = "https://plc.directory"

BLOB = re.compile(
    r"at\+blob://(?P<did>did:(?:plc:[a-z2-7]{24}|web:[A-Za-z0-9.%-]{1,253}))/"
    r"(?P<cid>[A-Za-z0-9]{8,128})"
)
"""The two methods that the AT Protocol blesses; a `did:web` of a host alone, as it asks for."""

GONE = VANISHED | {400}
"""A PDS says 400 of a blob, a repository or an account that is not there or was taken down."""

MAX_DOCUMENT_BYTES = 64 * 1024
"""A DID document has about 1 KB."""

MAX_REMEMBERED = 20_000
REMEMBERED_SECONDS = 3600.0
"""Accounts rarely move, and a move is noticed by the failure that it causes."""

_RAW_SHA256 = bytes.fromhex("01551220")
"""CIDv1, raw bytes, SHA-256 of 32 bytes: the one form that blobs may have."""


class Fetch(Protocol):
    """`GuardedFetcher.fetch`."""

    async def __call__(
        self, url: str, *, max_bytes: int | None = None, gone: frozenset[int] = VANISHED
    ) -> FetchedMedia:
        """Fetch the bytes behind a URL."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Home:
    """Where an account's blobs are, and until when we believe it."""

    pds: str
    until: float


class BlobFetcher:
    """Fetches blobs, and every other URL as it is. One event loop, any number of tasks.

    Args:
        fetch: the guarded fetcher's.
        plc_url: of the directory of `did:plc`.
        clock: whose monotonic time ages what is remembered.
    """

    def __init__(self, fetch: Fetch, *, plc_url: str = PLC_URL, clock: Clock) -> None:
        self._fetch = fetch
        self._plc = plc_url.rstrip("/")
        self._clock = clock
        self._homes: OrderedDict[str, _Home] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def fetch(self, url: str) -> FetchedMedia:
        """Fetch the bytes behind a URL; see `GuardedFetcher.fetch`.

        Raises:
            MediaRefusedError: also where they are not those that their identifier names.
            MediaVanishedError: also where the server does not know the blob or its author.
        """
        if not url.startswith(SCHEME):
            return await self._fetch(url)
        named = BLOB.fullmatch(url)
        if named is None:
            raise ForbiddenAddressError("the blob's name is malformed")
        did, cid = named["did"], named["cid"]
        remembered = self._remembered(did)
        if remembered is None:
            return await self._get(await self._resolve(did, None), did, cid)
        try:
            return await self._get(remembered, did, cid)
        except MediaError:
            moved = await self._resolve(did, remembered)
            if moved == remembered:
                raise
        return await self._get(moved, did, cid)

    async def _get(self, pds: str, did: str, cid: str) -> FetchedMedia:
        parameters = urlencode({"did": did, "cid": cid})
        url = f"{pds}/xrpc/com.atproto.sync.getBlob?{parameters}"
        fetched = await self._fetch(url, gone=GONE)
        if _sha256_of(cid) != fetched.sha256:
            raise MediaRefusedError("not the bytes that the identifier names")
        return fetched

    def _remembered(self, did: str) -> str | None:
        home = self._homes.get(did)
        if home is None or home.until <= self._clock.monotonic():
            return None
        self._homes.move_to_end(did)
        return home.pds

    async def _resolve(self, did: str, wrong: str | None) -> str:
        """Ask where an account's blobs are; at most once at a time.

        Args:
            did: whose.
            wrong: what is remembered, but did not help.
        """
        lock = self._locks.setdefault(did, asyncio.Lock())
        async with lock:
            known = self._remembered(did)
            if known is not None and known != wrong:
                return known
            document = await self._fetch(self._document_url(did), max_bytes=MAX_DOCUMENT_BYTES)
            pds = _pds_of(document.body, did)
            until = self._clock.monotonic() + REMEMBERED_SECONDS
            self._homes[did] = _Home(pds=pds, until=until)
            self._homes.move_to_end(did)
            while len(self._homes) > MAX_REMEMBERED:
                self._homes.popitem(last=False)
            return pds

    def _document_url(self, did: str) -> str:
        _, method, name = did.split(":", 2)
        if method == "plc":
            return f"{self._plc}/{did}"
        host = unquote(name)
        if not re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?", host):
            raise ForbiddenAddressError("the DID names no host")
        return f"https://{host}/.well-known/did.json"


def _pds_of(body: bytes, did: str) -> str:
    """Read which server a DID document names.

    Raises:
        MediaRefusedError: none.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise MediaRefusedError("the DID document is not JSON") from None
    services = document.get("service") if isinstance(document, Mapping) else None
    for service in services if isinstance(services, list) else ():
        endpoint = _endpoint(service, did)
        if endpoint is not None:
            return endpoint
    raise MediaRefusedError("the DID document names no server")


def _endpoint(service: Any, did: str) -> str | None:
    if not isinstance(service, Mapping):
        return None
    if service.get("id") not in ("#atproto_pds", f"{did}#atproto_pds"):
        return None
    endpoint = service.get("serviceEndpoint")
    if not isinstance(endpoint, str):
        return None
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None


def _sha256_of(cid: str) -> str | None:
    """Read the hash that a blob's identifier carries.

    None where it names no bytes: blobs have identifiers of raw SHA-256 (the protocol's data model).
    """
    if not cid.startswith("b"):
        return None
    padded = cid[1:].upper() + "=" * (-len(cid[1:]) % 8)
    try:
        raw = base64.b32decode(padded)
    except binascii.Error:
        return None
    whole = raw.startswith(_RAW_SHA256) and len(raw) == len(_RAW_SHA256) + 32
    return raw[len(_RAW_SHA256) :].hex() if whole else None
