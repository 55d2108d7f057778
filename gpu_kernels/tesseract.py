"""Reading one line of Korean or English with Tesseract. The only file that knows it.

The wheel of `tesserocr` brings the library; the languages come from the system's packages.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import tesserocr
from numpy.typing import NDArray

from gpu_kernels.errors import ModelError
from gpu_kernels.views import Picture

Grey: TypeAlias = NDArray[np.uint8]
"""Shape (h, w), 0..255."""

LANGUAGES = ("kor", "eng")
CURE = "sudo apt-get install -y tesseract-ocr-kor tesseract-ocr-eng"

HEIGHT = 48
"""Pixels of a line as it is given to `LineReader.read`: 36 to 64 read alike."""

SURE = 0.88
"""Confidence from which no other rendering is tried: 95% of the lines that were read without a
mistake had .91 or more, 95% of those read mostly wrong .87 or less (docs/reading.md)."""

FOLDERS = ("/usr/share/tesseract-ocr/5", "/usr/share/tesseract-ocr/4.00", "/usr/share",
            "/usr/share/tesseract", "/usr/local/share")  # fmt: skip
_MARGIN = 8
"""Pixels around a line: letters that touch the edge are misread."""
_COLOURS = 4
"""Of a line: letters, outline and two of what is behind."""
_EDGE = 5
"""Rows above and below the letters: boxes are let out by more."""
_STROKE = 25
"""Pixels, more than any stroke's width and less than a line's height."""


def find_languages(folder: Path | None = None) -> Path:
    """Find the folder that holds the data of both languages.

    Args:
        folder: the only one to look into; None: where the distributions put them.

    Raises:
        ModelError: a language is missing; the message says the cure.
    """
    folders = [folder] if folder else [Path(parent) / "tessdata" for parent in FOLDERS]
    for candidate in folders:
        if all((candidate / f"{name}.traineddata").is_file() for name in LANGUAGES):
            return candidate
    raise ModelError(f"Tesseract's data for {' and '.join(LANGUAGES)} are missing: {CURE}")


class LineReader:
    """Tesseract, loaded and warm. Not thread-safe.

    Args:
        folder: see `find_languages`.

    Raises:
        ModelError: the data are missing or cannot be loaded.
    """

    def __init__(self, folder: Path | None = None) -> None:
        path = find_languages(folder)
        try:
            self._api = tesserocr.PyTessBaseAPI(
                path=str(path),
                lang="+".join(LANGUAGES),
                psm=tesserocr.PSM.SINGLE_LINE,
                oem=tesserocr.OEM.LSTM_ONLY,
            )
        except RuntimeError as error:
            raise ModelError(f"Tesseract cannot load {path}: {CURE}") from error
        for name, value in (("debug_file", "/dev/null"), ("tessedit_do_invert", "0")):
            self._api.SetVariable(name, value)

    def read(self, line: Picture) -> Iterator[tuple[str, float]]:
        """Read one line, one rendering after the other, until one is read surely.

        Args:
            line: uint8 (HEIGHT, w, 3), RGB.

        Yields:
            The text, perhaps empty, and a confidence, 0..1: the surest counts.
        """
        for rendering in renderings(line):
            found = self._read(rendering)
            yield found
            if found[1] >= SURE:
                return

    def _read(self, grey: Grey) -> tuple[str, float]:
        framed = cv2.copyMakeBorder(grey, _MARGIN, _MARGIN, _MARGIN, _MARGIN, cv2.BORDER_REPLICATE)
        height, width = framed.shape
        self._api.SetImageBytes(framed.tobytes(), width, height, 1, width)
        self._api.SetSourceResolution(300)
        text = " ".join(self._api.GetUTF8Text().split())
        return text, min(max(self._api.MeanTextConf(), 0), 100) / 100 if text else 0.0

    def close(self) -> None:
        """Free what Tesseract holds. Idempotent."""
        self._api.End()


def renderings(line: Picture) -> Iterator[Grey]:
    """Draw a line as dark on light in several ways, the likeliest first.

    Over a photograph no single one serves: white letters stand out in the darkest channel, letters
    with an outline by their brightness alone, others by being brighter than what is near them.
    """
    grey = np.asarray(cv2.cvtColor(line, cv2.COLOR_RGB2GRAY), np.uint8)
    _, bright = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    order: Iterable[str] = ("bright", "colour", "inner", "white", "hat", "dark", "plain")
    if bright.mean() > 0.5:
        order = ("plain", "colour", "inner", "dark", "bright", "hat", "white")
    for name in order:
        yield _render(name, line, grey)


def _render(name: str, line: Picture, grey: Grey) -> Grey:
    ways: Mapping[str, Callable[[], Grey]] = {
        "plain": lambda: _stretched(grey),
        "colour": lambda: _ramp(_distance_of_letters(line, grey, rank=0), 40, 130),
        "inner": lambda: _ramp(_distance_of_letters(line, grey, rank=1), 40, 130),
        "dark": lambda: _ramp(line.max(axis=2), 25, 95),
        "bright": lambda: _inverted(_ramp(line.min(axis=2), 170, 230)),
        "white": lambda: _inverted(_stretched(line.min(axis=2))),
        "hat": lambda: _inverted(_stretched(_top_hat(grey))),
    }
    return ways[name]()


def _top_hat(grey: Grey) -> Grey:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_STROKE, _STROKE))
    return np.asarray(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, disc), np.uint8)


def _distance_of_letters(line: Picture, grey: Grey, *, rank: int) -> Grey:
    """Give each pixel's distance from a colour that is in the middle rather than at the edges.

    The first such colour is that of the letters, or of an outline around letters of the second.
    """
    pixels = line.reshape(-1, 3).astype(np.float32)
    ranks = np.argsort(np.argsort(grey.reshape(-1), kind="stable"), kind="stable")
    labels = (ranks * _COLOURS // len(ranks)).astype(np.int32).reshape(-1, 1)
    stop = (cv2.TERM_CRITERIA_MAX_ITER, 6, 0.0)
    _, nearest, colours = cv2.kmeans(
        pixels, _COLOURS, labels, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS
    )
    rows = np.asarray(nearest).reshape(grey.shape)
    middle, edges = rows[_EDGE:-_EDGE], np.concatenate([rows[:_EDGE], rows[-_EDGE:]])
    shares = [
        np.bincount(part.reshape(-1), minlength=_COLOURS) / part.size for part in (middle, edges)
    ]
    letters = np.asarray(colours)[np.argsort(shares[1] - shares[0], kind="stable")[rank]]
    distances = np.linalg.norm(pixels - letters, axis=1).clip(0, 255)
    away: Grey = distances.reshape(grey.shape).astype(np.uint8)
    return away


def _inverted(grey: Grey) -> Grey:
    return np.subtract(255, grey, dtype=np.uint8)


def _stretched(grey: Grey) -> Grey:
    low, high = np.percentile(grey, (2, 98))
    return _ramp(grey, float(low), float(max(high, low + 1)))


def _ramp(grey: Grey, low: float, high: float) -> Grey:
    """Map `low` to black and `high` to white."""
    levels = (np.arange(256, dtype=np.float32) - low) * (255 / (high - low))
    table: Grey = np.clip(levels, 0, 255).astype(np.uint8)
    return table[grey]
