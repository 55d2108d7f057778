"""`streams.sources.sse`."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import SourceError
from streams.sources import sse
from streams.sources.sse import COMMENT, EventReader, ServerEvent


def read(*chunks: bytes) -> list[ServerEvent]:
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)]


SAMPLE = (
    ":)\n\n:thump\nevent: update\r\ndata: a\r\ndata:  b\rdata\r\r"
    "id: 7\nretry: x\n\n\n\nevent: delete\n\ndata: 가\n\nevent: half\ndata: x\n"
).encode()
EVENTS = [
    COMMENT,
    COMMENT,
    ServerEvent("update", "a\n b\n"),
    ServerEvent("delete"),
    ServerEvent("message", "가"),
]


@given(st.lists(st.integers(0, len(SAMPLE))))
def test_events_are_the_same_however_they_arrive(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(SAMPLE)]
    chunks = [SAMPLE[a:b] for a, b in pairwise(places)]
    assert read(*chunks) == EVENTS


def test_bytes_that_are_no_text_spoil_their_own_event_at_most() -> None:
    assert read(b"event: x\ndata: \xff\xfe1\n\ndata: y\n\n") == [
        ServerEvent("x", "\ufffd\ufffd1"),
        ServerEvent("message", "y"),
    ]


@pytest.mark.parametrize("chunk", [b"x" * 400, b"data: 1\n" * 50])
def test_an_event_without_end_is_not_kept(chunk: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    read(b"data: 1\n\n" * 1000)
    with pytest.raises(SourceError):
        read(chunk, chunk, chunk)
