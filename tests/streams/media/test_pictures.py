"""`streams.media.pictures`, without the sandbox around it."""

import io
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile, PngImagePlugin

from streams.errors import MediaTooLargeError, UndecodableMediaError
from streams.media import pictures, rendering
from streams.media.frames import Limits, Summary
from streams.media.pictures import decode
from streams.media.sampling import OutOfTimeError, choose_frames
from streams.types import Look, MediaKind

SIDE = 256


@dataclass(slots=True)
class Kept:
    """A sink that keeps pictures."""

    frames: list[Image.Image] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def add(self, width: int, height: int, strips: Iterable[bytes], at_seconds: float) -> None:
        self.frames.append(Image.frombytes("RGB", (width, height), b"".join(strips)))
        self.times.append(at_seconds)

    def keep(self, frames: int) -> None:
        del self.frames[frames:]
        del self.times[frames:]


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    pictures.prepare()


def look(
    body: bytes,
    *,
    max_side: int = SIDE,
    max_frames: int = 4,
    most: int = 96,
    asked: Look | None = None,
    limit: Any = lambda _: None,
) -> tuple[Kept, str, int]:
    kept, summary = watch(
        body, max_side=max_side, max_frames=max_frames, most=most, asked=asked, limit=limit
    )
    return kept, summary.format, summary.frame_count


def watch(
    body: bytes,
    *,
    max_side: int = SIDE,
    max_frames: int = 4,
    most: int = 96,
    asked: Look | None = None,
    limit: Any = lambda _: None,
) -> tuple[Kept, Summary]:
    kept = Kept()
    limits = Limits(
        max_side=max_side, max_frames=max_frames, video_side=max_side, max_video_frames=most
    )
    return kept, decode(body, kept, limits=limits, look=asked, limit_cpu=limit)


def scene(width: int = 96, height: int = 64, mode: str = "RGB") -> Image.Image:
    """A picture whose four corners tell its orientation: red, green, blue, grey."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (200, 30, 30)
    pixels[: height // 2, width // 2 :] = (30, 200, 30)
    pixels[height // 2 :, : width // 2] = (30, 30, 200)
    pixels[height // 2 :, width // 2 :] = (120, 120, 120)
    return Image.fromarray(pixels).convert(mode)


def save(image: Image.Image, name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def difference(one: Image.Image, other: Image.Image) -> float:
    assert one.size == other.size
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_each_format_gives_its_picture(name: str) -> None:
    kept, format_name, count = look(save(scene(), name))
    assert (format_name, count, len(kept.frames)) == (name.lower(), 1, 1)
    assert difference(kept.frames[0], scene()) < 5


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


def test_sixteen_bit_colours_are_read() -> None:
    rows = b"".join(b"\0" + struct.pack(">HHH", 51200, 0, 65535) * 8 for _ in range(8))
    kept, _, _ = look(png(8, 8, 16, 2, rows))
    assert kept.frames[0].getpixel((3, 3)) == (200, 0, 255)


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


def clip(frames: int, name: str, *, size: int = 32, **options: Any) -> bytes:
    """Frames whose grey is 5 times their place."""
    pages = [Image.new("L", (size, size), 5 * place).convert("RGB") for place in range(frames)]
    return save(pages[0], name, save_all=True, append_images=pages[1:], **options)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_an_animation_gives_evenly_spread_frames_and_its_true_count(name: str) -> None:
    options: dict[str, Any] = {} if name == "TIFF" else {"duration": 100}
    if name == "WEBP":
        options |= {"lossless": True}
    kept, _, count = look(clip(31, name, **options))
    assert count == 31
    greys = [frame.getpixel((5, 5))[0] for frame in kept.frames]  # type: ignore[index]
    assert greys == pytest.approx([0, 50, 100, 150], abs=4)
    if options:
        assert kept.times == pytest.approx([0.0, 1.0, 2.0, 3.0])
    else:
        assert kept.times == [0.0] * 4


@pytest.mark.parametrize("name", ["GIF", "WEBP"])
def test_a_short_animation_gives_all_of_it(name: str) -> None:
    kept, _, count = look(clip(3, name, duration=10))
    assert (count, len(kept.frames)) == (3, 3)


def test_one_frame_is_enough_where_one_is_asked_for() -> None:
    kept, _, count = look(clip(9, "GIF", duration=10), most=1)
    assert (count, len(kept.frames)) == (9, 1)


def test_counting_the_pages_of_a_truncated_picture_loses_no_first() -> None:
    body = save(photograph(), "TIFF", save_all=True, append_images=[photograph()] * 5)
    kept, _, _ = look(body[: len(body) * 6 // 10], max_side=2000)
    assert kept.frames[0].size == (384, 256)


def test_frames_that_are_promised_and_missing_move_the_choice() -> None:
    body = clip(31, "PNG", duration=100)
    place = body.index(b"acTL")
    data = struct.pack(">II", 1_000_000, 0)
    forged = b"acTL" + data + struct.pack(">I", zlib.crc32(b"acTL" + data))
    kept, _, count = look(body[:place] + forged + body[place + 16 :])
    assert count == 31
    assert len(kept.frames) == 4
    assert kept.frames[3].getpixel((5, 5))[0] == pytest.approx(150, abs=4)  # type: ignore[index]


def test_a_truncated_animation_keeps_what_is_whole() -> None:
    body = clip(31, "GIF", duration=100)
    kept, _, count = look(body[: len(body) * 2 // 3])
    assert 10 <= count < 31
    assert len(kept.frames) >= 4


def test_out_of_time_in_an_animation_keeps_the_first_frame() -> None:
    limits: list[float] = []

    def limit(seconds: float) -> None:
        limits.append(seconds)

    class Slow(Kept):
        def add(self, *arguments: Any) -> None:
            super().add(*arguments)
            if len(self.frames) == 2:
                raise OutOfTimeError

    kept = Slow()
    body = clip(31, "GIF", duration=100)
    count = decode(body, kept, limit_cpu=limit).frame_count
    assert (count, len(kept.frames)) == (31, 2)
    assert limits == [pictures.FIRST_FRAME_CPU_SECONDS, pictures.MORE_FRAMES_CPU_SECONDS]


def test_out_of_time_in_the_first_frame_is_told() -> None:
    def limit(_: float) -> None:
        raise OutOfTimeError

    with pytest.raises(OutOfTimeError):
        look(save(scene(), "JPEG"), limit=limit)


def photograph() -> Image.Image:
    rng = np.random.default_rng(5)
    coarse = Image.fromarray(rng.integers(0, 255, (8, 12, 3), np.uint8))
    return coarse.resize((384, 256), Image.Resampling.BICUBIC)


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


def test_warming_up_leaves_no_trace() -> None:
    pictures.warm_up()
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    assert PngImagePlugin.MAX_TEXT_CHUNK == ImageFile.SAFEBLOCK


def test_an_animation_is_a_video_with_its_times_as_viewers_show_them() -> None:
    kept, summary = watch(clip(40, "GIF", duration=200), asked=Look(frames_per_second=1))
    assert (summary.kind, summary.frame_count) == (MediaKind.VIDEO, 40)
    assert (summary.duration_seconds, summary.looked_until_seconds) == pytest.approx((8.0, 8.0))
    assert kept.times == pytest.approx([0, 1, 2, 2.6, 3, 4, 5, 5.2, 6, 7, 7.8])


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP"])
def test_frames_without_a_duration_are_spread_evenly(name: str) -> None:
    kept, summary = watch(clip(31, name, duration=0))
    assert summary.duration_seconds == pytest.approx(3.1)
    assert {0.0, 1.0, 2.0, 3.0} <= {round(at, 6) for at in kept.times}


def test_a_part_of_an_animation_is_taken() -> None:
    body = clip(40, "GIF", duration=500)
    asked = Look(start_seconds=5.2, seconds=4.0, frames_per_second=1)
    kept, summary = watch(body, asked=asked)
    assert kept.times[0] == pytest.approx(5.2)
    assert all(5.2 <= at < 9.2 for at in kept.times)
    assert summary.looked_until_seconds >= 9.2
    assert kept.frames[0].getpixel((5, 5))[0] == pytest.approx(50, abs=4)  # type: ignore[index]


def test_a_part_after_the_end_of_an_animation_is_unreadable() -> None:
    with pytest.raises(UndecodableMediaError):
        watch(clip(5, "GIF", duration=100), asked=Look(start_seconds=60))


def test_an_animation_longer_than_the_cap_says_how_far_it_was_seen() -> None:
    body = clip(40, "GIF", duration=1000)
    kept, summary = watch(body, most=5)
    assert len(kept.frames) == 5
    assert summary.looked_until_seconds == pytest.approx(5.0)
    rest, _ = watch(body, most=96, asked=Look(start_seconds=summary.looked_until_seconds))
    assert len(rest.frames) == 35


def test_a_standing_animation_gives_a_frame_each_ten_seconds() -> None:
    pages = [Image.effect_noise((40, 40), 9).convert("RGB")] * 50
    marked = [page.copy() for page in pages]
    for place, page in enumerate(marked):
        page.putpixel((0, 0), (place, 0, 0))
    body = save(marked[0], "PNG", save_all=True, append_images=marked[1:], duration=500)
    kept, summary = watch(body)
    assert summary.duration_seconds == pytest.approx(25.0)
    assert kept.times == pytest.approx([0.0, 10.0, 20.0])


def test_a_still_picture_gives_its_frame_whatever_is_asked() -> None:
    kept, summary = watch(save(scene(), "PNG"), asked=Look(start_seconds=99, seconds=1))
    assert (summary.kind, len(kept.frames)) == (MediaKind.IMAGE, 1)
