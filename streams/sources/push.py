"""The push endpoint: posts handed in over HTTP, stored before it answers."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field, TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from streams.clock import Clock
from streams.errors import ConfigurationError, TransientError
from streams.schemas import MAX_POST_BYTES, NewPost
from streams.sources.source import Accepted
from streams.types import Post

MAX_BODY_BYTES = 4 * 1024 * 1024
"""A request's body: eight posts of the largest size, or 1,000 of 4 KiB."""

MAX_BATCH_POSTS = 1_000
"""Posts of one request."""

MAX_PROBLEMS = 100
"""Problems named in an answer; the rest is counted."""

READ_SECONDS = 30.0
"""Time that a body may take to arrive."""

RETRY_AFTER_SECONDS = 5
"""What a client is told to wait while the database is away."""

Accept = Callable[[Sequence[Post]], Awaitable[Accepted]]
"""Stores posts durably before it returns; the pipeline takes them from there."""

_POSTS = TypeAdapter(Annotated[list[NewPost], Field(max_length=MAX_BATCH_POSTS)])


class _RefusedError(Exception):
    """A request that cannot be taken; carries its answer."""

    def __init__(
        self, status: int, error: str, detail: str, *, headers: dict[str, str] | None = None,
        problems: list[dict[str, Any]] | None = None, more: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(detail)
        content: dict[str, Any] = {"error": error, "detail": detail, "stored": 0}
        if problems is not None:
            content |= {"problems": problems, "more": more}
        self.response = JSONResponse(content, status, headers)


def build_push_app(
    *,
    token: str,
    accept: Accept,
    clock: Clock,
    source: str = "push",
    read_seconds: float = READ_SECONDS,
) -> FastAPI:
    """Build the endpoint.

    Args:
        token: what clients present as `Authorization: Bearer …`.
        accept: called once a request, with all of its posts or not at all.
        clock: gives `observed_at`: when the body was complete.
        source: the source's name; a metric label, so clients cannot choose it.
        read_seconds: time that a body may take to arrive.

    Raises:
        ConfigurationError: an empty token would let everyone in.
    """
    if not token:
        raise ConfigurationError("the push endpoint needs a token")
    app = FastAPI(title="Haechi push", docs_url=None, redoc_url=None, openapi_url=None)
    app.router.redirect_slashes = False

    async def take(request: Request) -> Response:
        _authorise(request, token)
        body = await _read(request, read_seconds)
        now = clock.now()
        posts = [new.to_domain(source=source, observed_at=now) for new in _parse(body)]
        result = await accept(posts) if posts else Accepted(accepted=0, duplicates=0)
        content = {"accepted": result.accepted, "duplicates": result.duplicates}
        return JSONResponse(content | {"keys": [post.key for post in posts]}, 202)

    @app.post("/v1/posts")
    async def posts(request: Request) -> Response:
        try:
            return await take(request)
        except _RefusedError as refused:
            return refused.response
        except TransientError as error:
            wait = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return _RefusedError(503, error.reason, "try again later", headers=wait).response

    @app.get("/v1/schema")
    async def schema() -> Response:
        return JSONResponse(post_schema(), media_type="application/schema+json")

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def post_schema() -> dict[str, Any]:
    """Give the JSON Schema of a post as sources hand it in."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | NewPost.model_json_schema()


def _authorise(request: Request, token: str) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    known = hmac.compare_digest(given.strip().encode("latin-1"), token.encode())
    if scheme.lower() != "bearer" or not known:
        headers = {"WWW-Authenticate": "Bearer", "Connection": "close"}
        raise _RefusedError(401, "unauthorized", "a valid bearer token is needed", headers=headers)


async def _read(request: Request, seconds: float) -> bytes:
    """Read the body, counting as it comes."""
    _check_type(request)
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length[:20]) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
    except TimeoutError:
        headers = {"Connection": "close"}
        raise _RefusedError(408, "timeout", "the body came too slowly", headers=headers) from None
    except ClientDisconnect:
        raise _RefusedError(400, "disconnected", "the body broke off") from None
    return bytes(body)


def _check_type(request: Request) -> None:
    kind, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if kind.strip() != "application/json" or charset not in {"", "charset=utf-8"}:
        raise _RefusedError(415, "unsupported_media_type", "send application/json in UTF-8")
    if encoding != "identity":
        raise _RefusedError(415, "unsupported_media_type", "send the body uncompressed")


def _too_large() -> _RefusedError:
    detail = f"a body has at most {MAX_BODY_BYTES} bytes; send fewer posts at once"
    return _RefusedError(413, "body_too_large", detail, headers={"Connection": "close"})


def _parse(body: bytes) -> list[NewPost]:
    """Read one post or an array; all are good, or the request is refused."""
    single = body.lstrip(b" \t\r\n")[:1] == b"{"
    try:
        posts = [NewPost.model_validate_json(body)] if single else _POSTS.validate_json(body)
    except ValidationError as error:
        raise _invalid(error, (0,) if single else ()) from None
    large = [i for i, post in enumerate(posts) if len(post.to_bytes()) > MAX_POST_BYTES]
    if large:
        reason = f"larger than {MAX_POST_BYTES} bytes"
        raise _bad_posts([{"index": i, "field": "", "reason": reason} for i in large])
    return posts


def _invalid(error: ValidationError, index: tuple[int, ...]) -> _RefusedError:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return _RefusedError(400, "not_json", found[0]["msg"])
    where = [(*index, *one["loc"]) for one in found]
    if not where[0]:
        detail = f"send a post, or an array of at most {MAX_BATCH_POSTS}"
        return _RefusedError(422, "invalid_batch", detail)
    return _bad_posts(
        [
            {"index": at[0], "field": ".".join(map(str, at[1:])), "reason": one["msg"]}
            for at, one in zip(where, found, strict=True)
        ]
    )


def _bad_posts(problems: list[dict[str, Any]]) -> _RefusedError:
    return _RefusedError(
        422,
        "invalid_posts",
        "nothing of this request was stored; mend or leave out these posts and send it again",
        problems=problems[:MAX_PROBLEMS],
        more=max(0, len(problems) - MAX_PROBLEMS),
    )
