"""Edits are reproducible, and do what their names say."""

import random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from agents.demo.edits import EDITS, WITH_ANOTHER
from agents.demo.scenes import draw

OTHER = draw("landscape", 3)


def card() -> Image.Image:
    """A picture whose halves differ, with a red disc at the upper left."""
    picture = Image.new("RGB", (600, 400), (20, 60, 200))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((300, 0, 600, 400), fill=(230, 230, 60))
    pen.ellipse((60, 40, 160, 140), fill=(220, 20, 20))
    return picture


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_drawn_from_its_chance_and_leaves_the_original_alone(name: str) -> None:
    original = card()
    first = EDITS[name](original, random.Random(1), OTHER)
    again = EDITS[name](original, random.Random(1), OTHER)
    assert first.mode == "RGB"
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != card().tobytes()
    assert original.tobytes() == card().tobytes()


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_needs_another_picture_or_ignores_it(name: str) -> None:
    first = EDITS[name](card(), random.Random(1), OTHER)
    second = EDITS[name](card(), random.Random(1), draw("city", 8))
    assert (first.tobytes() != second.tobytes()) == (name in WITH_ANOTHER)


def test_a_crop_keeps_half_of_the_area() -> None:
    edited = EDITS["crop"](card(), random.Random(2), OTHER)
    assert edited.width * edited.height == pytest.approx(600 * 400 / 2, rel=0.01)


def test_a_mirror_moves_the_disc_to_the_other_side() -> None:
    edited = EDITS["mirror"](card(), random.Random(0), OTHER)
    assert edited.getpixel((600 - 110, 90)) == (220, 20, 20)


def test_a_collage_covers_two_fifths_of_another_picture() -> None:
    edited = np.asarray(EDITS["collage"](card(), random.Random(5), OTHER), np.int16)
    blue = np.abs(edited - (20, 60, 200)).sum(axis=2) < 12
    yellow = np.abs(edited - (230, 230, 60)).sum(axis=2) < 12
    assert (blue | yellow).mean() == pytest.approx(0.4, abs=0.06)


def test_a_screenshot_shows_the_whole_picture_in_a_taller_page() -> None:
    for seed in range(4):
        edited = EDITS["screenshot"](card(), random.Random(seed), OTHER)
        pixels = np.asarray(edited, np.int16)
        assert edited.height > 1.5 * edited.width
        assert (np.abs(pixels - (20, 60, 200)).sum(axis=2) < 12).mean() > 0.08
        assert (np.abs(pixels - (230, 230, 60)).sum(axis=2) < 12).mean() > 0.08


def test_a_web_page_gives_the_picture_about_an_eighth() -> None:
    pixels = np.asarray(EDITS["web_page"](card(), random.Random(1), OTHER), np.int16)
    blue = np.abs(pixels - (20, 60, 200)).sum(axis=2) < 12
    yellow = np.abs(pixels - (230, 230, 60)).sum(axis=2) < 12
    assert 0.07 < (blue | yellow).mean() < 0.14
