"""A film's frames in order of time: what they are like, and whether their order tells them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.alignment import Affinity, Seconds, changes
from gpu_kernels.fingerprint import ImageFingerprint

MIN_PLAIN_FRAMES = 6
"""Frames of a reference that are each too plain to be compared alone, from which their order may be
told from another's."""


class Film:
    """One reference's frames in order of time, as one matrix. Never changed once it is made."""

    def __init__(self, prints: Sequence[ImageFingerprint]) -> None:
        ordered = sorted(prints, key=lambda one: one.at_seconds)
        self.seconds: Seconds = np.array([one.at_seconds for one in ordered], np.float64)
        self._rows = np.concatenate([one.embeddings for one in ordered])
        self._starts = _starts(ordered)
        self.itself = self.affinity(ordered, views=1)
        self.moves = len(ordered) > 1
        self.plain = plain_frames(ordered)

    def affinity(self, queries: Sequence[ImageFingerprint], views: int | None = None) -> Affinity:
        """Give each pair of frames the highest cosine of any of their views.

        Args:
            queries: at least one.
            views: of each query, the first ones; all where None.
        """
        rows = [one.embeddings[:views] for one in queries]
        cosines = np.concatenate(rows) @ self._rows.T
        by_frame = np.maximum.reduceat(cosines, self._starts, axis=1)
        starts = np.cumsum([0, *(len(one) for one in rows[:-1])])
        likest: Affinity = np.maximum.reduceat(by_frame, starts, axis=0)
        return likest


def _starts(prints: Sequence[ImageFingerprint]) -> NDArray[np.intp]:
    counts = [len(one.embeddings) for one in prints]
    return np.cumsum([0, *counts[:-1]], dtype=np.intp)


def plain_frames(prints: Sequence[ImageFingerprint]) -> NDArray[np.bool_]:
    """Tell which frames may not be compared alone."""
    return np.array([not len(one.comparable()) for one in prints], np.bool_)


def has_order(prints: Sequence[ImageFingerprint]) -> bool:
    """Say whether a film's frames tell it by their order, though each may be too plain to.

    Six frames of black have none.
    """
    return len(prints) >= MIN_PLAIN_FRAMES and changes(Film(prints).itself)
