"""On-screen text: found by PP-OCR's detector, read by Tesseract."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any, Self, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_kernels import texts
from gpu_kernels.arrays import Arrays, take
from gpu_kernels.network import Network
from gpu_kernels.tesseract import HEIGHT, LineReader
from gpu_kernels.textboxes import TextBox, find_boxes, may_hold_text
from gpu_kernels.views import Box, Picture, overlap, shrink

MAX_LINES = 32
"""Read of one picture, the highest letters first."""

MAX_COLUMNS = 40_000
"""Pixels, the widths of all renderings of a picture's lines together. Each takes up to 80 µs of a
core, so a picture some 3 s at most: 3.2 where 1,024 pixels square are full of small grey letters,
which took 27 without this (docs/reading.md)."""

MAX_LETTERS = 500
"""Of one line."""

MAX_SIDE = 1600
"""Pixels; larger pictures are shrunk first: letters of 1% of the height keep 9 pixels."""

MIN_CONFIDENCE = 0.55
"""Lines that the reader was less sure of are left out: all those read with at most a quarter of
their letters wrong had .62 or more (docs/reading.md)."""

MIN_LETTERS = 2
"""In a line: no keyword is shorter, and single ones are mostly read at things."""

REMEMBERED = 64
"""Lines that a memory holds, the latest."""

_MAX_WIDTH = 40 * HEIGHT
"""Pixels of one line: forty letters as wide as high."""
_STEEP = 60.0
"""Degrees from which text may run down or up."""
_SAME_LETTERS = 0.985
"""Correlation from which two crops show the same letters (docs/reading.md)."""
_SAME_PLACE = 0.7
"""Intersection over union from which two boxes are one place."""
_THUMB = (160, 16)
"""Pixels, width and height, in which crops are compared."""

Thumb: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of text as it was read.

    Args:
        text: never empty; a stranger's words: searched, then discarded.
        box: around it, x0 y0 x1 y1 in 0..1 of the picture.
        confidence: 0..1, the reader's own.
    """

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lettering:
    """What is written in one picture.

    Args:
        lines: from top to bottom.
        late: the time that it was given was over before all was read.
        seconds: that it took.
    """

    lines: tuple[Line, ...] = ()
    late: bool = False
    seconds: float = field(default=0.0, compare=False)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return `utf8` and `ends` (see `texts`), a row a line in `boxes` and `confidences`."""
        return {
            **texts.to_arrays([line.text for line in self.lines]),
            "boxes": np.array([line.box for line in self.lines], np.float32).reshape(-1, 4),
            "confidences": np.array([line.confidence for line in self.lines], np.float32),
            "late": np.array([self.late], np.uint8),
            "seconds": np.array([self.seconds], np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what `to_arrays` gave.

        Raises:
            ValueError: it is anything else.
        """
        read = texts.from_arrays(arrays, MAX_LINES, MAX_LETTERS)
        boxes = take(arrays, "boxes", np.float32, (len(read), 4))
        confidences = take(arrays, "confidences", np.float32, (len(read),))
        if not all(
            ((array >= 0) & (array <= 1)).all() for array in (boxes, confidences)
        ):  # nor NaN
            raise ValueError("boxes and confidences are 0..1")
        if not (boxes[:, :2] <= boxes[:, 2:]).all():
            raise ValueError("a box ends before it begins")
        late = take(arrays, "late", np.uint8, (1,))
        seconds = take(arrays, "seconds", np.float32, (1,))
        if late[0] > 1 or not 0 <= seconds[0] < np.inf:
            raise ValueError("no time that reading takes")
        rows = zip(read, boxes.tolist(), confidences.tolist(), strict=True)
        return cls(
            lines=tuple(
                Line(text=text, box=Box(*box), confidence=confidence)
                for text, box, confidence in rows
            ),
            late=bool(late[0]),
            seconds=float(seconds[0]),
        )


@dataclass(slots=True)
class TextMemory:
    """Lines of the frames before, so that a caption that stays is read once.

    One medium's own: a caller makes a new one for each. Not thread-safe.
    """

    _seen: list[tuple[Thumb, Box, str, float]] = field(default_factory=list)

    def recall(self, thumb: Thumb, box: Box) -> tuple[str, float] | None:
        """Give the text and confidence of a crop that was seen in the same place."""
        for known, where, text, confidence in reversed(self._seen):
            if overlap(where, box) >= _SAME_PLACE and float((known * thumb).sum()) > _SAME_LETTERS:
                return text, confidence
        return None

    def remember(self, thumb: Thumb, box: Box, text: str, confidence: float) -> None:
        """Keep what was read; forget the oldest."""
        self._seen.append((thumb, box, text, confidence))
        del self._seen[:-REMEMBERED]


@dataclass(slots=True, kw_only=True)
class _Reading:
    """A line while it is read.

    Args:
        thumb: of its crop.
        box: around it.
        columns: pixels of one rendering.
        attempts: its texts and confidences, one rendering after the other.
        best: of those so far.
    """

    thumb: Thumb
    box: Box
    columns: int
    attempts: Iterator[tuple[str, float]]
    best: tuple[str, float] = ("", 0.0)

    def attempt(self) -> bool:
        """Try one more rendering; say whether there was one."""
        found = next(self.attempts, None)
        if found is None:
            return False
        self.best = max(self.best, found, key=lambda one: one[1])
        return True

    def to_line(self) -> Line | None:
        text, confidence = self.best
        if confidence < MIN_CONFIDENCE or sum(map(str.isalnum, text)) < MIN_LETTERS:
            return None
        return Line(text=text[:MAX_LETTERS], box=self.box, confidence=confidence)


class LetteringEngine:
    """The detector and the reader, loaded and warm. Not thread-safe.

    Args:
        network: PP-OCR's detector; see `textboxes.find_boxes`.
        languages: folder with Tesseract's data; None: the system's.

    Raises:
        ModelError: the data are missing or cannot be loaded; the message says the cure.
    """

    def __init__(self, network: Network, languages: Path | None = None) -> None:
        self._network = network
        self._reader = LineReader(languages)

    def may_hold_text(self, picture: Picture) -> bool:
        """Tell cheaply whether `read` may find something; see `textboxes.may_hold_text`."""
        return may_hold_text(picture, self._network)

    def read(
        self,
        picture: Picture,
        *,
        max_lines: int = MAX_LINES,
        memory: TextMemory | None = None,
        budget_seconds: float | None = None,
    ) -> Lettering:
        """Read what is written in a picture.

        Args:
            picture: uint8 (h, w, 3), RGB, of any size.
            max_lines: how many to read at most, the highest letters first; up to MAX_LINES.
            memory: of the same medium's earlier frames.
            budget_seconds: after which what is read so far is returned; looked at between two
                renderings of a line.
        """
        started = perf_counter()
        small = shrink(picture, MAX_SIDE)
        boxes = sorted(find_boxes(small, self._network), key=lambda box: -box.height)
        chosen = boxes[: min(max_lines, MAX_LINES)]
        readings = [self._begin(small, box, memory) for box in chosen]
        columns, late = 0, False
        for one in _in_turn(readings):
            columns += one.columns
            late = budget_seconds is not None and perf_counter() - started > budget_seconds
            if late or columns >= MAX_COLUMNS:
                break
        else:
            _remember(readings, memory)
        places = sorted(range(len(chosen)), key=lambda i: (chosen[i].y, chosen[i].x))
        lines = (readings[i].to_line() for i in places)
        return Lettering(
            lines=tuple(line for line in lines if line is not None),
            late=late,
            seconds=perf_counter() - started,
        )

    def _begin(self, picture: Picture, box: TextBox, memory: TextMemory | None) -> _Reading:
        crop, where = _crop(picture, box), _bounds(box, picture.shape)
        thumb = _thumb(crop)
        known = memory.recall(thumb, where) if memory is not None else None
        if known is not None:
            return _Reading(thumb=thumb, box=where, columns=0, attempts=iter(()), best=known)
        ways = [crop]
        if abs(box.angle) > _STEEP:
            ways.append(np.ascontiguousarray(crop[::-1, ::-1]))
        attempts = chain.from_iterable(self._reader.read(way) for way in ways)
        return _Reading(thumb=thumb, box=where, columns=crop.shape[1], attempts=attempts)

    def close(self) -> None:
        """Free the reader; the network is the caller's own. Idempotent."""
        self._reader.close()


def _in_turn(readings: Sequence[_Reading]) -> Iterator[_Reading]:
    """Try every line's first rendering, then the second of those not read surely, and so on.

    So a few lines that nothing makes readable keep no other from being read.

    Yields:
        Each after an attempt.
    """
    waiting = list(readings)
    while waiting:
        again = []
        for one in waiting:
            if one.attempt():
                again.append(one)
                yield one
        waiting = again


def _remember(readings: Iterable[_Reading], memory: TextMemory | None) -> None:
    """Keep what was read and not recalled."""
    for one in readings:
        if memory is not None and one.columns:
            memory.remember(one.thumb, one.box, *one.best)


def _crop(picture: Picture, box: TextBox) -> Picture:
    """Cut a line out, turned upright, HEIGHT pixels high."""
    width = int(min(max(box.width / box.height * HEIGHT, HEIGHT / 2), _MAX_WIDTH))
    upright = np.array([[0, 0], [width, 0], [width, HEIGHT], [0, HEIGHT]], np.float32)
    turn = cv2.getPerspectiveTransform(box.corners(), upright)
    filtering = cv2.INTER_AREA if box.height > HEIGHT else cv2.INTER_CUBIC
    crop = cv2.warpPerspective(
        picture, turn, (width, HEIGHT), flags=filtering, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(crop, np.uint8)


def _bounds(box: TextBox, shape: tuple[int, ...]) -> Box:
    corners = np.clip(box.corners() / np.array([shape[1], shape[0]]), 0, 1)
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return Box(x0, y0, x1, y1)


def _thumb(crop: Picture) -> Thumb:
    """Shrink a crop to grey of mean 0 and length 1, so that a product is a correlation."""
    grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), _THUMB, interpolation=cv2.INTER_AREA)
    centred = grey.astype(np.float32) - grey.mean(dtype=np.float32)
    thumb: Thumb = centred / max(float(np.linalg.norm(centred)), 1e-6)
    return thumb
