"""Drawn pictures: landscapes, cities, flowers, planets and patterns, all from a seed."""

import math
from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from agents.demo.noise import Colour, blend, fractal, hsv, palette, profile

Painter = Callable[[np.random.Generator, int, int], Image.Image]
"""Takes where chance comes from, a width and a height."""


def draw(kind: str, seed: int) -> Image.Image:
    """Draw the picture that a seed names, 480 to 900 pixels a side.

    Args:
        kind: a key of `SCENES`.
        seed: equal seeds give equal pictures.
    """
    random = np.random.default_rng([seed, *kind.encode()])
    long, ratio = int(random.integers(640, 900)), random.choice([0.56, 0.66, 0.75, 0.8, 1.0])
    short = max(480, int(long * ratio))
    width, height = (long, short) if random.random() < 0.65 else (short, long)
    return SCENES[kind](random, width, height)


def landscape(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """Sky with clouds and a sun, three to six ranges of hills, perhaps a lake."""
    picture = _sky(random, width, height)
    near, far = palette(random, 2)
    layers = int(random.integers(3, 7))
    rows = np.arange(height, dtype=np.float32)[:, None]
    for layer in range(layers):
        depth = (layer + 1) / layers
        cells = int(random.integers(2, 7)) if random.random() < 0.7 else 12
        top = height * (0.3 + 0.5 * depth * random.uniform(0.6, 1))
        ridge = top - profile(random, width, cells=cells) * height * random.uniform(0.1, 0.45)
        grain = fractal(random, height, width, cells=14, octaves=4)
        colour = blend(far, near, np.full((height, width), depth, np.float32))
        colour *= 0.55 + 0.6 * grain[..., None]
        picture = np.where((rows > ridge[None, :])[..., None], colour, picture)
    image = _image(picture)
    if random.random() < 0.45:
        _add_lake(random, image)
    if random.random() < 0.6:
        _add_trees(random, image)
    return image


def city(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """A skyline in several rows, with lit windows."""
    image = _image(_sky(random, width, height))
    pen = ImageDraw.Draw(image)
    for row in range(int(random.integers(2, 5))):
        shade = palette(random, 1)[0]
        left = -int(random.integers(0, 60))
        while left < width:
            wide = int(random.integers(28, 150))
            top = int(height * random.uniform(0.12 + 0.16 * row, 0.55 + 0.12 * row))
            tone = tuple(int(part * random.uniform(0.35, 1)) for part in shade)
            pen.rectangle((left, top, left + wide, height), fill=tone)
            _add_roof(random, pen, (left, top, wide), tone)
            _add_windows(random, pen, (left, top, wide, height))
            left += wide + int(random.integers(-8, 26))
    return image


def flowers(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """Flowers of many petals before leaves out of focus."""
    ground = fractal(random, height, width, cells=int(random.integers(3, 9)), octaves=4)
    image = _image(blend(*_two(random), ground)).filter(ImageFilter.GaussianBlur(3))
    pen = ImageDraw.Draw(image)
    for _ in range(int(random.integers(1, 9))):
        size = random.uniform(0.08, 0.34) * min(width, height)
        x, y = random.uniform(0.1, 0.9) * width, random.uniform(0.1, 0.9) * height
        pen.line((x, y, x + random.uniform(-80, 80), height), fill=hsv(0.3, 0.7, 0.35), width=7)
        _add_flower(random, pen, (x, y), size)
    return image


def planets(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """Shaded spheres with weather, before stars and a nebula."""
    cloud = fractal(random, height, width, cells=3)
    picture = blend((4, 4, 12), palette(random, 1)[0], (cloud**3).astype(np.float32))
    stars = random.random((height, width)) > 0.9985
    picture[cv2.dilate(stars.astype(np.uint8), np.ones((2, 2), np.uint8)) > 0] = 235
    for _ in range(int(random.integers(1, 5))):
        _add_sphere(random, picture)
    return _image(picture)


def shapes(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """Figures of many kinds over a gradient: a poster."""
    colours = palette(random, 6)
    image = _image(blend(colours[0], colours[1], _gradient(random, width, height)))
    pen = ImageDraw.Draw(image, "RGBA")
    for _ in range(int(random.integers(12, 40))):
        colour = (*colours[int(random.integers(2, 6))], int(random.integers(110, 256)))
        _add_figure(random, pen, (width, height), colour)
    return image


def marble(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """Veins of warped noise in a palette of five."""
    warp = 120 * (fractal(random, height, width, cells=3) - 0.5)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = random.uniform(0, math.pi)
    across = (columns * math.cos(angle) + rows * math.sin(angle)) / random.uniform(25, 90)
    veins = (np.sin(across + warp / random.uniform(5, 25)) + 1) / 2
    stops = np.array(palette(random, 5), np.float32)
    place = np.clip(veins * 4, 0, 3.999)
    index, share = place.astype(int), (place % 1)[..., None]
    return _image(stops[index] * (1 - share) + stops[index + 1] * share)


def mosaic(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """Cells around random points, each in its colour."""
    count = int(random.integers(40, 260))
    seeds = np.full((height, width), 255, np.uint8)
    seeds[random.integers(0, height, count), random.integers(0, width, count)] = 0
    _, nearest = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    strength = random.uniform(0.4, 1.1, (count + 1, 1))
    colours = np.array(palette(random, count + 1), np.float32) * strength
    picture = colours[nearest]
    picture[cv2.Laplacian(nearest.astype(np.float32), cv2.CV_32F) != 0] = 25
    return _image(picture)


def shore(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """An island coast seen from above: depth, sand, woods, rock, snow."""
    ground = fractal(random, height, width, cells=int(random.integers(2, 6)), octaves=7)
    levels = np.array([0, 0.38, 0.46, 0.5, 0.68, 0.85, 1]) + random.uniform(-0.08, 0.08)
    sea, sand, wood = hsv(random.uniform(0.45, 0.65), 0.8, 0.6), (222, 205, 150), palette(random, 1)
    tones = [(10, 25, 70), sea, sand, wood[0], hsv(random.random(), 0.4, 0.4), (120, 110, 105)]
    colours = np.array([*tones, (245, 245, 250)], np.float32)
    picture = np.stack([np.interp(ground, levels, colours[:, part]) for part in range(3)], axis=-1)
    light = cv2.Sobel(ground, cv2.CV_32F, 1, 1, ksize=5)
    return _image(picture * (1 + np.clip(light, -0.5, 0.5))[..., None])


SCENES: Mapping[str, Painter] = {
    "landscape": landscape,
    "city": city,
    "flowers": flowers,
    "planets": planets,
    "shapes": shapes,
    "marble": marble,
    "mosaic": mosaic,
    "shore": shore,
}


def _image(picture: NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8), "RGB")


def _two(random: np.random.Generator) -> tuple[Colour, Colour]:
    first, second = palette(random, 2)
    return first, second


def _gradient(random: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = random.uniform(0, 2 * math.pi)
    field = columns / width * math.cos(angle) + rows / height * math.sin(angle)
    low, high = float(field.min()), float(field.max())
    return np.asarray((field - low) / (high - low), np.float32)


def _sky(random: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    top, bottom = _two(random)
    down = np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None], width, axis=1)
    picture = blend(top, bottom, down)
    if random.random() < 0.6:
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        x, y = random.uniform(0.1, 0.9) * width, random.uniform(0.05, 0.5) * height
        radius = random.uniform(0.03, 0.14) * min(width, height)
        distance = np.hypot(columns - x, rows - y)
        glow = np.exp(-((distance / (3 * radius)) ** 2)) * 110
        picture = np.where((distance < radius)[..., None], 250, picture + glow[..., None])
    clouds = fractal(random, height, width, cells=int(random.integers(2, 8)), octaves=6)
    share = np.clip((clouds - random.uniform(0.35, 0.75)) * 3, 0, 0.9)[..., None]
    return np.asarray(picture * (1 - share) + 240 * share, np.float32)


def _add_lake(random: np.random.Generator, image: Image.Image) -> None:
    width, height = image.size
    shore_at = int(height * random.uniform(0.62, 0.85))
    mirrored = image.crop((0, 2 * shore_at - height, width, shore_at))
    water = mirrored.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    tint = Image.new("RGB", water.size, hsv(random.uniform(0.5, 0.65), 0.6, 0.5))
    image.paste(Image.blend(water, tint, 0.35).filter(ImageFilter.BoxBlur(2)), (0, shore_at))


def _add_trees(random: np.random.Generator, image: Image.Image) -> None:
    width, height = image.size
    pen = ImageDraw.Draw(image)
    colour = hsv(random.uniform(0.2, 0.45), 0.6, random.uniform(0.1, 0.4))
    for _ in range(int(random.integers(2, 26))):
        x, foot = random.uniform(0, width), height * random.uniform(0.72, 1.0)
        tall = height * random.uniform(0.08, 0.42)
        for step in range(5):
            top = foot - tall * (0.25 + 0.15 * step + 0.15)
            half = tall * 0.22 * (1 - 0.17 * step)
            pen.polygon(
                [(x - half, top + tall * 0.25), (x + half, top + tall * 0.25), (x, top)],
                fill=colour,
            )
        pen.rectangle((x - 3, foot - tall * 0.2, x + 3, foot), fill=(60, 40, 25))


def _add_roof(
    random: np.random.Generator,
    pen: ImageDraw.ImageDraw,
    house: tuple[int, int, int],
    tone: tuple[int, ...],
) -> None:
    left, top, wide = house
    kind = random.integers(0, 4)
    if kind == 0:
        pen.polygon(
            [(left, top), (left + wide, top), (left + wide // 2, top - wide // 2)], fill=tone
        )
    elif kind == 1:
        pen.line((left + wide // 2, top, left + wide // 2, top - wide), fill=tone, width=4)
    elif kind == 2:
        pen.ellipse((left, top - wide // 3, left + wide, top + wide // 3), fill=tone)


def _add_windows(
    random: np.random.Generator, pen: ImageDraw.ImageDraw, house: tuple[int, int, int, int]
) -> None:
    left, top, wide, bottom = house
    step_x, step_y = int(random.integers(10, 26)), int(random.integers(12, 34))
    lit, share = hsv(random.uniform(0.08, 0.18), 0.6, 1), random.uniform(0.1, 0.9)
    for y in range(top + 8, bottom, step_y):
        for x in range(left + 6, left + wide - step_x // 2, step_x):
            colour = lit if random.random() < share else (25, 28, 40)
            pen.rectangle((x, y, x + step_x // 2, y + step_y // 2), fill=colour)


def _add_flower(
    random: np.random.Generator, pen: ImageDraw.ImageDraw, centre: tuple[float, float], size: float
) -> None:
    x, y = centre
    petals, turn = int(random.integers(5, 15)), random.uniform(0, math.pi)
    outer, inner = palette(random, 2)
    for ring, colour in ((1.0, outer), (0.62, inner)):
        for petal in range(petals):
            angle = turn + 2 * math.pi * petal / petals + (1 - ring)
            reach, half = size * ring, size * ring * random.uniform(0.16, 0.26)
            tip_x, tip_y = x + reach * math.cos(angle), y + reach * math.sin(angle)
            mid_x, mid_y = (x + 1.3 * tip_x) / 2.3, (y + 1.3 * tip_y) / 2.3
            side_x, side_y = -math.sin(angle) * half, math.cos(angle) * half
            corners = [(x, y), (mid_x + side_x, mid_y + side_y), (tip_x, tip_y)]
            pen.polygon(
                [*corners, (mid_x - side_x, mid_y - side_y)], fill=colour, outline=(30, 25, 30)
            )
    heart = size * random.uniform(0.12, 0.3)
    pen.ellipse((x - heart, y - heart, x + heart, y + heart), fill=hsv(random.random(), 0.8, 0.7))


def _add_sphere(random: np.random.Generator, picture: NDArray[np.float32]) -> None:
    height, width = picture.shape[:2]
    radius = random.uniform(0.08, 0.36) * min(width, height)
    x, y = random.uniform(0.1, 0.9) * width, random.uniform(0.1, 0.9) * height
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = (columns - x) / radius, (rows - y) / radius
    inside = across**2 + down**2 < 1
    depth = np.sqrt(np.clip(1 - across**2 - down**2, 0, 1))
    angle = random.uniform(0, 2 * math.pi)
    light = np.clip(across * math.cos(angle) + down * math.sin(angle) + 0.8 * depth, 0.06, 1)
    bands = np.sin(down * random.uniform(2, 16) + 3 * fractal(random, height, width, cells=5))
    colour = blend(*_two(random), ((bands + 1) / 2).astype(np.float32))
    picture[inside] = (colour * light[..., None])[inside]


def _add_figure(
    random: np.random.Generator,
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    colour: tuple[int, int, int, int],
) -> None:
    width, height = size
    x, y = random.uniform(0, width), random.uniform(0, height)
    reach = random.uniform(0.04, 0.3) * min(size)
    kind = random.integers(0, 4)
    if kind == 0:
        pen.ellipse((x - reach, y - reach * 0.7, x + reach, y + reach * 0.7), fill=colour)
    elif kind == 1:
        corners = random.uniform(-reach, reach, (int(random.integers(3, 7)), 2))
        pen.polygon([(x + float(a), y + float(b)) for a, b in corners], fill=colour)
    elif kind == 2:
        turn = random.uniform(0, 360)
        pen.arc(
            (x - reach, y - reach, x + reach, y + reach), turn, turn + 220, fill=colour, width=12
        )
    else:
        end_x, end_y = random.uniform(0, width), random.uniform(0, height)
        pen.line((x, y, end_x, end_y), fill=colour, width=int(random.integers(2, 16)))
