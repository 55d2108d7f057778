"""The camera and the edits of films."""

import random

import numpy as np
import pytest
from PIL import Image

from agents.demo.films import (
    FILM_EDITS,
    FRAMES_PER_SECOND,
    HEIGHT,
    WIDTH,
    WITH_ANOTHER_FILM,
    Film,
    Shown,
    half_size,
    part,
    take,
)
from agents.demo.scenes import draw
from agents.demo.tunes import RATE_HZ, compose

SECONDS = 6.0


def a_film(seed: int) -> Film:
    pictures = [draw("city", seed), draw("flowers", seed)]
    return Film(frames=take(pictures, seed, SECONDS), sound=compose(seed, 1, SECONDS))


FILM, OTHER = a_film(1), a_film(2)


def edited(edit: str, seed: int = 4) -> Film:
    return FILM_EDITS[edit](FILM, random.Random(seed), OTHER)


def alike(one: Shown, other: Shown) -> float:
    """Correlate two frames, squeezed small."""
    small = [
        np.asarray(Image.fromarray(f).convert("L").resize((24, 16)), float) for f in (one, other)
    ]
    return float(np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1])


def test_the_camera_moves_within_each_picture_and_goes_on_to_the_next() -> None:
    frames = FILM.frames
    assert len(frames) == SECONDS * FRAMES_PER_SECOND
    assert {frame.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}
    assert all(alike(frames[i], frames[i + 1]) > 0.8 for i in (0, 10, 30))
    assert alike(frames[0], frames[-1]) < 0.8
    assert all(np.array_equal(*pair) for pair in zip(frames, a_film(1).frames, strict=True))


@pytest.mark.parametrize("edit", sorted(FILM_EDITS))
def test_every_edit_is_drawn_from_chance_and_leaves_its_original_alone(edit: str) -> None:
    before = [frame.copy() for frame in FILM.frames]
    first, again = edited(edit), edited(edit)
    assert all(np.array_equal(*pair) for pair in zip(first.frames, again.frames, strict=True))
    assert all(np.array_equal(*pair) for pair in zip(before, FILM.frames, strict=True))
    assert all(side % 2 == 0 for side in first.frames[0].shape[:2]), "x264 takes even sides only"
    assert first.frames[0].dtype == np.uint8


def test_a_mirrored_film_is_turned_and_a_cropped_one_smaller() -> None:
    assert np.array_equal(edited("mirrored").frames[3], FILM.frames[3][:, ::-1])
    height, width = edited("cropped").frames[0].shape[:2]
    assert 0.65 < height * width / (HEIGHT * WIDTH) < 0.75


def test_a_part_keeps_pictures_and_sound_together() -> None:
    cut = part(FILM, random.Random(1), 2.0)
    assert len(cut.frames) == 2 * FRAMES_PER_SECOND
    assert cut.sound is not None
    assert FILM.sound is not None
    assert len(cut.sound) == 2 * RATE_HZ
    at = next(i for i, frame in enumerate(FILM.frames) if frame is cut.frames[0])
    assert np.array_equal(
        cut.sound, FILM.sound[round(at / FRAMES_PER_SECOND * RATE_HZ) :][: 2 * RATE_HZ]
    )
    assert len(part(FILM, random.Random(1), 60.0).frames) == len(FILM.frames)


def test_a_quicker_film_has_all_frames_and_a_sound_of_its_length() -> None:
    quick = edited("quicker")
    assert quick.sound is not None
    assert len(quick.frames) == len(FILM.frames)
    assert len(quick.sound) / RATE_HZ == pytest.approx(len(quick.frames) / quick.rate, abs=0.01)
    assert quick.rate != FILM.rate


def test_sounds_are_swapped_under_the_pictures() -> None:
    assert edited("new_sound").sound is OTHER.sound
    assert edited("new_sound").frames is FILM.frames
    assert edited("borrowed_sound").sound is FILM.sound
    assert edited("borrowed_sound").frames is OTHER.frames
    assert {"new_sound", "borrowed_sound", "inside"} == WITH_ANOTHER_FILM


def test_an_upright_film_holds_the_whole_between_its_bars() -> None:
    frame = edited("upright").frames[0]
    height, width = frame.shape[:2]
    high = round(width * HEIGHT / WIDTH)
    top = (height - high) // 2
    assert alike(frame[top : top + high], FILM.frames[0]) > 0.98


def test_half_a_film_s_size_is_a_quarter_of_its_area() -> None:
    assert half_size(FILM).frames[0].shape[:2] == (HEIGHT // 2, WIDTH // 2)
