"""`streams.media.rendering`: as it looks to an eye."""

import numpy as np
import pytest
from PIL import Image

from streams.errors import UndecodableMediaError
from streams.media import pictures, rendering
from tests.streams.media.pictured import difference, look, save, scene


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    pictures.prepare()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "L"),
        ("PNG", "1"),
        ("PNG", "P"),
        ("PNG", "LA"),
        ("PNG", "RGBA"),
        ("GIF", "L"),
        ("GIF", "P"),
        ("WEBP", "RGBA"),
        ("TIFF", "CMYK"),
        ("TIFF", "YCbCr"),
        ("TIFF", "1"),
        ("TIFF", "LA"),
        ("BMP", "1"),
        ("BMP", "P"),
    ],
)
def test_each_mode_looks_as_it_does_to_an_eye(name: str, mode: str) -> None:
    kept, _, _ = look(save(scene(mode=mode), name))
    assert difference(kept.frames[0], scene(mode=mode).convert("RGB")) < 8


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_upper_eight(name: str) -> None:
    grey = np.linspace(0, 65535, 256 * 16).reshape(16, 256).astype(np.uint16)
    kept, _, _ = look(save(Image.fromarray(grey), name))
    got = np.asarray(kept.frames[0])[..., 0].astype(int)
    assert np.abs(got - (grey >> 8).astype(int)).max() <= 1


@pytest.mark.parametrize("kind", ["F", "I"])
def test_a_depth_of_unknown_range_is_stretched(kind: str) -> None:
    ramp = np.linspace(-3, 9, 64 * 64).reshape(64, 64)
    array = ramp.astype(np.float32) if kind == "F" else (ramp * 1e6).astype(np.int32)
    kept, _, _ = look(save(Image.fromarray(array), "TIFF"))
    got = np.asarray(kept.frames[0])[..., 0]
    assert (got.min(), got.max()) == (0, 255)


def test_pixels_that_are_no_numbers_are_unreadable() -> None:
    with pytest.raises(UndecodableMediaError):
        look(save(Image.fromarray(np.full((8, 8), np.nan, np.float32)), "TIFF"))


@pytest.mark.parametrize("name", ["PNG", "WEBP", "GIF", "AVIF"])
def test_what_is_transparent_is_white(name: str) -> None:
    image = scene(mode="RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 48, 64))
    kept, _, _ = look(save(image, name))
    assert min(kept.frames[0].getpixel((10, 10))) > 250  # type: ignore[arg-type]
    assert kept.frames[0].getpixel((90, 10))[1] > 180  # type: ignore[index]


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_upright(name: str, orientation: int) -> None:
    stored = scene()
    undo = rendering.TRANSPOSES.get(orientation)
    if undo is not None:
        back = {Image.Transpose.ROTATE_90: 4, Image.Transpose.ROTATE_270: 2}
        stored = stored.transpose(Image.Transpose(back.get(undo, undo)))
    exif = Image.Exif()
    exif[rendering.ORIENTATION_TAG] = orientation
    kept, _, _ = look(save(stored, name, exif=exif))
    assert difference(kept.frames[0], scene()) < 8


def test_exif_that_is_garbage_hides_no_picture() -> None:
    body = save(scene(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff" * 40)
    kept, _, _ = look(body)
    assert difference(kept.frames[0], scene()) < 5


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("size", "fitted"),
    [((1000, 500), (256, 128)), ((500, 1000), (128, 256)), ((256, 100), (256, 100))],
)
def test_no_side_is_longer_than_allowed(
    name: str, size: tuple[int, int], fitted: tuple[int, int]
) -> None:
    kept, _, _ = look(save(scene(*size), name))
    assert kept.frames[0].size == fitted
    assert difference(kept.frames[0], scene(*fitted)) < 5


def test_a_thread_of_a_picture_keeps_a_pixel_of_width() -> None:
    kept, _, _ = look(save(scene(2, 4000), "PNG"))
    assert kept.frames[0].size == (1, 256)
