"""`agents.demo.noise`."""

import numpy as np
import pytest

from agents.demo import noise


@pytest.mark.parametrize(("height", "width"), [(40, 90), (90, 40), (2, 64)])
def test_a_surface_has_the_size_asked_for_and_fills_its_range(height: int, width: int) -> None:
    surface = noise.fractal(np.random.default_rng(1), height, width)
    assert surface.shape == (height, width)
    assert surface.min() == 0
    assert surface.max() == pytest.approx(1)


def test_equal_seeds_give_equal_surfaces_and_others_do_not() -> None:
    one, same, other = (noise.fractal(np.random.default_rng(seed), 30, 30) for seed in (7, 7, 8))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_profile_is_one_row() -> None:
    assert noise.profile(np.random.default_rng(1), 50, cells=4).shape == (50,)


def test_a_blend_begins_with_one_colour_and_ends_with_the_other() -> None:
    share = np.array([[0.0, 1.0]], np.float32)
    assert noise.blend((10, 20, 30), (200, 100, 0), share).tolist() == [
        [[10, 20, 30], [200, 100, 0]]
    ]


def test_a_hue_wraps_around() -> None:
    assert noise.hsv(0, 1, 1) == noise.hsv(1, 1, 1) == (255, 0, 0)


def test_a_palette_has_as_many_colours_as_asked_for() -> None:
    colours = noise.palette(np.random.default_rng(1), 5)
    assert len(colours) == 5
    assert all(0 <= channel <= 255 for colour in colours for channel in colour)
