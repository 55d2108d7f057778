"""`streams.media.frames`: the child is hostile, so every answer is parsed or refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import (
    DecoderCrashedError,
    MediaError,
    MediaTooLargeError,
    UndecodableMediaError,
)
from streams.media.frames import (
    ENTRY,
    FORMATS,
    HEADER,
    MAGIC,
    VERSION,
    FrameWriter,
    Status,
    capacity_bytes,
    parse_frames,
    pixels_start,
)
from streams.types import DecodedMedia, Frame, MediaKind

SIDE, MOST = 8, 3
CAPACITY = capacity_bytes(SIDE, MOST)
START = pixels_start(MOST)


def parse(buffer: bytes | bytearray) -> DecodedMedia:
    return parse_frames(memoryview(buffer), max_side=SIDE, max_frames=MOST)


def forge(
    *,
    magic: bytes = MAGIC,
    version: int = VERSION,
    status: int = Status.FINE,
    place: int = 0,
    frames: int = 1,
    frame_count: int = 1,
    entry: tuple[int, int, int, float] = (8, 8, START, 0.0),
) -> bytearray:
    buffer = bytearray(CAPACITY)
    HEADER.pack_into(buffer, 0, magic, version, status, place, frames, frame_count)
    for index in range(MOST):
        ENTRY.pack_into(buffer, HEADER.size + index * ENTRY.size, *entry)
    return buffer


@given(
    sizes=st.lists(st.tuples(st.integers(1, SIDE), st.integers(1, SIDE)), min_size=1, max_size=3),
    more=st.integers(0, 1000),
    name=st.sampled_from(FORMATS),
    seed=st.binary(min_size=1, max_size=20),
)
def test_what_the_writer_writes_the_parser_reads(
    sizes: list[tuple[int, int]], more: int, name: str, seed: bytes
) -> None:
    frames = tuple(
        Frame(width=w, height=h, rgb=(seed * 200)[: w * h * 3], at_seconds=index / 3)
        for index, (w, h) in enumerate(sizes)
    )
    buffer = bytearray(CAPACITY)
    writer = FrameWriter(memoryview(buffer), MOST)
    for frame in frames:
        row = frame.width * 3
        strips = (frame.rgb[at : at + row] for at in range(0, len(frame.rgb), row))
        writer.add(frame.width, frame.height, strips, frame.at_seconds)
    writer.finish(Status.FINE, name, len(frames) + more)
    assert parse(buffer) == DecodedMedia(
        kind=MediaKind.IMAGE, format=name, frames=frames, frame_count=len(frames) + more
    )


def test_frames_that_are_forgotten_make_room() -> None:
    buffer = bytearray(CAPACITY)
    writer = FrameWriter(memoryview(buffer), MOST)
    for grey in (b"a", b"b", b"c"):
        writer.add(SIDE, SIDE, [grey * SIDE * SIDE * 3], 0.0)
    writer.keep(1)
    writer.add(1, 1, [b"xyz"], 1.0)
    writer.finish(Status.FINE, "gif", 9)
    assert [frame.rgb[:3] for frame in parse(buffer).frames] == [b"aaa", b"xyz"]


def test_a_frame_count_beyond_the_field_is_its_largest_value() -> None:
    buffer = bytearray(CAPACITY)
    writer = FrameWriter(memoryview(buffer), MOST)
    writer.add(1, 1, [b"xyz"], 0.0)
    writer.finish(Status.FINE, "png", 2**70)
    assert parse(buffer).frame_count == 2**32 - 1


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (Status.UNREADABLE, UndecodableMediaError, "no decoder"),
        (Status.TOO_LARGE, MediaTooLargeError, "pixels"),
        (Status.OUT_OF_TIME, DecoderCrashedError, "time"),
        (Status.OUT_OF_MEMORY, DecoderCrashedError, "memory"),
        (0, DecoderCrashedError, "no answer"),
        (99, DecoderCrashedError, "no answer"),
    ],
)
def test_each_status_has_its_error(status: int, error: type[MediaError], words: str) -> None:
    with pytest.raises(MediaError, match=words) as raised:
        parse(forge(status=status))
    assert type(raised.value) is error


@pytest.mark.parametrize(
    "buffer",
    [
        bytearray(CAPACITY),
        bytearray(b"\xff" * CAPACITY),
        bytearray(0),
        forge()[: START - 1],
        forge()[: START + 5],
        forge(magic=b"HAECHIXX"),
        forge(version=2),
        forge(frames=0, frame_count=0),
        forge(frames=MOST + 1, frame_count=9),
        forge(frames=2, frame_count=1),
        forge(place=len(FORMATS)),
        forge(place=65535),
        forge(entry=(0, 8, START, 0.0)),
        forge(entry=(8, 0, START, 0.0)),
        forge(entry=(SIDE + 1, 1, START, 0.0)),
        forge(entry=(1, SIDE + 1, START, 0.0)),
        forge(entry=(2**32 - 1, 2**32 - 1, START, 0.0)),
        forge(entry=(8, 8, START - 1, 0.0)),
        forge(entry=(8, 8, 0, 0.0)),
        forge(entry=(8, 8, CAPACITY - 191, 0.0)),
        forge(entry=(8, 8, CAPACITY, 0.0)),
        forge(entry=(8, 8, 2**64 - 192, 0.0)),
        forge(entry=(8, 8, START, -1.0)),
        forge(entry=(8, 8, START, float("nan"))),
        forge(entry=(8, 8, START, float("inf"))),
        forge(entry=(8, 8, START, 1e8)),
    ],
)
def test_an_answer_that_breaks_a_rule_is_refused(buffer: bytearray) -> None:
    with pytest.raises(DecoderCrashedError):
        parse(buffer)


def test_the_last_pixels_may_end_where_the_memory_ends() -> None:
    assert parse(forge(entry=(8, 8, CAPACITY - 192, 0.0))).frames[0].width == 8


integers = st.integers(0, 2**16 - 1)


@given(
    status=st.sampled_from([1, 1, 1, *range(7)]) | integers,
    place=st.integers(0, 8) | integers,
    frames=st.integers(0, 4) | integers,
    frame_count=st.integers(0, 2**32 - 1),
    entries=st.lists(
        st.tuples(
            st.integers(0, SIDE + 1) | st.integers(0, 2**32 - 1),
            st.integers(0, SIDE + 1) | st.integers(0, 2**32 - 1),
            st.integers(START - 5, CAPACITY + 5) | st.integers(0, 2**64 - 1),
            st.floats(),
        ),
        min_size=MOST,
        max_size=MOST,
    ),
    tail=st.integers(0, CAPACITY),
)
def test_any_header_is_parsed_within_bounds_or_refused(
    status: int,
    place: int,
    frames: int,
    frame_count: int,
    entries: list[tuple[int, int, int, float]],
    tail: int,
) -> None:
    buffer = forge(status=status, place=place, frames=frames, frame_count=frame_count)
    for index, entry in enumerate(entries):
        ENTRY.pack_into(buffer, HEADER.size + index * ENTRY.size, *entry)
    try:
        media = parse(buffer[: CAPACITY - tail])
    except MediaError:
        return
    assert 1 <= len(media.frames) <= min(MOST, media.frame_count)
    for frame in media.frames:
        assert 1 <= frame.width <= SIDE
        assert 1 <= frame.height <= SIDE
        assert len(frame.rgb) == frame.width * frame.height * 3


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_parsed_and_never_crash(noise: bytes) -> None:
    try:
        parse(noise.ljust(CAPACITY, b"\0"))
    except MediaError:
        return
    assert noise.startswith(MAGIC)


def test_the_layout_is_the_same_on_every_machine() -> None:
    assert (HEADER.size, ENTRY.size) == (struct.calcsize("<8sHHHHI"), 24)
