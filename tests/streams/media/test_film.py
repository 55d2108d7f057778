"""`streams.media.film`: which pictures of a video are taken, and how they stand."""

import struct
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from agents.benchmarks.hostile_media import (
    FILMS,
    Pixels,
    make_av1,
    make_film,
    scene,
)
from streams.errors import MediaTooLargeError
from streams.media import film
from streams.media.frames import FORMATS, Limits
from streams.types import Look, MediaKind
from tests.streams.media.seeing import difference, good_films, look, restamp


@pytest.fixture(scope="module")
def films() -> dict[str, bytes]:
    return good_films()


SHORT = {"mpegvideo", "mpeg", "vorbis film"}
"""Whose encoders know 25 frames a second only: 40 frames are 1.6 seconds."""


@pytest.mark.parametrize("name", sorted(FILMS))
@pytest.mark.parametrize("key_frames", [False, True])
def test_each_film_shows_its_pictures(films: dict[str, bytes], name: str, key_frames: bool) -> None:
    kept, summary = look(films[name], Look(key_frames=key_frames))
    assert (summary.kind, summary.has_sound) == (MediaKind.VIDEO, bool(FILMS[name].audio))
    assert summary.format in FORMATS
    assert summary.looked_until_seconds == pytest.approx(summary.duration_seconds, abs=0.1)
    if name not in SHORT:
        assert kept.times == pytest.approx([0, 1, 2, 3], abs=0.06)
        assert summary.frame_count == 40
        assert summary.duration_seconds == pytest.approx(4.0, abs=0.1)
        for place, frame in enumerate(kept.frames):
            assert difference(frame, scene(place)) < 25
            assert difference(frame, scene(place)) < difference(frame, scene(place + 1)) / 2


def test_av1_shows_its_pictures_however_seldom_they_are() -> None:
    kept, summary = look(make_av1())
    assert (summary.format, summary.frame_count) == ("webm", 4)
    assert kept.times == pytest.approx([0, 1, 2, 3])
    assert difference(kept.frames[2], scene(2)) < 25


@pytest.mark.parametrize("name", sorted(set(FILMS) - SHORT))
def test_a_part_of_a_film_is_taken_and_nothing_else(films: dict[str, bytes], name: str) -> None:
    kept, summary = look(films[name], Look(start_seconds=2.0, seconds=1.0, frames_per_second=2.0))
    assert kept.times[0] == pytest.approx(2.0, abs=0.1)
    assert all(2.0 <= at < 3.0 for at in kept.times)
    assert difference(kept.frames[0], scene(2)) < 30
    assert summary.looked_until_seconds == pytest.approx(3.0, abs=0.01)


def wander(second: int) -> Pixels:
    """Two scenes of three seconds each: between them nothing happens."""
    return scene(second // 3)


@pytest.mark.parametrize("asked", [Look(), Look(key_frames=True), Look(frames_per_second=4)])
def test_what_shows_nothing_new_is_left_out(asked: Look) -> None:
    kept, summary = look(make_film(FILMS["mp4"], 6, draw=wander), asked)
    assert kept.times == pytest.approx([0.0, 3.0])
    assert summary.looked_until_seconds == pytest.approx(6.0, abs=0.1)


def test_a_scene_that_stands_still_gives_a_frame_each_ten_seconds() -> None:
    kept, _ = look(make_film(FILMS["mov"], 25, rate=4, draw=lambda _: scene(0)), Look())
    assert kept.times == pytest.approx([0.0, 10.0, 20.0])


def test_a_cap_stops_and_says_where_and_the_next_look_goes_on() -> None:
    body = make_film(FILMS["mp4"], 10)
    limits = Limits(max_video_frames=4)
    kept, summary = look(body, limits=limits)
    assert (kept.times, summary.looked_until_seconds) == ([0.0, 1.0, 2.0, 3.0], 4.0)
    kept, summary = look(body, Look(start_seconds=4.0), limits=limits)
    assert (kept.times, summary.looked_until_seconds) == ([4.0, 5.0, 6.0, 7.0], 8.0)
    kept, summary = look(body, Look(start_seconds=8.0), limits=limits)
    assert kept.times == [8.0, 9.0]
    assert summary.looked_until_seconds == pytest.approx(10.0, abs=0.1)


def test_a_film_that_claims_to_be_short_is_read_to_its_end() -> None:
    body = bytearray(make_film(FILMS["matroska"], 10))
    place = body.index(b"\x44\x89") + 3
    body[place : place + 8] = struct.pack(">d", 1000.0)  # its Duration, in milliseconds
    limits, parts = Limits(max_video_frames=4), []
    for start in (0.0, 4.0, 8.0):
        kept, summary = look(bytes(body), Look(start_seconds=start), limits=limits)
        parts.append((len(kept.times), summary.looked_until_seconds, summary.reached_end))
    assert parts == [(4, 4.0, False), (4, 8.0, False), (2, pytest.approx(10.0, abs=0.2), True)]
    kept, summary = look(bytes(body), Look(key_frames=True))
    assert (len(kept.times), summary.reached_end) == (10, True)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts", "flv"])
@pytest.mark.parametrize("wild", [{1}, {7}, {2, 9, 10, 11, 30}, {0}])
def test_a_stamp_that_leaps_takes_no_other_frame_with_it(
    films: dict[str, bytes], container: str, wild: set[int]
) -> None:
    leaping = restamp(
        films["mp4"], container, lambda place, at: at + (500.0 if place in wild else 0.0)
    )
    kept, summary = look(leaping)
    assert len(kept.times) >= 4
    assert kept.times == sorted(kept.times)
    if 0 not in wild:  # else the container's clock begins there
        assert kept.times == pytest.approx([0, 1, 2, 3], abs=0.25)
    for place, frame in enumerate(kept.frames[:4]):
        assert difference(frame, scene(place)) < 25
    assert summary.reached_end


def test_stamps_that_all_stand_still_hide_no_frame(films: dict[str, bytes]) -> None:
    kept, _ = look(restamp(films["mp4"], "matroska", lambda _, at: min(at, 0.3)))
    assert len(kept.frames) >= 4
    assert difference(kept.frames[-1], scene(3)) < 25


GAPS: dict[str, Callable[[int, float], float]] = {
    "a slide show": lambda _, at: at * 100,
    "a picture that stands for a while": lambda _, at: at + (60.0 if at >= 2.0 else 0.0),
    "a clock that began long before": lambda _, at: at + 5000.0,
    "pictures that come faster and faster": lambda _, at: 30 * at**0.5,
}


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
@pytest.mark.parametrize("what", GAPS)
def test_a_gap_that_is_meant_keeps_its_time(
    films: dict[str, bytes], container: str, what: str
) -> None:
    said = [GAPS[what](0, at / 10) for at in range(40)]
    kept, _ = look(restamp(films["mp4"], container, GAPS[what]), Look(frames_per_second=10.0))
    begin = said[0]
    for at in kept.times:
        assert min(abs(at - (one - begin)) for one in said) < 0.02
    for place in (0, 10, 20, 30):
        assert min(abs(at - (said[place] - begin)) for at in kept.times) < 0.35


def test_pictures_on_every_step_do_not_hide_the_film_between_them() -> None:
    decoys = make_film(
        FILMS["avi"], 20, hold=1, draw=lambda at: scene(99 + at % 2 if at % 5 == 0 else at // 30)
    )
    regular, _ = look(decoys, Look(frames_per_second=2.0))
    assert all(round(at * 10) % 5 == 0 for at in regular.times)
    for seed in range(3):
        kept, _ = look(decoys, Look(frames_per_second=2.0, seed=seed))
        assert sum(round(at * 10) % 5 > 0 for at in kept.times) >= 8


def test_frames_that_no_other_needs_hide_nothing() -> None:
    body = make_film(FILMS["mp4"], 12, rate=30, hold=1)
    regular, _ = look(body, Look(frames_per_second=2.0))
    unneeded = {round(at * 30) for at in look(body, Look(frames_per_second=30.0))[0].times}
    kept, _ = look(body, Look(frames_per_second=2.0, seed=5))
    assert len(kept.times) >= 22
    places = [round(at * 30) % 3 for at in kept.times]
    assert len(unneeded) > len(regular.times)
    assert 2 <= sum(place != places[0] for place in places) < len(places)


@pytest.mark.parametrize("seed", range(5))
def test_the_shortest_film_shows_a_frame_wherever_it_is_looked_at(seed: int) -> None:
    kept, summary = look(make_film(FILMS["mp4"], 0.1), Look(frames_per_second=1.0, seed=seed))
    assert (kept.times, summary.reached_end) == ([0.0], True)


def test_parts_of_a_draw_leave_nothing_out_between_them() -> None:
    body = make_film(FILMS["mp4"], 10, hold=1)
    first, told = look(body, Look(seed=1), limits=Limits(max_video_frames=4))
    rest, _ = look(body, Look(start_seconds=told.looked_until_seconds, seed=2))
    assert 3.0 <= told.looked_until_seconds < 5.5
    assert len(first.times + rest.times) >= 9
    assert max(b - a for a, b in pairwise(first.times + rest.times)) <= 3.0


def test_a_part_of_a_film_does_not_reach_its_end(films: dict[str, bytes]) -> None:
    assert not look(films["mp4"], Look(seconds=2.0))[1].reached_end
    assert not look(films["mp4"], Look(seconds=2.0, key_frames=True))[1].reached_end
    assert look(films["mp4"], Look(start_seconds=2.0))[1].reached_end


def test_key_frames_beyond_the_cap_are_spread_over_the_whole() -> None:
    limits = Limits(max_video_frames=4)
    kept, summary = look(make_film(FILMS["mp4"], 12), Look(key_frames=True), limits=limits)
    assert kept.times == pytest.approx([0.0, 3.0, 6.0, 9.0], abs=1.0)
    assert summary.looked_until_seconds == pytest.approx(12.0, abs=0.1)


def test_frames_fit_into_the_side_and_have_square_pixels() -> None:
    wide = make_film(replace(FILMS["mp4"], aspect=Fraction(2, 1)), 2)
    kept, _ = look(wide)
    assert kept.frames[0].shape == (96, 320, 3)
    tall = make_film(replace(FILMS["mp4"], aspect=Fraction(1, 2)), 2)
    assert look(tall)[0].frames[0].shape == (192, 160, 3)
    small, _ = look(wide, limits=Limits(video_side=64))
    assert small.frames[0].shape == (19, 64, 3)


@pytest.mark.parametrize(
    ("matrix", "turns"),
    [
        ((0, 1, -1, 0), 3),
        ((-1, 0, 0, -1), 2),
        ((0, -1, 1, 0), 1),
    ],
)
def test_a_film_stands_upright(
    films: dict[str, bytes], matrix: tuple[int, int, int, int], turns: int
) -> None:
    a, b, c, d = (value * 65536 for value in matrix)
    body = bytearray(films["mp4"])
    track = body.index(b"tkhd") + 4 + 40
    body[track : track + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    kept, _ = look(bytes(body))
    wanted: Pixels = np.rot90(scene(0), turns)
    assert difference(kept.frames[0], wanted) < 25


def test_too_many_pixels_are_refused(
    films: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film, "MAX_VIDEO_PIXELS", 100)
    with pytest.raises(MediaTooLargeError):
        look(films["mp4"])
