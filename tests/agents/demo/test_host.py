"""The media host serves and misbehaves as asked."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from agents.demo.host import PRIVATE_TARGET, MediaHost


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[MediaHost]:
    (tmp_path / "a.jpg").write_bytes(b"picture")
    host = MediaHost(tmp_path)
    await host.start()
    yield host
    await host.close()


async def test_it_serves_its_folder_on_loopback(host: MediaHost) -> None:
    assert host.origin.startswith("http://127.0.0.1:")
    async with httpx.AsyncClient(base_url=host.origin, trust_env=False) as client:
        answer = await client.get("/m/a.jpg")
        assert answer.content == b"picture"
        assert answer.headers["content-type"] == "image/jpeg"
        assert (await client.get("/m/none.jpg")).status_code == 404
        assert (await client.get("/gone/0.jpg")).status_code == 404


async def test_it_leads_to_a_private_address(host: MediaHost) -> None:
    async with httpx.AsyncClient(base_url=host.origin, trust_env=False) as client:
        answer = await client.get("/redirect/0.jpg")
    assert (answer.status_code, answer.headers["location"]) == (302, PRIVATE_TARGET)


async def test_it_hangs_up(host: MediaHost) -> None:
    async with httpx.AsyncClient(base_url=host.origin, trust_env=False) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/drop/0.jpg")


async def test_it_calls_a_page_a_picture(host: MediaHost) -> None:
    async with httpx.AsyncClient(base_url=host.origin, trust_env=False) as client:
        answer = await client.get("/page/0.jpg")
    assert answer.headers["content-type"].startswith("image/jpeg")
    assert b"<title>" in answer.content


async def test_it_announces_more_than_anybody_wants(host: MediaHost) -> None:
    async with (
        httpx.AsyncClient(base_url=host.origin, trust_env=False) as client,
        client.stream("GET", "/huge/0.jpg") as answer,
    ):
        assert int(answer.headers["content-length"]) == 1 << 30


def test_its_origin_is_unknown_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not started"):
        _ = MediaHost(tmp_path).origin
