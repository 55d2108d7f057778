"""`streams.media.sampling`: which moments are kept."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from streams.media.sampling import Draw, Grid, Reel, choose_frames, end_of
from streams.types import Look
from tests.streams.media.pictured import Album


@given(count=st.integers(1, 500), most=st.integers(1, 8))
def test_chosen_frames_are_spread_from_the_first_to_the_last(count: int, most: int) -> None:
    chosen = choose_frames(count, most)
    assert len(chosen) == min(count, most)
    assert list(chosen) == sorted(set(chosen))
    assert chosen[0] == 0
    if most > 1:
        assert chosen[-1] == count - 1
        gaps = np.diff(chosen)
        assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


def grey(level: int, size: int = 64) -> Image.Image:
    return Image.new("RGB", (size, size), (level, level, level))


def shown(*pictures: tuple[float, Image.Image], most: int = 9) -> list[float]:
    album = Album()
    reel = Reel(album, most)
    for at, picture in pictures:
        if not reel.is_full:
            reel.show(picture, at)
    assert reel.count == len(album.times)
    return album.times


def test_a_frame_like_the_last_kept_one_is_left_out() -> None:
    assert shown((0, grey(10)), (1, grey(10)), (2, grey(11)), (3, grey(11))) == [0, 2]


def test_a_slow_change_is_seen_against_the_last_kept_frame() -> None:
    dithered = [grey(10) for _ in range(9)]
    for level, picture in enumerate(dithered):
        picture.paste((11, 11, 11), (0, 0, 64, 8 * level))
    assert shown(*enumerate(dithered)) == [0, 4, 8]


def test_a_spot_that_changes_is_something_new() -> None:
    spotted = grey(10)
    spotted.paste((40, 40, 40), (20, 20, 22, 22))
    assert shown((0, grey(10)), (1, spotted)) == [0, 1]


def test_what_stands_still_is_kept_every_ten_seconds() -> None:
    assert shown(*((at, grey(3)) for at in range(25))) == [0, 10, 20]


def test_a_full_reel_takes_no_more() -> None:
    assert shown((0, grey(1)), (1, grey(50)), (2, grey(99)), most=2) == [0, 1]


@given(
    times=st.lists(st.floats(0, 100), max_size=60).map(sorted),
    start=st.floats(0, 50),
    step=st.floats(0.05, 20),
)
def test_a_grid_wants_at_most_one_frame_of_each_step(
    times: list[float], start: float, step: float
) -> None:
    grid = Grid(start, step)
    wanted = [at for at in times if at >= start and grid.wants(at)]
    places = [int((at - start) / step + 1e-6) for at in wanted]
    assert places == sorted(set(places))
    assert {int((at - start) / step + 1e-6) for at in times if at >= start} == set(places)


def drawn(times: list[float], seed: int) -> list[float]:
    draw = Draw(0.0, 0.5, seed)
    until = [*times[1:], float("inf")]
    return [at for at, end in zip(times, until, strict=True) if draw.wants(at, end)]


@pytest.mark.parametrize("decoy_seconds", [1 / 30, 0.001])
def test_a_draw_takes_what_is_shown_not_what_stands_on_the_steps(decoy_seconds: float) -> None:
    decoys = [place / 2 for place in range(100)]
    times = sorted([*decoys, *(at + decoy_seconds for at in decoys)])
    for seed in range(20):
        wanted = drawn(times, seed)
        assert 95 <= len(wanted) <= 101
        assert len(set(wanted) & set(decoys)) < 25


def test_a_draw_is_repeatable_and_another_for_each_seed() -> None:
    times = [place / 30 for place in range(600)]
    assert drawn(times, 3) == drawn(times, 3)
    assert drawn(times, 3) != drawn(times, 4)


@given(
    times=st.lists(st.floats(0, 1e6), min_size=1, max_size=60, unique=True).map(sorted),
    seed=st.integers(0, 2**64 - 1),
)
def test_a_draw_leaves_no_long_shown_frame_out(times: list[float], seed: int) -> None:
    wanted = drawn(times, seed)
    assert times[-1] in wanted
    for at, end in pairwise(times):
        if end - at > 1.0:
            assert at in wanted


def test_a_look_without_a_length_has_no_end() -> None:
    assert end_of(Look(start_seconds=3)) == float("inf")
    assert end_of(Look(start_seconds=3, seconds=4)) == 7
