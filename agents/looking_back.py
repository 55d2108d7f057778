"""What was seen before a case or a reference existed: candidates, to be fetched and inspected.

Nothing is decided here. A candidate is a post of the last days whose fingerprints are somewhat like
a reference's; the ordinary pipeline looks at it anew, so that finding it matters more than being
right.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.views import WHOLE
from monitors.gallery import Gallery
from monitors.lookback import LookBackStore, Vectors
from streams.types import CaseId, PostKey

AT_LEAST = 0.30
"""Cosine from which a medium is looked at again: with `remembering.STILL_VIEWS` views of each
picture it finds 99.2% of 520 edited copies of the development set's pictures, and one unrelated
picture in 9,000 for each reference (docs/lookback.md)."""

MOST_QUERIES = 512
"""Vectors that are asked about at once: some twenty pictures' views. They take two to
three times as long as twenty vectors."""

MOST_CANDIDATES = 500
"""Posts, the most alike first: what two cores inspect in some two minutes."""


def queries_of(gallery: Gallery, case: CaseId) -> Vectors:
    """Give what is asked about for a case: its references' own views.

    A picture's are all of them, mirrored, cropped and tilted; so are those of a video's frames.
    Beyond `MOST_QUERIES` each reference has its share, evenly spread: whole views of every frame
    first.

    Returns:
        float32 (n, dimensions); (0, 0) where the case has no pictures.
    """
    each = [
        _ordered(gallery.shelf.frames.prints_of(ordinal))
        for ordinal, owner in enumerate(gallery.owners)
        if owner.case == case
    ]
    rows = [one for one in each if len(one)]
    if not rows:
        return np.empty((0, 0), np.float32)
    return np.concatenate([one[:share] for one, share in zip(rows, _shares(rows), strict=True)])


def _ordered(prints: Sequence[ImageFingerprint]) -> Vectors:
    """Give a reference's views: first the whole of every frame, mirrored too, then its parts.

    Frames come in the order of halves, quarters…, so that any beginning is spread over the film.
    """
    telling = [one.embeddings[_whole_first(one)] for one in prints]
    turns = _spread_order(len(telling))
    longest = max((len(one) for one in telling), default=0)
    picked = [
        telling[frame][view] for view in range(longest) for frame in turns
        if view < len(telling[frame])
    ]  # fmt: skip
    return np.stack(picked) if picked else np.empty((0, 0), np.float32)


def _whole_first(one: ImageFingerprint) -> NDArray[np.intp]:
    rows = one.comparable()
    is_part = (one.boxes[rows] != np.array(WHOLE, np.float32)).any(axis=1)
    return np.concatenate([rows[~is_part], rows[is_part]])


def _spread_order(count: int) -> list[int]:
    """Order places so that those of any beginning lie far from each other."""
    order: dict[int, None] = {}
    parts = 1
    while len(order) < count:
        places: NDArray[np.intp] = (np.arange(parts) + 0.5) * count / parts  # type: ignore[assignment]
        order.update(dict.fromkeys(int(place) for place in places))
        parts *= 2
    return list(order)


def _shares(rows: Sequence[Vectors]) -> list[int]:
    """Share `MOST_QUERIES` out: what one does not need goes to the others."""
    shares = [0] * len(rows)
    left = MOST_QUERIES
    by_size = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    for done, place in enumerate(by_size):
        shares[place] = min(len(rows[place]), left // (len(rows) - done))
        left -= shares[place]
    return shares


def look_back(
    store: LookBackStore, gallery: Gallery, case: CaseId, since: datetime | None = None
) -> list[tuple[PostKey, int, float]]:
    """Find what was seen and may show a case's references: posts, media, cosines; best first.

    Blocks for seconds where a million fingerprints are kept.

    Args:
        store: of what was seen.
        gallery: with the case's references.
        case: whose.
        since: leave out what was observed before.

    Raises:
        DatabaseUnavailableError: the store cannot be read now.
    """
    space, queries = gallery.shelf.frames.space, queries_of(gallery, case)
    if space is None or not len(queries):
        return []
    found = store.of(space).search(queries, AT_LEAST, MOST_CANDIDATES, since)
    return [(one.post, one.medium, one.similarity) for one in found]
