"""Bytes to pictures, with Pillow. Only ever runs in a locked child; see `streams.media.zygote`."""

import io
import warnings
from collections.abc import Callable, Iterable
from typing import cast

from PIL import AvifImagePlugin, Image, ImageChops, ImageFile

from streams.errors import MediaTooLargeError, UndecodableMediaError
from streams.media.animations import put_animation
from streams.media.frames import Limits, Summary
from streams.media.rendering import MAX_PIXELS, ORIENTATION_TAG, check_pixels, render
from streams.media.sampling import OutOfTimeError, Sink, choose_frames, put
from streams.types import Look, MediaKind

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""What hosts serve as pictures; Pillow's other parsers are never tried."""

MOVING_FORMATS = frozenset({"PNG", "WEBP", "GIF", "AVIF"})
"""May be animated. A JPEG's further pictures (MPO: depth, gain map) are shown by nobody."""

FIRST_FRAME_CPU_SECONDS = 10.0
MORE_FRAMES_CPU_SECONDS = 4.0
"""For all frames after the first: an animation may be heavy, but never loses its first frame."""

_WARMED_MOVING = MOVING_FORMATS - {"AVIF"}
"""Pillow 13.0 crashes where it writes an AVIF of two frames of 16 pixels; reading one is sound."""

MIN_SEEN_SHARE = 0.05
"""Of a truncated picture: a decoder fills the rest with grey or black, which matches nothing."""


def prepare() -> None:
    """Set Pillow's limits for this process, and load every plugin before it is locked."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a locked child cannot make threads
    Image.init()


def warm_up() -> None:
    """Decode one small picture of each format: Pillow imports more while it works."""
    sample = Image.new("RGB", (16, 16), "red")
    other = Image.new("RGB", (16, 16), "blue")
    turned = Image.Exif()
    turned[ORIENTATION_TAG] = 6
    for name in FORMATS:
        file = io.BytesIO()
        more = {"save_all": True, "append_images": [other]} if name in _WARMED_MOVING else {}
        sample.save(file, name, exif=turned, **more)
        for body in (file.getvalue(), file.getvalue()[:-20]):
            try:
                decode(body, _Nowhere(), limit_cpu=lambda _: None)
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
    limit_cpu: Callable[[float], None],
    limits: Limits | None = None,
    look: Look | None = None,
) -> Summary:
    """Put a picture's frame, pages or moments into the sink.

    Frames are RGB, upright, transparency on white. What a truncated file still holds is used; out
    of time, the frames so far are. A still picture gives its frame, or several pages evenly
    spread, whatever the look; an animation is a video.

    Args:
        body: the file.
        sink: takes as many frames as `limits` say.
        limit_cpu: raises `OutOfTimeError` in this thread after so many seconds of CPU.
        limits: of sides and numbers.
        look: which part of an animation.

    Raises:
        MediaTooLargeError: more than `MAX_PIXELS`.
        UndecodableMediaError: nothing to see in these bytes, or in this part of them.
        OutOfTimeError: before the first frame was done.
    """
    limits, look = limits or Limits(), look or Look()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        limit_cpu(FIRST_FRAME_CPU_SECONDS)
        image, first = _read_first(body, limits.max_side)
        name = "JPEG" if image.format == "MPO" else str(image.format)
        if first is image and name != "JPEG":
            first = first.copy()  # seeking changes the image
        limit_cpu(MORE_FRAMES_CPU_SECONDS)
        count = 1 if name not in {*MOVING_FORMATS, "TIFF"} else _count_frames(image)
        if count > 1 and name != "TIFF":
            return put_animation(image, first, count, sink, limits, look)
        put(sink, first, 0.0)
        if count > 1:
            count = _put_pages(image, count, sink, limits)
        return Summary(
            kind=MediaKind.IMAGE, format=name.lower(), frame_count=count, reached_end=True
        )


def _count_frames(image: Image.Image) -> int:
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except (OutOfTimeError, MemoryError):
        return 1
    except Exception:  # noqa: BLE001 - the first frame stands, whatever the others do
        return 1


def _put_pages(image: Image.Image, count: int, sink: Sink, limits: Limits) -> int:
    """Put further pages, as far as the file allows; return how many there are."""
    try:
        for index in choose_frames(count, limits.max_frames)[1:]:
            image.seek(index)
            put(sink, render(image, limits.max_side), 0.0)
    except (OutOfTimeError, MemoryError):
        return count
    except Exception:  # noqa: BLE001 - the first page stands, whatever the others do
        return count
    return count


def _read_first(body: bytes, max_side: int) -> tuple[Image.Image, Image.Image]:
    """Open and render, a second time leniently where the strict way fails."""
    try:
        image = _open(body)
        return image, render(image, max_side)
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
        return image, render(image, max_side)
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
    check_pixels(image)
    return image
