"""`alerts.channels.webhook`, against a real server."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.channels import webhook
from alerts.channels.webhook import Endpoint, build_client, load_endpoints, post
from streams.errors import ConfigurationError
from streams.settings import Settings
from tests.alerts.receiver import HANG, TRICKLE, receiver
from tests.servers import free_port

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PAYLOAD = {"type": "task.opened", "timestamp": "2026-11-23T12:00:00+00:00", "data": {"task": "t"}}


async def attempt(url: str, now: datetime | None = None) -> str:
    async with build_client() as client:
        return await post(client, Endpoint(url, SECRET), "m1", PAYLOAD, now or datetime.now(UTC))


async def test_a_message_verifies_with_the_reference_library() -> None:
    with receiver(204) as server:
        assert await attempt(f"{server.url}/hook?k=1") == "sent"
    (request,) = server.requests
    assert request.path == "/hook?k=1"
    assert request.headers["webhook-id"] == "m1"
    assert request.headers["content-type"] == "application/json"
    assert Webhook(SECRET).verify(request.body, request.headers) == PAYLOAD
    other = "whsec_" + base64.b64encode(b"another secret of enough bytes").decode()
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body.replace(b"opened", b"closed"), request.headers)


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, "sent"),
        (202, "sent"),
        (301, "redirect"),
        (307, "redirect"),
        (400, "http_400"),
        (410, "endpoint_gone"),
        (429, "http_429"),
        (503, "http_503"),
    ],
)
async def test_only_2xx_is_sent(status: int, result: str) -> None:
    with receiver(status) as server:
        assert await attempt(server.url) == result
    assert len(server.requests) == 1, "a redirect must not be followed"


@pytest.mark.parametrize("behaviour", [HANG, TRICKLE])
async def test_an_endpoint_that_never_ends_its_answer_is_given_up(
    behaviour: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.3)
    with receiver(behaviour) as server:
        assert await attempt(server.url) == "timeout"
    assert len(server.requests) == 1


async def test_nobody_listening_is_a_failed_connection() -> None:
    assert await attempt(f"http://127.0.0.1:{free_port()}") == "connection"


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(503) as proxy, receiver(204) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert await attempt(server.url) == "sent"
    assert not proxy.requests


async def test_a_payload_is_plain_ascii_json() -> None:
    with receiver() as server:
        await attempt(server.url)
    assert server.requests[0].body.isascii()
    assert json.loads(server.requests[0].body) == PAYLOAD


def test_no_endpoint_without_a_setting(tmp_path: Path) -> None:
    assert load_endpoints(Settings(home=tmp_path)) == ()
    assert not list(tmp_path.iterdir()), "and no secret is made for nothing"


def test_a_missing_secret_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, webhook_url="http://127.0.0.1:1/a, https://h.example/b")
    first, second = load_endpoints(settings)
    assert [first.url, second.url] == ["http://127.0.0.1:1/a", "https://h.example/b"]
    assert first.secret.startswith("whsec_")
    assert load_endpoints(settings) == (first, second)
    (kept,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert kept.read_text().strip() == first.secret
    assert kept.stat().st_mode & 0o077 == 0


def test_an_endpoint_does_not_print_its_secret() -> None:
    assert SECRET not in repr(Endpoint("http://127.0.0.1", SECRET))


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "whsec_!!!", "not base64 at all"])
def test_a_weak_secret_is_refused(tmp_path: Path, secret: str) -> None:
    settings = Settings(
        home=tmp_path, webhook_url="http://127.0.0.1:1", webhook_secret=SecretStr(secret)
    )
    with pytest.raises(ConfigurationError):
        load_endpoints(settings)


@pytest.mark.parametrize("url", ["ftp://h.example/x", "h.example/x", "http:///x"])
def test_what_is_no_web_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError):
        load_endpoints(Settings(home=tmp_path, webhook_url=url))
