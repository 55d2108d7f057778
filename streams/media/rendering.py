"""A decoded picture made RGB, upright and small. Only ever runs in a locked child."""

import math
from typing import cast

from PIL import Image
from PIL.Image import Resampling, Transpose

from streams.errors import MediaTooLargeError, UndecodableMediaError

MAX_PIXELS = 50_000_000
"""Of one picture: 200 MB as RGBA. Pillow itself only warns up to 179 million, which took 707 MB."""

SHRINK = Resampling.HAMMING
"""As sharp as bicubic when shrinking, in 8.6 against 13.8 ms for one megapixel (Pillow 13.0)."""

ORIENTATION_TAG = 0x0112
TRANSPOSES = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""EXIF 2.32, tag 274, to the turn that undoes it."""


def check_pixels(image: Image.Image) -> None:
    """Raise `MediaTooLargeError` for more than `MAX_PIXELS`."""
    if image.width * image.height > MAX_PIXELS:
        raise MediaTooLargeError(f"more than {MAX_PIXELS} pixels")


def render(image: Image.Image, max_side: int) -> Image.Image:
    """Make the current frame an upright RGB picture that fits; the image itself stays."""
    check_pixels(image)
    image.draft(None, fit(image.size, max_side))  # JPEG only: decodes at a half, quarter, eighth
    image.load()
    plain = _to_plain_mode(image)
    size = fit(plain.size, max_side)
    if size != plain.size:
        plain = plain.resize(size, SHRINK, reducing_gap=2.0)
    return _turn(_on_white(plain), _read_orientation(image))


def fit(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Tell the size, of at least one pixel each way, that has no side above `max_side`."""
    ratio = min(1.0, max_side / max(size))
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def _to_plain_mode(image: Image.Image) -> Image.Image:
    """Convert to L, RGB, CMYK or, where anything is transparent, RGBA."""
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in {"L", "RGB", "CMYK"}:
        return image
    if image.mode == "F" or image.mode.startswith("I"):
        return _to_eight_bits(image)
    return image.convert("L" if image.mode == "1" else "RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """16 bits keep their upper 8; deeper ones, whose range nobody knows, are stretched."""
    extremes = (0, 65535) if ";16" in image.mode else image.getextrema()
    low, high = cast("tuple[float, float]", extremes)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UndecodableMediaError("pixels that are no numbers")
    scale = 255 / (high - low) if high > low else 0.0
    wide = image if image.mode == "F" else image.convert("I").convert("F")
    return wide.point(lambda value: value * scale + (-low * scale)).convert("L")


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image if image.mode == "RGB" else image.convert("RGB")
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(image, mask=image.getchannel("A"))
    return canvas


def _read_orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - hostile EXIF must not hide a picture
        return 1


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    turn = TRANSPOSES.get(orientation)
    return image if turn is None else image.transpose(turn)
