"""`gpu_kernels.wire`."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_kernels.errors import EngineChildError
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.wire import (
    HELLO_BYTES,
    MAX_PIXELS,
    REPLY_BYTES,
    REQUEST_BYTES,
    ReplyHeader,
    Request,
    hello_from_bytes,
    hello_to_bytes,
    reply_from_bytes,
    reply_to_bytes,
)

REQUEST = Request(number=7, width=40, height=30, reference=True)


def a_print() -> ImageFingerprint:
    random = np.random.default_rng(1)
    return ImageFingerprint(
        width=40,
        height=30,
        space="s",
        boxes=random.random((3, 4)).astype(np.float32),
        embeddings=random.random((3, 16)).astype(np.float32),
        pdq=random.integers(0, 256, (5, 32), np.uint8),
        pdq_quality=random.integers(0, 101, 5, np.uint8),
        detail=4.25,
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 10_000), st.integers(1, 10_000), st.booleans())
def test_a_request_comes_back_as_it_went(
    number: int, width: int, height: int, reference: bool
) -> None:
    request = Request(number=number, width=width, height=height, reference=reference)
    assert Request.from_bytes(request.to_bytes()) == request


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\0" * REQUEST_BYTES,
        Request(number=1, width=0, height=5, reference=False).to_bytes(),
        Request(number=1, width=MAX_PIXELS, height=2, reference=False).to_bytes(),
        REQUEST.to_bytes()[:-4] + struct.pack("<I", 2),
    ],
    ids=["empty", "zeros", "no width", "huge", "unknown kind"],
)
def test_an_impossible_request_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match="request"):
        Request.from_bytes(header)


def test_an_answer_comes_back_as_it_went() -> None:
    sent = a_print()
    answer = reply_to_bytes(7, sent, 0.5)
    header = ReplyHeader.from_bytes(answer[:REPLY_BYTES], number=7, dimensions=16)
    assert header.seconds == 0.5
    assert header.size_bytes == len(answer) - REPLY_BYTES
    read = reply_from_bytes(header, answer[REPLY_BYTES:], REQUEST, "s")
    assert (read.width, read.height, read.space, read.detail) == (40, 30, "s", 4.25)
    for name in ("boxes", "embeddings", "pdq", "pdq_quality"):
        np.testing.assert_array_equal(getattr(read, name), getattr(sent, name))


@pytest.mark.parametrize(("number", "dimensions"), [(8, 16), (7, 512)])
def test_an_answer_to_something_else_is_refused(number: int, dimensions: int) -> None:
    answer = reply_to_bytes(7, a_print(), 0.5)
    with pytest.raises(EngineChildError, match="something else"):
        ReplyHeader.from_bytes(answer[:REPLY_BYTES], number=number, dimensions=dimensions)


def test_an_answer_may_not_make_the_parent_wait_for_gigabytes() -> None:
    header = bytearray(reply_to_bytes(7, a_print(), 0.5)[:REPLY_BYTES])
    header[8:12] = struct.pack("<I", 2**31)
    with pytest.raises(EngineChildError, match="something else"):
        ReplyHeader.from_bytes(bytes(header), number=7, dimensions=16)


@given(st.text(max_size=50), st.booleans())
def test_a_hello_comes_back_as_it_went(text: str, ready: bool) -> None:
    content = hello_to_bytes(text, ready=ready)
    assert hello_from_bytes(content[:HELLO_BYTES]) == (ready, len(text.encode()))
    assert content[HELLO_BYTES:].decode() == text


def test_a_hello_that_is_none_is_refused() -> None:
    with pytest.raises(EngineChildError, match="out of turn"):
        hello_from_bytes(b"\0" * HELLO_BYTES)
