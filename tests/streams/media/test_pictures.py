"""`streams.media.pictures`, without the sandbox around it."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageFile, PngImagePlugin

from streams.errors import MediaTooLargeError, UndecodableMediaError
from streams.media import pictures
from streams.media.sampling import OutOfTimeError
from streams.types import Look, MediaKind
from tests.streams.media.pictured import difference, look, photograph, save, scene, watch


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    pictures.prepare()


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_each_format_gives_its_picture(name: str) -> None:
    kept, format_name, count = look(save(scene(), name))
    assert (format_name, count, len(kept.frames)) == (name.lower(), 1, 1)
    assert difference(kept.frames[0], scene()) < 5


def test_sixteen_bit_colours_are_read() -> None:
    rows = b"".join(b"\0" + struct.pack(">HHH", 51200, 0, 65535) * 8 for _ in range(8))
    kept, _, _ = look(png(8, 8, 16, 2, rows))
    assert kept.frames[0].getpixel((3, 3)) == (200, 0, 255)


def test_counting_the_pages_of_a_truncated_picture_loses_no_first() -> None:
    body = save(photograph(), "TIFF", save_all=True, append_images=[photograph()] * 5)
    kept, _, _ = look(body[: len(body) * 6 // 10], max_side=2000)
    assert kept.frames[0].size == (384, 256)


def test_out_of_time_in_the_first_frame_is_told() -> None:
    def limit(_: float) -> None:
        raise OutOfTimeError

    with pytest.raises(OutOfTimeError):
        look(save(scene(), "JPEG"), limit=limit)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0.5, 0.7, 0.9, 0.98])
def test_what_a_truncated_picture_still_shows_is_seen(name: str, share: float) -> None:
    options = {"interlace": 0} if name == "GIF" else {}
    body = save(photograph(), name, **options)
    kept, _, _ = look(body[: int(len(body) * share)], max_side=384)
    rows = int(256 * (share - 0.2))
    got, wanted = kept.frames[0], photograph()
    if name == "BMP":
        got, wanted = got.crop((0, 256 - rows, 384, 256)), wanted.crop((0, 256 - rows, 384, 256))
    top = (0, 0, 384, min(rows, got.height))
    assert difference(got.crop(top), wanted.crop(top)) < 12
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_a_cut_at_any_length_gives_frames_or_is_unreadable(name: str) -> None:
    body = save(photograph(), name)
    for length in sorted({*range(60), *range(0, len(body), max(1, len(body) // 40))}):
        try:
            kept, _, _ = look(body[:length])
        except UndecodableMediaError:
            continue
        assert kept.frames[0].size == (256, 171)


@pytest.mark.parametrize("scan_bytes", [0, 14, 16, 60, 200])
def test_a_header_with_hardly_a_picture_is_unreadable_not_grey(scan_bytes: int) -> None:
    body = save(photograph(), "JPEG")
    with pytest.raises(UndecodableMediaError):
        look(body[: body.index(b"\xff\xda") + scan_bytes])


def test_a_whole_picture_of_one_colour_is_a_picture() -> None:
    kept, _, _ = look(save(Image.new("RGB", (64, 64), "grey"), "JPEG"))
    assert kept.frames[0].getpixel((3, 3)) == (128, 128, 128)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("width", "height"), [(20_000, 20_000), (12_000, 12_000), (7072, 7072), (50_000_001, 1)]
)
def test_too_many_pixels_are_refused_unread(width: int, height: int) -> None:
    with pytest.raises(MediaTooLargeError):
        look(png(width, height, 1, 0, b""))


def test_as_many_pixels_as_allowed_are_read() -> None:
    rows = b"".join([b"\0" + bytes(625) + b"\xff" * 625] * 5000)
    kept, _, _ = look(png(10_000, 5000, 1, 0, rows))
    assert kept.frames[0].size == (256, 128)
    assert kept.frames[0].getpixel((5, 5)) == (0, 0, 0)
    assert kept.frames[0].getpixel((250, 5)) == (255, 255, 255)


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_text_bomb_neither_fills_memory_nor_hides_the_picture(kind: bytes) -> None:
    middle = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}[kind]
    bomb = chunk(kind, middle + zlib.compress(bytes(200 * 2**20), 1))
    rows = b"".join(b"\0" + bytes([40, 90, 160] * 4 + [9, 9, 9] * 4) for _ in range(8))
    kept, _, _ = look(png(8, 8, 8, 2, rows, bomb))
    assert kept.frames[0].getpixel((2, 2)) == (40, 90, 160)


def test_a_wrong_checksum_beside_the_pixels_hides_no_picture() -> None:
    body = bytearray(save(scene(), "PNG", dpi=(72, 72)))
    body[body.index(b"pHYs") + 13] ^= 1
    kept, _, _ = look(bytes(body))
    assert difference(kept.frames[0], scene()) < 1


def test_the_second_picture_of_a_camera_file_is_nobodys_frame() -> None:
    body = save(scene(), "MPO", save_all=True, append_images=[Image.new("RGB", (9, 9))])
    kept, name, count = look(body)
    assert (name, count, len(kept.frames)) == ("jpeg", 1, 1)


GARBAGE = {
    "empty": b"",
    "text": b"not a picture",
    "svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>',
    "html": b"<!doctype html><html><body><img src=x></body></html>",
    "mp4": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(2000),
    "pdf": b"%PDF-1.7\n" + bytes(500),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "psd": b"8BPS\0\1" + bytes(300),
    "m3u8": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/secret\n",
    "zip": b"PK\3\4" + bytes(300),
    "jpeg head": b"\xff\xd8\xff\xe0" + bytes(300),
    "png head": b"\x89PNG\r\n\x1a\n" + bytes(300),
    "gif head": b"GIF89a" + bytes(300),
    "webp head": b"RIFF\xff\xff\xff\xffWEBPVP8X" + bytes(300),
    "ico": save(scene(32, 32), "ICO"),
    "jpeg2000": save(scene(32, 32), "JPEG2000"),
    "ppm": save(scene(32, 32), "PPM"),
}


@pytest.mark.parametrize("kind", sorted(GARBAGE))
def test_what_is_no_accepted_picture_is_unreadable(kind: str) -> None:
    with pytest.raises(UndecodableMediaError):
        look(GARBAGE[kind])


def test_only_the_listed_parsers_are_ever_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    real: Callable[..., Any] = Image.open

    def watched(file: object, **options: object) -> Any:
        asked.append(options["formats"])
        return real(file, **options)

    monkeypatch.setattr(Image, "open", watched)
    look(save(scene(), "PNG"))
    assert asked == [pictures.FORMATS]


def test_warming_up_leaves_no_trace() -> None:
    pictures.warm_up()
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    assert PngImagePlugin.MAX_TEXT_CHUNK == ImageFile.SAFEBLOCK


def test_a_still_picture_gives_its_frame_whatever_is_asked() -> None:
    kept, summary = watch(save(scene(), "PNG"), asked=Look(start_seconds=99, seconds=1))
    assert (summary.kind, len(kept.frames)) == (MediaKind.IMAGE, 1)
