"""`streams.sources.at_session`, against an XRPC server; a real PDS: `test_at_network.py`."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from streams.errors import (
    ConfigurationError,
    OversizedAnswerError,
    RateLimitedError,
    SourceError,
    UnauthorizedError,
)
from streams.sources.answers import MAX_ANSWER_BYTES
from streams.sources.at_session import Account, AtSession
from streams.sources.config import Token
from tests.fakes import FakeClock
from tests.streams.sources.at_servers import Answer, serving

CREATE, REFRESH = "com.atproto.server.createSession", "com.atproto.server.refreshSession"
ACCOUNT = Account(identifier="a.test", password=Token(value=SecretStr("word")))


class Server:
    """A service whose tokens expire after `uses` requests.

    Args:
        uses: of each access token.
        refreshes: whether a session can be refreshed.
    """

    def __init__(self, uses: int = 100, *, refreshes: bool = True) -> None:
        self.uses, self.refreshes = uses, refreshes
        self.left: dict[str, int] = {}

    def handle(self, nsid: str, asked: Any, headers: dict[str, str], content: Any) -> Answer:
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if nsid == CREATE:
            if content != {"identifier": "a.test", "password": "word"}:
                return 401, {}, {"error": "AuthenticationRequired"}
            return self._session()
        if nsid == REFRESH:
            good = self.refreshes and bearer.startswith("refresh")
            return self._session() if good else (400, {}, {"error": "ExpiredToken"})
        if self.left.get(bearer, 0) <= 0:
            return 400, {}, {"error": "ExpiredToken", "message": "Token has expired"}
        self.left[bearer] -= 1
        return 200, {}, {"asked": asked, "content": content}

    def _session(self) -> Answer:
        token = f"access{len(self.left)}"
        self.left[token] = self.uses
        return 200, {}, {"did": "did:plc:a", "accessJwt": token, "refreshJwt": f"refresh-{token}"}


async def test_it_signs_in_once_and_asks_as_whom_it_is() -> None:
    async with serving(Server().handle) as service:
        session = AtSession(service.url, ACCOUNT, clock=FakeClock())
        assert await session.did() == "did:plc:a"
        assert (await session.get("x.query", {"q": "가"}))["asked"] == {"q": ["가"]}
        assert (await session.post("x.call", {"a": 1}))["content"] == {"a": 1}
    assert service.asked == [CREATE, "x.query", "x.call"]


async def test_an_expired_token_is_refreshed_and_the_question_asked_again() -> None:
    async with serving(Server(1).handle) as service:
        session = AtSession(service.url, ACCOUNT, clock=FakeClock())
        await session.get("x.query", {})
        await session.get("x.query", {})
    assert service.asked == [CREATE, "x.query", "x.query", REFRESH, "x.query"]


async def test_where_it_cannot_be_refreshed_it_signs_in_anew() -> None:
    async with serving(Server(1, refreshes=False).handle) as service:
        session = AtSession(service.url, ACCOUNT, clock=FakeClock())
        await session.get("x.query", {})
        await session.get("x.query", {})
    assert service.asked[2:] == ["x.query", REFRESH, CREATE, "x.query"]


async def test_a_token_that_is_never_good_is_unauthorized() -> None:
    async with serving(Server(0).handle) as service:
        session = AtSession(service.url, ACCOUNT, clock=FakeClock())
        with pytest.raises(UnauthorizedError):
            await session.get("x.query", {})
    assert service.asked == [CREATE, "x.query", REFRESH, "x.query"]


async def test_a_wrong_password_is_unauthorized(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("other\n")
    account = Account(identifier="a.test", password=Token(file=tmp_path / "password"))
    async with serving(Server().handle) as service:
        with pytest.raises(UnauthorizedError) as caught:
            await AtSession(service.url, account, clock=FakeClock()).get("x.query", {})
    assert "other" not in str(caught.value)


async def test_a_password_that_cannot_be_read_is_a_matter_of_configuration(tmp_path: Path) -> None:
    account = Account(identifier="a.test", password=Token(file=tmp_path / "none"))
    async with serving(Server().handle) as service:
        session = AtSession(service.url, account, clock=FakeClock())
        with pytest.raises(ConfigurationError):
            await session.get("x.query", {})


async def test_without_an_account_nobody_signs_in() -> None:
    def handle(nsid: str, asked: Any, headers: dict[str, str], content: Any) -> Answer:
        return 200, {}, {"bearer": "authorization" in headers}

    async with serving(handle) as service:
        session = AtSession(service.url, None, clock=FakeClock())
        assert await session.get("x.query", {}) == {"bearer": False}
        with pytest.raises(ConfigurationError):
            await session.did()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((429, {"RateLimit-Reset": "1795435260"}, {"error": "Slow"}), RateLimitedError),
        ((403, {}, b""), UnauthorizedError),
        ((400, {}, {"error": "InvalidRequest"}), SourceError),
        ((500, {}, b""), SourceError),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), SourceError),
        ((200, {}, b"<html>"), SourceError),
        ((200, {}, b"[]"), SourceError),
        ((200, {}, b" " * (MAX_ANSWER_BYTES + 1)), OversizedAnswerError),
        ((200, {"Content-Length": "50"}, b"{}"), SourceError),
    ],
)  # fmt: skip
async def test_every_other_answer_is_an_error_of_the_source(
    answer: Answer, kind: type[SourceError]
) -> None:
    async with serving(lambda *_: answer) as service:
        with pytest.raises(SourceError) as caught:
            await AtSession(service.url, None, clock=FakeClock()).get("x.query", {})
    assert type(caught.value) is kind
    assert service.url not in str(caught.value)
    assert service.asked == ["x.query"]


async def test_a_service_that_is_away_is_an_error_of_the_source() -> None:
    async with serving(Server().handle) as service:
        pass
    with pytest.raises(SourceError):
        await AtSession(service.url, None, clock=FakeClock()).get("x.query", {})


@pytest.mark.parametrize("answer", [{}, {"did": "d", "accessJwt": "é\n", "refreshJwt": "r"}])
async def test_an_answer_that_is_no_session_is_none(answer: Any) -> None:
    async with serving(lambda *_: (200, {}, answer)) as service:
        with pytest.raises(SourceError):
            await AtSession(service.url, ACCOUNT, clock=FakeClock()).did()
