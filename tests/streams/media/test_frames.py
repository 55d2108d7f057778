"""`streams.media.frames`: the child is hostile, so every answer is parsed or refused."""

from dataclasses import replace
from typing import Any

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
    KINDS,
    MAGIC,
    MAX_SECONDS,
    MAX_SOUND_BYTES,
    REQUEST,
    VERSION,
    FrameWriter,
    Limits,
    Request,
    Status,
    Summary,
    pack_request,
    parse_frames,
    read_look,
)
from streams.types import DecodedMedia, Frame, Look, MediaKind, Sound

SIDE, MOST = 8, 3
LIMITS = Limits(max_side=SIDE, max_frames=2, video_side=SIDE, max_video_frames=MOST)
START, CAPACITY = LIMITS.pixels_start, LIMITS.sound_start
IMAGE, VIDEO, AUDIO = range(3)


def parse(buffer: bytes | bytearray) -> DecodedMedia:
    return parse_frames(memoryview(buffer), LIMITS)


def forge(
    *,
    magic: bytes = MAGIC,
    version: int = VERSION,
    status: int = Status.FINE,
    kind: int = VIDEO,
    place: int = 0,
    frames: int = 1,
    has_sound: int = 0,
    reached: int = 0,
    frame_count: int = 1,
    sound_bytes: int = 0,
    times: tuple[float, float, float] = (0.0, 0.0, 0.0),
    entry: tuple[int, int, int, float] = (8, 8, START, 0.0),
    room_for_sound: int = 0,
) -> bytearray:
    buffer = bytearray(CAPACITY + room_for_sound)
    head = (magic, version, status, kind, place, frames, has_sound, reached)
    HEADER.pack_into(buffer, 0, *head, frame_count, sound_bytes, *times)
    for index in range(MOST):
        ENTRY.pack_into(buffer, HEADER.size + index * ENTRY.size, *entry)
    return buffer


def summary(name: str = "gif", frame_count: int = 0) -> Summary:
    return Summary(kind=MediaKind.VIDEO, format=name, frame_count=frame_count)


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
    writer = FrameWriter(memoryview(buffer), LIMITS)
    for frame in frames:
        row = frame.width * 3
        strips = (frame.rgb[at : at + row] for at in range(0, len(frame.rgb), row))
        writer.add(frame.width, frame.height, strips, frame.at_seconds)
    writer.finish(Status.FINE, summary(name, len(frames) + more))
    assert parse(buffer) == DecodedMedia(
        kind=MediaKind.VIDEO, format=name, frames=frames, frame_count=len(frames) + more
    )


@pytest.mark.parametrize("reached_end", [True, False])
@pytest.mark.parametrize("heard_end", [True, False])
def test_the_writer_tells_whether_the_ends_were_reached(reached_end: bool, heard_end: bool) -> None:
    buffer = bytearray(CAPACITY)
    writer = FrameWriter(memoryview(buffer), LIMITS)
    writer.add(1, 1, [b"xyz"], 0.0)
    writer.finish(Status.FINE, replace(summary(), reached_end=reached_end, heard_end=heard_end))
    media = parse(buffer)
    assert (media.reached_end, media.heard_end) == (reached_end, heard_end)


def test_frames_that_are_forgotten_make_room() -> None:
    buffer = bytearray(CAPACITY)
    writer = FrameWriter(memoryview(buffer), LIMITS)
    for grey in (b"a", b"b", b"c"):
        writer.add(SIDE, SIDE, [grey * SIDE * SIDE * 3], 0.0)
    writer.keep(1)
    writer.add(1, 1, [b"xyz"], 1.0)
    writer.finish(Status.FINE, summary("gif", 9))
    assert [frame.rgb[:3] for frame in parse(buffer).frames] == [b"aaa", b"xyz"]


def test_a_frame_count_beyond_the_field_is_its_largest_value() -> None:
    buffer = bytearray(CAPACITY)
    writer = FrameWriter(memoryview(buffer), LIMITS)
    writer.add(1, 1, [b"xyz"], 0.0)
    writer.finish(Status.FINE, summary("png", 2**70))
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
        forge(version=1),
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
        forge(kind=3),
        forge(kind=IMAGE, frames=3, frame_count=3),
        forge(kind=IMAGE, has_sound=1),
        forge(kind=AUDIO, frames=1, has_sound=1),
        forge(kind=AUDIO, frames=0, has_sound=0),
        forge(has_sound=2),
        forge(reached=4),
        forge(has_sound=0, sound_bytes=2, room_for_sound=2),
        forge(has_sound=1, sound_bytes=2),
        forge(has_sound=1, sound_bytes=1, room_for_sound=2),
        forge(has_sound=1, sound_bytes=4, room_for_sound=2),
        forge(has_sound=1, sound_bytes=MAX_SOUND_BYTES + 2, room_for_sound=MAX_SOUND_BYTES + 2),
        forge(has_sound=1, sound_bytes=2**32 - 2, room_for_sound=2),
        forge(times=(-1.0, 0.0, 0.0)),
        forge(times=(0.0, float("nan"), 0.0)),
        forge(times=(0.0, 0.0, 1e8)),
    ],
)
def test_an_answer_that_breaks_a_rule_is_refused(buffer: bytearray) -> None:
    with pytest.raises(DecoderCrashedError):
        parse(buffer)


def test_the_last_pixels_may_end_where_the_memory_ends() -> None:
    assert parse(forge(entry=(8, 8, CAPACITY - 192, 0.0))).frames[0].width == 8


integers = st.integers(0, 2**16 - 1)


headers = st.fixed_dictionaries(
    {
        "status": st.sampled_from([1, 1, 1, *range(7)]) | integers,
        "kind": st.integers(0, 3),
        "place": st.integers(0, 8) | integers,
        "frames": st.integers(0, 4) | integers,
        "has_sound": st.integers(0, 2),
        "reached": st.integers(0, 4),
        "frame_count": st.integers(0, 2**32 - 1),
        "sound_bytes": st.integers(0, 9) | st.integers(0, 2**32 - 1),
        "times": st.tuples(*[st.just(0.0) | st.floats()] * 3),
    }
)


@given(
    header=headers,
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
    header: dict[str, Any], entries: list[tuple[int, int, int, float]], tail: int
) -> None:
    buffer = forge(**header, room_for_sound=8)
    for index, entry in enumerate(entries):
        ENTRY.pack_into(buffer, HEADER.size + index * ENTRY.size, *entry)
    try:
        media = parse(buffer[: len(buffer) - tail])
    except MediaError:
        return
    assert (media.kind == MediaKind.AUDIO) == (not media.frames)
    assert len(media.frames) <= min(MOST, media.frame_count)
    assert 0 <= media.looked_until_seconds <= MAX_SECONDS
    if media.sound is not None:
        assert len(media.sound.pcm) in {2, 4, 6, 8}
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
    assert (HEADER.size, ENTRY.size, REQUEST.size) == (54, 24, 54)


def test_sound_crosses_at_the_end_of_the_memory() -> None:
    buffer = bytearray(LIMITS.capacity_bytes)
    writer = FrameWriter(memoryview(buffer), LIMITS)
    writer.put_sound(b"abcdef", 2.5)
    writer.finish(Status.FINE, Summary(kind=MediaKind.AUDIO, format="mp3", has_sound=True))
    media = parse(buffer)
    assert (media.kind, media.frames, media.has_sound) == (MediaKind.AUDIO, (), True)
    assert media.sound == Sound(pcm=b"abcdef", rate_hz=16_000, at_seconds=2.5)


def test_frames_out_of_order_are_refused() -> None:
    buffer = forge(frames=2, frame_count=2, entry=(8, 8, START, 3.0))
    ENTRY.pack_into(buffer, HEADER.size + ENTRY.size, 8, 8, START, 2.0)
    with pytest.raises(DecoderCrashedError, match="order"):
        parse(buffer)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_bounds(kind: MediaKind) -> None:
    limits = Limits(max_side=7, max_frames=2, video_side=5, max_video_frames=9)
    sides = {MediaKind.IMAGE: (7, 2), MediaKind.VIDEO: (5, 9), MediaKind.AUDIO: (5, 0)}
    assert limits.of_kind(kind) == sides[kind]


@given(
    look=st.builds(
        Look,
        start_seconds=st.floats(0, MAX_SECONDS),
        seconds=st.none() | st.floats(0, MAX_SECONDS),
        key_frames=st.booleans(),
        frames_per_second=st.floats(0.001, 30),
        sound=st.booleans(),
        seed=st.none() | st.integers(0, 2**64 - 1),
    )
)
def test_a_look_crosses_to_the_child_as_it_was(look: Look) -> None:
    message = pack_request(Request.DECODE, 7, 1.5, look=look)
    kind, job, seconds, probe, *asked = REQUEST.unpack(message)
    assert (kind, job, seconds, probe) == (Request.DECODE, 7, 1.5, 0)
    assert read_look(*asked) == look


@pytest.mark.parametrize(
    "look",
    [
        Look(start_seconds=-1),
        Look(start_seconds=float("nan")),
        Look(start_seconds=1e9),
        Look(seconds=-1),
        Look(seconds=float("inf")),
        Look(frames_per_second=0),
        Look(frames_per_second=1e6),
        Look(frames_per_second=float("nan")),
        Look(seed=-1),
        Look(seed=2**64),
    ],
)
def test_a_look_at_nothing_is_refused(look: Look) -> None:
    with pytest.raises(ValueError, match=r"look|second|seed"):
        pack_request(Request.DECODE, 1, look=look)


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(ValueError, match="flag"):
        read_look(0.0, -1.0, 1.0, 8, 0)
