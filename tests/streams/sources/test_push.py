"""`streams.sources.push`."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ConfigurationError, DatabaseUnavailableError
from streams.schemas import MAX_POST_BYTES, NewPost, post_key
from streams.sources.push import MAX_BATCH_POSTS, MAX_BODY_BYTES, build_push_app, post_schema
from streams.sources.source import Accepted
from streams.types import Post
from tests.fakes import FakeClock

TOKEN = "a-token-of-tests"
POST = {"id": "1", "url": "https://a.example/1"}
JSON = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


class Inbox:
    """Takes posts; knows the ones it has; fails where it is told to."""

    def __init__(self) -> None:
        self.posts: dict[str, Post] = {}
        self.calls = 0
        self.error: Exception | None = None

    async def __call__(self, posts: Sequence[Post]) -> Accepted:
        self.calls += 1
        if self.error:
            raise self.error
        before = len(self.posts)
        self.posts |= {post.key: post for post in posts}
        new = len(self.posts) - before
        return Accepted(accepted=new, duplicates=len(posts) - new)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def client_of(inbox: Inbox) -> httpx.AsyncClient:
    app = build_push_app(token=TOKEN, accept=inbox, clock=FakeClock())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://push")


@pytest.fixture
async def client(inbox: Inbox) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(inbox) as client:
        yield client


async def send(client: httpx.AsyncClient, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.post("/v1/posts", content=content, headers=JSON | headers)


async def test_a_post_is_stored_before_the_answer(client: httpx.AsyncClient, inbox: Inbox) -> None:
    answer = await send(client, POST | {"text": "안녕\x00"})
    key = post_key("push", "1")
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 1, "duplicates": 0, "keys": [key]}
    stored = inbox.posts[key]
    assert (stored.source, stored.text) == ("push", "안녕\x00")
    assert stored.observed_at == FakeClock().now()


async def test_a_batch_is_stored_in_one_call(client: httpx.AsyncClient, inbox: Inbox) -> None:
    batch = [POST | {"id": str(i)} for i in (1, 2, 2)]
    answer = await send(client, batch)
    keys = [post_key("push", one) for one in "122"]
    assert answer.json() == {"accepted": 2, "duplicates": 1, "keys": keys}
    assert (inbox.calls, set(inbox.posts)) == (1, {post_key("push", one) for one in "12"})


async def test_a_post_sent_twice_is_a_duplicate(client: httpx.AsyncClient) -> None:
    await send(client, POST)
    answer = await send(client, POST)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["duplicates"]) == (
        202,
        0,
        1,
    )


async def test_an_empty_batch_stores_nothing(client: httpx.AsyncClient, inbox: Inbox) -> None:
    answer = await send(client, [])
    assert answer.json() == {"accepted": 0, "duplicates": 0, "keys": []}
    assert inbox.calls == 0


async def test_the_largest_batch_is_taken_and_one_more_is_not(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    batch = [POST | {"id": str(i)} for i in range(MAX_BATCH_POSTS + 1)]
    assert (await send(client, batch)).status_code == 422
    assert inbox.calls == 0
    answer = await send(client, batch[1:])
    assert (answer.status_code, answer.json()["accepted"]) == (202, MAX_BATCH_POSTS)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        "Bearer é",
    ],
)
async def test_without_the_token_nothing_is_taken(
    client: httpx.AsyncClient, inbox: Inbox, authorization: str
) -> None:
    headers = {**JSON, "Authorization": authorization}
    if not authorization:
        del headers["Authorization"]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await client.post("/v1/posts", content=json.dumps(POST), headers=raw)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert inbox.calls == 0


async def test_the_scheme_is_read_in_either_case(client: httpx.AsyncClient) -> None:
    assert (await send(client, POST, Authorization=f"bearer {TOKEN}")).status_code == 202


def test_an_empty_token_would_let_everyone_in() -> None:
    with pytest.raises(ConfigurationError):
        build_push_app(token="", accept=Inbox(), clock=FakeClock())


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Content-Type", "text/plain"),
        ("Content-Type", "application/x-ndjson"),
        ("Content-Type", "application/json; charset=euc-kr"),
        ("Content-Type", ""),
        ("Content-Encoding", "gzip"),
    ],
)
async def test_other_types_and_encodings_are_unsupported(
    client: httpx.AsyncClient, inbox: Inbox, header: str, value: str
) -> None:
    answer = await send(client, POST, **{header: value})
    assert (answer.status_code, answer.json()["error"]) == (415, "unsupported_media_type")
    assert inbox.calls == 0


async def test_a_named_charset_of_utf_8_is_taken(client: httpx.AsyncClient) -> None:
    answer = await send(client, POST, **{"Content-Type": 'application/json; charset="UTF-8"'})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"rubbish",
        b'{"id":"1","url":"https://a.example/"',
        b'{"id":"1","url":"https://a.example/"},{"id":"2","url":"https://a.example/"}',
        b'[{"id":"1","url":"https://a.example/"},]',
        b"[" * 100_000,
        b'{"id":' * 100_000,
        b'{"id":"1","url":"https://a.example/","text":"\xff"}',
        b'{"id":"1","url":"https://a.example/","text":"\\ud800"}',
        '{"id":"1","url":"https://a.example/"}'.encode("utf-16"),
        b"\x00",
    ],
)
async def test_what_is_not_json_is_a_bad_request(
    client: httpx.AsyncClient, inbox: Inbox, body: bytes
) -> None:
    answer = await send(client, body)
    assert (answer.status_code, answer.json()["error"]) == (400, "not_json")
    assert answer.json()["detail"]
    assert inbox.calls == 0


@pytest.mark.parametrize("body", [b"null", b"7", b'"post"', b"true"])
async def test_json_that_is_neither_a_post_nor_an_array_is_refused(
    client: httpx.AsyncClient, body: bytes
) -> None:
    answer = await send(client, body)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_batch")


async def test_every_bad_post_is_named_and_none_of_the_batch_is_stored(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    batch = [
        POST,
        {"id": "", "url": "ftp://a.example/"},
        POST | {"media": [{"url": "https://a.example/"}, {"url": "file:///etc/passwd"}]},
        7,
        POST | {"published_at": "yesterday", "secret": 1},
    ]
    answer = await send(client, batch)
    refused = answer.json()
    assert (answer.status_code, refused["error"], refused["stored"]) == (422, "invalid_posts", 0)
    assert "nothing of this request was stored" in refused["detail"]
    assert [(one["index"], one["field"]) for one in refused["problems"]] == [
        (1, "id"),
        (1, "url"),
        (2, "media.1.url"),
        (3, ""),
        (4, "published_at"),
        (4, "secret"),
    ]
    assert all(one["reason"] for one in refused["problems"])
    assert inbox.calls == 0


async def test_a_single_bad_post_has_index_0(client: httpx.AsyncClient) -> None:
    answer = await send(client, {"id": "1"})
    [problem] = answer.json()["problems"]
    assert (answer.status_code, problem["index"], problem["field"]) == (422, 0, "url")


async def test_a_value_that_was_sent_is_not_sent_back(client: httpx.AsyncClient) -> None:
    answer = await send(client, POST | {"url": "personal", "published_at": "personal"})
    assert answer.status_code == 422
    assert "personal" not in answer.text


async def test_nan_is_refused_where_it_stands(client: httpx.AsyncClient) -> None:
    answer = await send(client, b'{"id":"1","url":"https://a.example/","published_at":NaN}')
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == "published_at"


async def test_a_flood_of_problems_is_counted_not_listed(client: httpx.AsyncClient) -> None:
    answer = await send(client, [{}] * 500)
    assert (len(answer.json()["problems"]), answer.json()["more"]) == (100, 900)


async def test_a_post_larger_than_a_post_may_be_is_refused(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    media = [{"url": "https://a.example/", "alt_text": "가" * 50_000}] * 4
    answer = await send(client, json.dumps(POST | {"media": media}, ensure_ascii=False).encode())
    [problem] = answer.json()["problems"]
    assert (answer.status_code, problem["index"]) == (422, 0)
    assert str(MAX_POST_BYTES) in problem["reason"]
    assert inbox.calls == 0


async def test_a_body_that_says_it_is_too_large_is_not_read(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    for length in (str(MAX_BODY_BYTES + 1), "9" * 400):
        answer = await send(client, POST, **{"Content-Length": length})
        assert (answer.status_code, answer.json()["error"]) == (413, "body_too_large")
    assert inbox.calls == 0


async def test_a_body_that_turns_out_too_large_is_not_read_to_its_end(inbox: Inbox) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MAX_BODY_BYTES:
            sent += 65_536
            yield b" " * 65_536

    app = build_push_app(token=TOKEN, accept=inbox, clock=FakeClock())
    messages: list[dict[str, object]] = []
    chunks = endless()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": await anext(chunks), "more_body": True}

    async def reply(message: dict[str, object]) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/posts",
        "query_string": b"",
        "headers": [
            (b"authorization", f"Bearer {TOKEN}".encode()),
            (b"content-type", b"application/json"),
        ],
    }
    await app(scope, receive, reply)  # type: ignore[arg-type]
    assert messages[0]["status"] == 413
    assert sent <= MAX_BODY_BYTES + 2 * 65_536
    assert inbox.calls == 0


async def test_a_body_that_trickles_is_given_up(inbox: Inbox) -> None:
    app = build_push_app(token=TOKEN, accept=inbox, clock=FakeClock(), read_seconds=0.05)
    async with serving(app) as address:
        answer = await raw_request(address, b"{")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert inbox.calls == 0


async def test_a_database_that_is_away_is_the_clients_cue_to_wait(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    inbox.error = DatabaseUnavailableError("locked")
    answer = await send(client, POST)
    assert (answer.status_code, answer.json()["error"]) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "locked" not in answer.text


async def test_the_schema_of_a_post_is_published_without_a_token(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/schema")
    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.json() == post_schema()
    assert set(answer.json()["properties"]) == set(NewPost.model_fields)
    assert answer.json()["$schema"].startswith("https://json-schema.org/")


async def test_health_is_told_without_a_token(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/", "/v1/posts/"])
async def test_there_is_nothing_else(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_body_is_a_servers_error(body: bytes) -> None:
    async def status() -> int:
        async with client_of(Inbox()) as client:
            return (await send(client, body)).status_code

    assert asyncio.run(status()) in {202, 400, 422}


class serving:  # noqa: N801 - reads as a verb
    """A real server on loopback, for as long as the block lasts."""

    def __init__(self, app: object) -> None:
        config = uvicorn.Config(
            app,  # type: ignore[arg-type]
            host="127.0.0.1",
            port=0,
            log_config=None,
            access_log=False,
            lifespan="off",
        )
        self._server = uvicorn.Server(config)

    async def __aenter__(self) -> str:
        self._task = asyncio.ensure_future(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110 - the server's own flag
            await asyncio.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._task


async def raw_request(address: str, *chunks: bytes) -> bytes:
    """Send a chunked request as it is; give what comes back."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/posts HTTP/1.1\r\nHost: push\r\nAuthorization: Bearer {TOKEN}\r\n"
    writer.write(head.encode() + b"Content-Type: application/json\r\n")
    writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
    try:
        for chunk in chunks:
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
        return await asyncio.wait_for(reader.read(4096), 10)
    finally:
        writer.close()


async def test_a_real_server_takes_good_posts_and_survives_bad_ones(inbox: Inbox) -> None:
    app = build_push_app(token=TOKEN, accept=inbox, clock=FakeClock())
    async with serving(app) as address, httpx.AsyncClient(base_url=address) as client:
        megabyte = b" " * 1024 * 1024
        oversized = await raw_request(
            address, *[megabyte] * (MAX_BODY_BYTES // len(megabyte)), b" "
        )
        assert oversized.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in oversized.lower()
        whole = await raw_request(address, json.dumps(POST).encode(), b"")
        assert whole.startswith(b"HTTP/1.1 202 ")
        wrong = await send(client, POST, Authorization="Bearer wrong")
        statuses = [
            (await send(client, body)).status_code
            for body in (b"rubbish", b"[" * 100_000, {"id": "1"}, [POST, POST | {"id": "2"}])
        ]
        assert (wrong.status_code, statuses) == (401, [400, 400, 422, 202])
    assert set(inbox.posts) == {post_key("push", "1"), post_key("push", "2")}


async def test_a_client_that_goes_away_leaves_nothing(inbox: Inbox) -> None:
    app = build_push_app(token=TOKEN, accept=inbox, clock=FakeClock())
    async with serving(app) as address, httpx.AsyncClient(base_url=address) as client:
        host, port = address.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /v1/posts HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
        head += "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n[1,"
        writer.write(head.encode())
        await writer.drain()
        writer.close()
        assert (await send(client, POST)).status_code == 202
    assert inbox.calls == 1


async def test_the_documents_example_is_answered_as_it_says(client: httpx.AsyncClient) -> None:
    page = (Path(__file__).parents[3] / "docs" / "sources.md").read_text(encoding="utf-8")
    [body] = re.findall(r"-d '(.*?)'", page)
    [answer] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert (await send(client, body.encode())).json() == json.loads(answer)
