"""`gpu_kernels.wire`."""

import math
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_kernels.errors import EngineChildError
from gpu_kernels.wire import (
    HELLO_BYTES,
    MAX_ANSWER_BYTES,
    MAX_PIXELS,
    MAX_SAMPLES,
    MAX_TEXT,
    REPLY_BYTES,
    REQUEST_BYTES,
    AnswerStatus,
    ReplyHeader,
    Request,
    Task,
    hello_from_bytes,
    hello_to_bytes,
    reply_to_bytes,
)

PICTURE = Request(number=7, task=Task.REFERENCE, width=40, height=30)
SOUND = Request(number=7, task=Task.SPEECH, width=16_000, height=1, budget_seconds=20.0)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(Task),
    st.integers(1, 4_000),
    st.integers(1, 4_000),
    st.floats(0, 999_999),
)
def test_a_request_comes_back_as_it_went(
    number: int, task: Task, width: int, height: int, seconds: float
) -> None:
    request = Request(number=number, task=task, width=width, height=height, budget_seconds=seconds)
    assert Request.from_bytes(request.to_bytes()) == request


def test_a_picture_takes_three_bytes_a_pixel_and_a_sound_two_a_sample() -> None:
    assert PICTURE.size_bytes == 40 * 30 * 3
    assert SOUND.size_bytes == 16_000 * 2


def test_speech_voices_and_sound_hear_and_all_others_see() -> None:
    assert {task for task in Task if task.hears} == {Task.SOUND, Task.VOICES, Task.SPEECH}


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\0" * REQUEST_BYTES,
        PICTURE.to_bytes()[:-1],
        PICTURE.to_bytes() + b"\0",
        b"HKQ1" + PICTURE.to_bytes()[4:],
        replace(PICTURE, width=0).to_bytes(),
        replace(PICTURE, height=0).to_bytes(),
        replace(PICTURE, width=MAX_PIXELS // 2 + 1, height=2).to_bytes(),
        replace(PICTURE, width=2**31, height=2**31).to_bytes(),
        replace(SOUND, width=0).to_bytes(),
        replace(SOUND, width=MAX_SAMPLES + 1).to_bytes(),
        replace(SOUND, width=MAX_SAMPLES // 2 + 1, height=2).to_bytes(),
        replace(SOUND, budget_seconds=-1.0).to_bytes(),
        replace(SOUND, budget_seconds=1e6).to_bytes(),
        replace(SOUND, budget_seconds=math.nan).to_bytes(),
        replace(SOUND, budget_seconds=math.inf).to_bytes(),
    ],
    ids=[
        "empty",
        "zeros",
        "short",
        "long",
        "another version",
        "no width",
        "no height",
        "too many pixels",
        "wraps around",
        "silence",
        "endless",
        "two rows of sound",
        "before now",
        "days",
        "no number",
        "forever",
    ],
)
def test_an_impossible_request_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match="request"):
        Request.from_bytes(header)


@pytest.mark.parametrize("task", [0, max(Task) + 1, 2**32 - 1])
def test_an_unknown_task_is_refused(task: int) -> None:
    header = bytearray(PICTURE.to_bytes())
    header[8:12] = struct.pack("<I", task)
    with pytest.raises(ValueError, match="not a valid Task"):
        Request.from_bytes(bytes(header))


@given(st.binary(min_size=REQUEST_BYTES, max_size=REQUEST_BYTES).map(lambda b: b"HKQ2" + b[4:]))
def test_a_request_that_is_accepted_never_claims_more_than_the_caps(header: bytes) -> None:
    try:
        request = Request.from_bytes(header)
    except ValueError:
        return
    assert request.size_bytes <= max(3 * MAX_PIXELS, 2 * MAX_SAMPLES)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(AnswerStatus),
    st.binary(max_size=200),
    st.floats(0, 999_999),
)
def test_an_answer_comes_back_as_it_went(
    number: int, status: AnswerStatus, content: bytes, seconds: float
) -> None:
    answer = reply_to_bytes(number, status, content, seconds)
    header = ReplyHeader.from_bytes(answer[:REPLY_BYTES], number=number)
    assert header == ReplyHeader(status=status, size_bytes=len(content), seconds=seconds)
    assert answer[REPLY_BYTES:] == content


ANSWER = reply_to_bytes(7, AnswerStatus.FINE, b"", 0.5)


@pytest.mark.parametrize(
    ("at", "altered"),
    [
        (0, b"HKA1"),
        (4, struct.pack("<I", 8)),
        (8, struct.pack("<I", max(AnswerStatus) + 1)),
        (12, struct.pack("<I", MAX_ANSWER_BYTES + 1)),
        (12, struct.pack("<I", 2**32 - 1)),
        (16, struct.pack("<d", -0.1)),
        (16, struct.pack("<d", 1e6)),
        (16, struct.pack("<d", math.nan)),
        (16, struct.pack("<d", math.inf)),
    ],
    ids=[
        "another version",
        "another question",
        "unknown status",
        "too large",
        "gigabytes",
        "negative time",
        "days",
        "no number",
        "forever",
    ],
)
def test_an_answer_that_cannot_be_is_refused(at: int, altered: bytes) -> None:
    assert ReplyHeader.from_bytes(ANSWER, number=7).seconds == 0.5
    header = ANSWER[:at] + altered + ANSWER[at + len(altered) :]
    with pytest.raises(EngineChildError, match="something else"):
        ReplyHeader.from_bytes(header, number=7)


@pytest.mark.parametrize("header", [b"", ANSWER[:-1], ANSWER + b"\0"], ids=["0", "less", "more"])
def test_an_answer_of_the_wrong_length_is_refused(header: bytes) -> None:
    with pytest.raises(EngineChildError, match="half"):
        ReplyHeader.from_bytes(header, number=7)


@given(st.text(max_size=50), st.booleans())
def test_a_hello_comes_back_as_it_went(text: str, ready: bool) -> None:
    content = hello_to_bytes(text, ready=ready)
    assert hello_from_bytes(content[:HELLO_BYTES]) == (ready, len(text.encode()))
    assert content[HELLO_BYTES:].decode() == text


def test_a_long_hello_is_cut_between_two_letters() -> None:
    content = hello_to_bytes("x" + "\u00e9" * MAX_TEXT, ready=False)
    assert hello_from_bytes(content[:HELLO_BYTES]) == (False, MAX_TEXT - 1)
    assert content[HELLO_BYTES:].decode().startswith("x\u00e9")


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\0" * HELLO_BYTES,
        struct.pack("<4sII", b"HKH1", 1, MAX_TEXT + 1),
        struct.pack("<4sII", b"HKH1", 2, 4),
        struct.pack("<4sII", b"HKH1", 1, 4)[:-1],
    ],
    ids=["empty", "zeros", "long", "half ready", "short"],
)
def test_a_hello_that_is_none_is_refused(header: bytes) -> None:
    with pytest.raises(EngineChildError, match=r"out of turn|half a word"):
        hello_from_bytes(header)
