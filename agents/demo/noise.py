"""Smooth random surfaces and palettes: what the drawn pictures are made of."""

import colorsys

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""Shape (height, width), 0..1."""
Colour = tuple[int, int, int]


def fractal(
    random: np.random.Generator, height: int, width: int, *, cells: int = 3, octaves: int = 5
) -> Field:
    """Sum value noise of doubling frequency and halving strength, stretched to 0..1."""
    total = np.zeros((height, width), np.float32)
    strength = 1.0
    for octave in range(octaves):
        count = cells * 2**octave
        rows = max(2, round(count * height / max(height, width)) + 1)
        columns = max(2, round(count * width / max(height, width)) + 1)
        coarse = random.random((rows, columns), dtype=np.float32)
        total += strength * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        strength *= 0.5
    low, high = float(total.min()), float(total.max())
    stretched: Field = (total - low) / (high - low + 1e-9)
    return stretched


def profile(random: np.random.Generator, width: int, *, cells: int, octaves: int = 6) -> Field:
    """One row of noise, 0..1: a ridge, a shore."""
    return np.asarray(fractal(random, 2, width, cells=cells, octaves=octaves)[0], np.float32)


def blend(first: Colour, second: Colour, share: Field) -> NDArray[np.float32]:
    """Mix two colours by a field: shape (height, width, 3)."""
    start, end = np.array(first, np.float32), np.array(second, np.float32)
    return np.asarray(start + (end - start) * share[..., None], np.float32)


def palette(random: np.random.Generator, count: int) -> list[Colour]:
    """Draw colours that go together: hues around one or two centres, any lightness."""
    centre = random.random()
    spread = random.choice([0.06, 0.15, 0.5])
    return [
        hsv(
            centre + random.uniform(-spread, spread),
            random.uniform(0.15, 0.95),
            random.uniform(0.2, 1),
        )
        for _ in range(count)
    ]


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Name a colour; hue wraps, the others are 0..1."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return int(red * 255), int(green * 255), int(blue * 255)
