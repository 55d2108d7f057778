"""`streams.media.blobs` over a table of answers; real servers: `test_at_network.py`."""

import asyncio
import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from streams.errors import (
    ForbiddenAddressError,
    MediaRefusedError,
    MediaUnavailableError,
    MediaVanishedError,
)
from streams.media.blobs import MAX_DOCUMENT_BYTES, REMEMBERED_SECONDS, BlobFetcher
from streams.media.fetcher import VANISHED, FetchedMedia
from tests.fakes import FakeClock

DID = "did:plc:abcdefghijklmnopqrstuvwx"
BODY = b"picture"
PLC = "https://plc.example"


def cid_of(body: bytes) -> str:
    raw = bytes.fromhex("01551220") + hashlib.sha256(body).digest()
    return "b" + base64.b32encode(raw).decode().lower().rstrip("=")


CID = cid_of(BODY)
BLOB = f"at+blob://{DID}/{CID}"


def document(pds: Any = "https://pds.example", did: str = DID, **more: Any) -> bytes:
    service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": pds}
    return json.dumps({"id": did, "service": [{"id": "#other"}, service | more]}).encode()


class Web:
    """A guarded fetcher that knows so many pages; an exception is raised."""

    def __init__(self, clock: FakeClock) -> None:
        self.pages: dict[str, bytes | Exception] = {}
        self.asked: list[str] = []
        self.bounds: list[int | None] = []
        self.blobs = BlobFetcher(self.fetch, plc_url=f"{PLC}/", clock=clock)

    async def fetch(
        self, url: str, *, max_bytes: int | None = None, gone: frozenset[int] = VANISHED
    ) -> FetchedMedia:
        self.bounds.append(max_bytes)
        parts = urlsplit(url)
        self.asked.append(f"{parts.scheme}://{parts.netloc}{parts.path}")
        await asyncio.sleep(0)
        page = self.pages.get(self.asked[-1], MediaRefusedError("status 418"))
        if isinstance(page, Exception):
            raise page
        if "getBlob" in url:
            assert 400 in gone
            assert parse_qs(parts.query).keys() == {"did", "cid"}
        digest = hashlib.sha256(page).hexdigest()
        return FetchedMedia(body=page, sha256=digest, content_type=None, final_url=url, status=200)

    def live(self, host: str = "https://pds.example", body: bytes | Exception = BODY) -> str:
        """Let an account's blobs be there."""
        self.pages[f"{PLC}/{DID}"] = document(host)
        name = f"{host}/xrpc/com.atproto.sync.getBlob"
        self.pages[name] = body
        return name


@pytest.fixture
def web(clock: FakeClock) -> Web:
    return Web(clock)


async def test_a_blob_comes_from_the_server_that_its_author_has(web: Web) -> None:
    name = web.live()
    assert (await web.blobs.fetch(BLOB)).body == BODY
    assert web.asked == [f"{PLC}/{DID}", name]
    assert web.bounds == [MAX_DOCUMENT_BYTES, None]


async def test_other_addresses_are_fetched_as_they_are(web: Web) -> None:
    web.pages["https://a.example/x.jpg"] = b"other"
    assert (await web.blobs.fetch("https://a.example/x.jpg")).body == b"other"
    assert web.asked == ["https://a.example/x.jpg"]


async def test_an_account_of_a_host_of_its_own_is_asked_there(web: Web) -> None:
    did = "did:web:me.example"
    web.pages["https://me.example/.well-known/did.json"] = document(
        did=did, id=f"{did}#atproto_pds"
    )
    web.pages["https://pds.example/xrpc/com.atproto.sync.getBlob"] = BODY
    assert (await web.blobs.fetch(f"at+blob://{did}/{CID}")).body == BODY


async def test_an_account_is_looked_up_once_even_by_many_at_once(web: Web) -> None:
    web.live()
    await asyncio.gather(*(web.blobs.fetch(BLOB) for _ in range(8)))
    await web.blobs.fetch(BLOB)
    assert web.asked.count(f"{PLC}/{DID}") == 1


async def test_after_an_hour_it_is_looked_up_again(web: Web, clock: FakeClock) -> None:
    web.live()
    await web.blobs.fetch(BLOB)
    clock.advance(REMEMBERED_SECONDS)
    await web.blobs.fetch(BLOB)
    assert web.asked.count(f"{PLC}/{DID}") == 2


async def test_no_more_accounts_are_remembered_than_there_is_room_for(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.media.blobs.MAX_REMEMBERED", 2)
    web.live()
    names = [f"did:plc:{letter * 24}" for letter in "abc"]
    for did in [*names, names[2], names[0]]:
        web.pages[f"{PLC}/{did}"] = document(did=did)
        await web.blobs.fetch(f"at+blob://{did}/{CID}")
    assert [web.asked.count(f"{PLC}/{did}") for did in names] == [2, 1, 1]


@pytest.mark.parametrize("error", [MediaVanishedError(), MediaUnavailableError()])
async def test_an_account_that_moved_is_found_where_it_is_now(web: Web, error: Exception) -> None:
    web.live()
    await web.blobs.fetch(BLOB)
    web.live(body=error)
    web.live("https://new.example")
    assert (await web.blobs.fetch(BLOB)).body == BODY
    await web.blobs.fetch(BLOB)
    assert web.asked.count(f"{PLC}/{DID}") == 2


async def test_a_blob_that_is_gone_is_looked_for_once_more_and_then_is_gone(web: Web) -> None:
    web.live()
    await web.blobs.fetch(BLOB)
    name = web.live(body=MediaVanishedError("status 400"))
    with pytest.raises(MediaVanishedError):
        await web.blobs.fetch(BLOB)
    assert web.asked.count(name) == 2
    assert web.asked.count(f"{PLC}/{DID}") == 2


async def test_an_account_that_nobody_knows_is_gone(web: Web) -> None:
    web.pages[f"{PLC}/{DID}"] = MediaVanishedError("status 404")
    with pytest.raises(MediaVanishedError):
        await web.blobs.fetch(BLOB)


async def test_other_bytes_than_those_that_were_named_are_refused(web: Web) -> None:
    web.live(body=b"something else")
    with pytest.raises(MediaRefusedError):
        await web.blobs.fetch(BLOB)


@pytest.mark.parametrize(
    "cid", ["zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA", "b1111111111"]
)
async def test_bytes_that_a_name_does_not_vouch_for_are_refused(web: Web, cid: str) -> None:
    web.live()
    with pytest.raises(MediaRefusedError):
        await web.blobs.fetch(f"at+blob://{DID}/{cid}")


@pytest.mark.parametrize(
    "name",
    ["", f"{DID}", f"{DID}/", f"{DID}/a?b", f"{DID}/../x", f"did:key:z6Mk/{CID}",
     f"did:plc:short/{CID}", f"did:web:a.example:path/{CID}", f"did:web:a%2Fb/{CID}",
     f"did:web:u%40a.example/{CID}"],
)  # fmt: skip
async def test_a_name_that_is_none_asks_nobody(web: Web, name: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        await web.blobs.fetch(f"at+blob://{name}")
    assert not web.asked


DOCUMENTS = [
    b"", b"{", b"[]", b"7", b"[" * 60_000, b'{"service": 7}', b'{"service": [7, {}]}',
    document(7), document("pds.example"), document("https://[::1"), document(id="#other"),
]  # fmt: skip


@pytest.mark.parametrize("body", DOCUMENTS, ids=range(len(DOCUMENTS)))
async def test_a_document_that_names_no_server_is_refused(web: Web, body: bytes) -> None:
    web.pages[f"{PLC}/{DID}"] = body
    with pytest.raises(MediaRefusedError):
        await web.blobs.fetch(BLOB)


async def test_a_servers_path_is_not_the_documents_to_choose(web: Web) -> None:
    web.live()
    web.pages[f"{PLC}/{DID}"] = document("https://pds.example/else?where=1#x")
    assert (await web.blobs.fetch(BLOB)).body == BODY
