"""Bytes to pictures, with Pillow. Only ever runs in a locked child; see `streams.media.zygote`."""

import io
import math
import warnings
from collections.abc import Callable, Iterable
from typing import Protocol, cast

from PIL import AvifImagePlugin, Image, ImageChops, ImageFile
from PIL.Image import Resampling, Transpose

from streams.errors import MediaTooLargeError, UndecodableMediaError

MAX_PIXELS = 50_000_000
"""Of one picture: 200 MB as RGBA. Pillow itself only warns up to 179 million, which took 707 MB."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""What hosts serve as pictures; Pillow's other parsers are never tried."""

MOVING_FORMATS = frozenset({"PNG", "WEBP", "GIF", "TIFF", "AVIF"})
"""May hold several frames. A JPEG's further pictures (MPO: depth, gain map) are shown by nobody."""

FIRST_FRAME_CPU_SECONDS = 10.0
MORE_FRAMES_CPU_SECONDS = 3.0
"""For all frames after the first: an animation may be heavy, but never loses its first frame."""

MIN_SEEN_SHARE = 0.05
"""Of a truncated picture: a decoder fills the rest with grey or black, which matches nothing."""

MAX_FRAME_MS = 3_600_000.0

STRIP_ROWS = 16

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


class OutOfTimeError(BaseException):
    """The CPU budget is spent. No parser's `except Exception` must swallow it."""


class Sink(Protocol):
    """Where frames go."""

    def add(self, width: int, height: int, strips: Iterable[bytes], at_seconds: float) -> None:
        """Append a frame."""
        ...

    def keep(self, frames: int) -> None:
        """Forget all but the first ones."""
        ...


def prepare() -> None:
    """Set Pillow's limits for this process, and load every plugin before it is locked."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a locked child cannot make threads
    Image.init()


def warm_up() -> None:
    """Decode one small picture of each format: Pillow imports more while it works."""
    sample = Image.new("RGB", (16, 16), "red")
    turned = Image.Exif()
    turned[ORIENTATION_TAG] = 6
    for name in FORMATS:
        file = io.BytesIO()
        sample.save(file, name, exif=turned)
        for body in (file.getvalue(), file.getvalue()[:-20]):
            try:
                decode(body, _Nowhere(), max_side=8, max_frames=2, limit_cpu=lambda _: None)
            except UndecodableMediaError:
                continue


class _Nowhere:
    def add(self, width: int, height: int, strips: Iterable[bytes], at_seconds: float) -> None:
        pass

    def keep(self, frames: int) -> None:
        pass


def decode(
    body: bytes,
    sink: Sink,
    *,
    max_side: int,
    max_frames: int,
    limit_cpu: Callable[[float], None],
) -> tuple[str, int]:
    """Put a picture's first frame, then evenly spread further ones, into the sink.

    Frames are RGB, upright, no side longer than `max_side`, transparency on white. What a
    truncated file still holds is used; out of time, the frames so far are.

    Args:
        body: the file.
        sink: takes at most `max_frames` frames.
        max_side: in pixels.
        max_frames: at least 1.
        limit_cpu: raises `OutOfTimeError` in this thread after so many seconds of CPU.

    Returns:
        The format, lower case, and how many frames the file holds.

    Raises:
        MediaTooLargeError: more than `MAX_PIXELS`.
        UndecodableMediaError: nothing to see in these bytes.
        OutOfTimeError: before the first frame was done.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        limit_cpu(FIRST_FRAME_CPU_SECONDS)
        image, first = _read_first(body, max_side)
        _put(sink, first, 0.0)
        name = "JPEG" if image.format == "MPO" else str(image.format)
        if name not in MOVING_FORMATS:
            return name.lower(), 1
        limit_cpu(MORE_FRAMES_CPU_SECONDS)
        return name.lower(), _Frames(image, sink, max_side, max_frames).put_rest()


def _read_first(body: bytes, max_side: int) -> tuple[Image.Image, Image.Image]:
    """Open and render, a second time leniently where the strict way fails."""
    try:
        image = _open(body)
        return image, _render(image, max_side)
    except (MediaTooLargeError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - parsers of hostile bytes raise anything
        image, picture = _read_leniently(body, max_side)
    if _seen_share(picture) < MIN_SEEN_SHARE:
        raise UndecodableMediaError("cut off before anything can be seen")
    return image, picture


def _seen_share(picture: Image.Image) -> float:
    """Tell how much of a cut-off picture is not filling, which its first or last pixel shows."""
    size, shares = picture.size, []
    for corner in ((0, 0), (size[0] - 1, size[1] - 1)):
        filling = Image.new("RGB", size, cast("tuple[int, int, int]", picture.getpixel(corner)))
        left, top, right, bottom = ImageChops.difference(picture, filling).getbbox() or (0, 0, 0, 0)
        shares.append((right - left) * (bottom - top) / (size[0] * size[1]))
    return min(shares)


def _read_leniently(body: bytes, max_side: int) -> tuple[Image.Image, Image.Image]:
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        image = _open(body)
        return image, _render(image, max_side)
    except (MediaTooLargeError, MemoryError):
        raise
    except Exception as error:
        raise UndecodableMediaError("no decoder accepts these bytes") from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _open(body: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(body), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaTooLargeError(f"more than {MAX_PIXELS} pixels") from error
    _check_pixels(image)
    return image


def _check_pixels(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise MediaTooLargeError(f"more than {MAX_PIXELS} pixels")


def _render(image: Image.Image, max_side: int) -> Image.Image:
    """Make the current frame an upright RGB picture that fits; the image itself stays."""
    _check_pixels(image)
    image.draft(None, _fit(image.size, max_side))  # JPEG only: decodes at a half, quarter, eighth
    image.load()
    plain = _to_plain_mode(image)
    size = _fit(plain.size, max_side)
    if size != plain.size:
        plain = plain.resize(size, SHRINK, reducing_gap=2.0)
    return _turn(_on_white(plain), _read_orientation(image))


def _fit(size: tuple[int, int], max_side: int) -> tuple[int, int]:
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


def _put(sink: Sink, picture: Image.Image, at_seconds: float) -> None:
    """Hand over in strips: a fresh page costs more here than copying it."""
    width, height = picture.size
    tops = range(0, height, STRIP_ROWS)
    rows = (picture.crop((0, top, width, min(top + STRIP_ROWS, height))) for top in tops)
    sink.add(width, height, (strip.tobytes() for strip in rows), at_seconds)


def choose_frames(count: int, max_frames: int) -> tuple[int, ...]:
    """Choose evenly spread frames, the first and the last among them.

    Returns:
        At most `max_frames` of `range(count)`, rising, without repetition.
    """
    if count <= max_frames:
        return tuple(range(count))
    steps = max(1, max_frames - 1)
    return tuple(round(step * (count - 1) / steps) for step in range(max_frames))


class _Frames:
    """The frames after the first."""

    def __init__(self, image: Image.Image, sink: Sink, max_side: int, max_frames: int) -> None:
        self._image = image
        self._sink = sink
        self._max_side = max_side
        self._max_frames = max_frames

    def put_rest(self) -> int:
        """Put them, as far as time, memory and the file allow; return how many there are."""
        count = 1
        try:
            count = max(1, int(getattr(self._image, "n_frames", 1)))
            reached = self._walk(count)
            if reached < count:  # the file promised more than it holds: spread again
                count = reached
                self._sink.keep(1)
                self._image.seek(0)
                self._walk(count)
        except (OutOfTimeError, MemoryError):
            return count
        except Exception:  # noqa: BLE001 - the first frame stands, whatever the others do
            return count
        return count

    def _walk(self, count: int) -> int:
        """Visit frame after frame; return the number of frames that could be read."""
        wanted = set(choose_frames(count, self._max_frames))
        at_ms = _frame_ms(self._image)
        for index in range(1, count):
            try:
                self._image.seek(index)
                if index in wanted:
                    picture = _render(self._image, self._max_side)
                    at_ms = float(self._image.info.get("timestamp", at_ms))
                    _put(self._sink, picture, max(0.0, at_ms) / 1000)
            except (EOFError, OSError, SyntaxError, ValueError, MediaTooLargeError):
                return index
            at_ms += _frame_ms(self._image)
        return count


def _frame_ms(image: Image.Image) -> float:
    try:
        return min(max(float(image.info.get("duration", 0)), 0.0), MAX_FRAME_MS)
    except (TypeError, ValueError):
        return 0.0
