"""What is kept of a medium for looking back: numbers of a few of its views. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.search import MIN_PDQ_QUALITY
from monitors.lookback import SeenFingerprint
from streams.types import MediaKind, Post

STILL_VIEWS = 4
"""Of a picture: whole, without its frame, its largest regions. With them 99% of the development
set's copies are found at `looking_back.AT_LEAST`, with the whole picture alone 89%; it is 2.5 rows
a picture (docs/lookback.md)."""

FILM_FRAMES = 16
"""Of a video, evenly spread over what was looked at, whole: all of 116 edited copies of the
development set's videos are found by them, and all but one by four."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """One view of a medium.

    Args:
        at_seconds: position in the medium; 0 of a still picture.
        vector: float32 (dimensions,), of unit length; the holder's own.
        pdq: 32 bytes; None where it has no hash of sufficient quality.
    """

    at_seconds: float
    vector: NDArray[np.float32]
    pdq: bytes | None


def views_of(prints: Sequence[ImageFingerprint], kind: MediaKind) -> tuple[View, ...]:
    """Choose what is kept of a medium; nothing of flat pictures, which are like half the world.

    Args:
        prints: of its frames, of `fingerprint_query`.
        kind: what the medium is.
    """
    if kind is MediaKind.IMAGE:
        return tuple(view for one in prints[:1] for view in _views(one, STILL_VIEWS))
    telling = sorted(
        (one for one in prints if 0 in one.comparable()), key=lambda one: one.at_seconds
    )
    return tuple(view for one in spread(telling, FILM_FRAMES) for view in _views(one, 1))


def spread(some: Sequence[ImageFingerprint], most: int) -> list[ImageFingerprint]:
    """Take at most so many, evenly."""
    places = np.linspace(0, len(some) - 1, min(most, len(some))).round().astype(int)
    return [some[place] for place in places.tolist()]


def _views(one: ImageFingerprint, most: int) -> list[View]:
    return [
        View(
            at_seconds=one.at_seconds,
            vector=one.embeddings[row].copy(),  # else all views are held for the sake of one
            pdq=_hash(one, row),
        )
        for row in one.comparable()[:most].tolist()
    ]


def _hash(one: ImageFingerprint, row: int) -> bytes | None:
    good = row < len(one.pdq) and one.pdq_quality[row] >= MIN_PDQ_QUALITY
    return one.pdq[row].tobytes() if good else None


def seen_of(post: Post, medium: int, views: Sequence[View]) -> list[SeenFingerprint]:
    """Say whose the views are."""
    return [
        SeenFingerprint(
            post=post.key,
            medium=medium,
            at_seconds=view.at_seconds,
            vector=view.vector,
            pdq=view.pdq,
            observed_at=post.observed_at,
        )
        for view in views
    ]


def is_worth_remembering(post: Post) -> bool:
    """Say whether a post shows anything but links to pages."""
    return any(item.kind is not MediaKind.LINK for item in post.media)
