"""Small films out of still pictures, by a camera that moves, and what uploaders do to them."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from agents.demo import edits
from agents.demo.tunes import RATE_HZ, Samples, faster

Shown: TypeAlias = NDArray[np.uint8]
"""Shape (height, width, 3), RGB."""

WIDTH, HEIGHT = 480, 270
FRAMES_PER_SECOND = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """Pictures in order, and perhaps a sound.

    Args:
        frames: of equal size.
        rate: frames a second.
        sound: None where it is silent.
        loss: x264's constant rate factor: 23 is good, 40 is poor.
    """

    frames: Sequence[Shown]
    rate: float = FRAMES_PER_SECOND
    sound: Samples | None = None
    loss: int = 26


FilmEdit = Callable[[Film, random.Random, Film], Film]
"""Takes a film, where chance comes from and an unrelated film; gives the edited copy."""


def take(pictures: Sequence[Image.Image], seed: int, seconds: float) -> list[Shown]:
    """Move a camera over each picture in turn, from one part of it to another, closer or wider."""
    chance = random.Random(seed)  # noqa: S311 - a camera's way, not a secret
    count = round(seconds * FRAMES_PER_SECOND / len(pictures))
    return [frame for picture in pictures for frame in _shot(picture, chance, count)]


def _shot(picture: Image.Image, chance: random.Random, count: int) -> list[Shown]:
    pixels = np.asarray(picture)
    start, end = _view(picture.size, chance), _view(picture.size, chance)
    shot = []
    for share in np.linspace(0, 1, count):
        x, y, width = (1 - share) * start + share * end
        matrix = np.array([[width / WIDTH, 0, x], [0, width / WIDTH, y]])
        flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
        shot.append(cv2.warpAffine(pixels, matrix, (WIDTH, HEIGHT), flags=flags).astype(np.uint8))
    return shot


def _view(size: tuple[int, int], chance: random.Random) -> NDArray[np.float64]:
    """Choose left, top and width of a part of 16:9 that lies in the picture."""
    width = min(size[0], size[1] * WIDTH / HEIGHT) * chance.uniform(0.6, 0.9)
    left = chance.uniform(0, size[0] - width)
    top = chance.uniform(0, size[1] - width * HEIGHT / WIDTH)
    return np.array([left, top, width])


def cropped(film: Film, chance: random.Random, _: Film) -> Film:
    """Keep 70 % of the area, anywhere."""
    height, width = film.frames[0].shape[:2]
    high, wide = _even(height * 0.84), _even(width * 0.84)
    top, left = chance.randint(0, height - high), chance.randint(0, width - wide)
    return _each(film, lambda frame: frame[top : top + high, left : left + wide])


def mirrored(film: Film, _chance: random.Random, _: Film) -> Film:
    """Turn left to right."""
    return _each(film, lambda frame: frame[:, ::-1])


def small(film: Film, _chance: random.Random, _: Film) -> Film:
    """Encode again with few bits, 240 lines high."""
    size = (_even(240 * WIDTH / HEIGHT), 240)
    return replace(_each(film, lambda frame: _resized(frame, size)), loss=36)


def excerpt(film: Film, chance: random.Random, _: Film) -> Film:
    """Cut out four seconds."""
    return part(film, chance, 4.0)


def part(film: Film, chance: random.Random, seconds: float) -> Film:
    """Cut out so many seconds, anywhere."""
    count = min(len(film.frames), round(seconds * film.rate))
    start = chance.randint(0, len(film.frames) - count)
    first, last = (round(at / film.rate * RATE_HZ) for at in (start, start + count))
    sound = None if film.sound is None else film.sound[first:last]
    return replace(film, frames=film.frames[start : start + count], sound=sound)


def half_size(film: Film) -> Film:
    """Shrink to a quarter of the area."""
    height, width = film.frames[0].shape[:2]
    return _each(film, lambda frame: _resized(frame, (width // 2, height // 2)))


def inside(film: Film, chance: random.Random, other: Film) -> Film:
    """Play it in a window of 60 % of an unrelated film's width."""
    size = (_even(WIDTH * 0.6), _even(HEIGHT * 0.6))
    left, top = chance.randint(0, WIDTH - size[0]), chance.randint(0, HEIGHT - size[1])
    frames = []
    for place, frame in enumerate(film.frames):
        ground = _resized(other.frames[place % len(other.frames)], (WIDTH, HEIGHT)).copy()
        ground[top : top + size[1], left : left + size[0]] = _resized(frame, size)
        frames.append(ground)
    return replace(film, frames=frames)


def new_sound(film: Film, _chance: random.Random, other: Film) -> Film:
    """Play another tune to it."""
    return replace(film, sound=other.sound)


def quicker(film: Film, chance: random.Random, _: Film) -> Film:
    """Play it a fifth faster, or slower by a seventh."""
    speed = chance.choice((1.2, 0.86))
    sound = None if film.sound is None else faster(film.sound, speed)
    return replace(film, rate=film.rate * speed, sound=sound)


def captioned(film: Film, chance: random.Random, _: Film) -> Film:
    """Put stickers and words upon all of it."""
    seed = chance.getrandbits(32)

    def paint(frame: Shown) -> Shown:
        same = random.Random(seed)  # noqa: S311 - the same stickers on every frame
        picture = Image.fromarray(frame)
        return np.asarray(edits.caption(picture, same, picture))

    return _each(film, paint)


def upright(film: Film, _chance: random.Random, _: Film) -> Film:
    """Set it between blurred bars, as for a telephone held upright."""
    width, height = 270, 480
    high = _even(width * HEIGHT / WIDTH)

    def frame_of(frame: Shown) -> Shown:
        ground = Image.fromarray(_resized(frame, (width, height)))
        page = np.array(ground.filter(ImageFilter.GaussianBlur(12)))
        top = (height - high) // 2
        page[top : top + high] = _resized(frame, (width, high))
        return page

    return _each(film, frame_of)


def borrowed_sound(film: Film, _chance: random.Random, other: Film) -> Film:
    """Play its sound to an unrelated film: a copy for the ear alone."""
    return replace(other, sound=film.sound)


FILM_EDITS: Mapping[str, FilmEdit] = {
    "cropped": cropped,
    "mirrored": mirrored,
    "small": small,
    "excerpt": excerpt,
    "inside": inside,
    "new_sound": new_sound,
    "quicker": quicker,
    "captioned": captioned,
    "upright": upright,
    "borrowed_sound": borrowed_sound,
}

WITH_ANOTHER_FILM = frozenset({"inside", "new_sound", "borrowed_sound"})


def _each(film: Film, change: Callable[[Shown], Shown]) -> Film:
    return replace(film, frames=[change(frame) for frame in film.frames])


def _resized(frame: Shown, size: tuple[int, int]) -> Shown:
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _even(length: float) -> int:
    return 2 * round(length / 2)
