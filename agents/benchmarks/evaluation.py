"""How well a (posts, references) matrix of likenesses finds copies, as DISC21 and VSC22 measure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Likeness = NDArray[np.float64]
"""Shape (posts, references); rises with likeness; -inf for pairs to ignore."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What a method reaches.

    Args:
        micro_ap: micro-average precision over all pairs.
        recall: of copies, above the most alike unrelated post: at zero false alarms.
        threshold: that likeness.
        by_edit: that recall for each edit.
    """

    micro_ap: float
    recall: float
    threshold: float
    by_edit: dict[str, float]


def evaluate(likeness: Likeness, truth: NDArray[np.intp], edits: Sequence[str]) -> Scores:
    """Score a method without any threshold of its own.

    Args:
        likeness: of all pairs.
        truth: each post's reference, or -1.
        edits: each post's edit.
    """
    copies = truth >= 0
    threshold = float(likeness[~copies].max())
    hits = likeness[copies, truth[copies]] > threshold
    return Scores(
        micro_ap=micro_average_precision(likeness, truth),
        recall=float(hits.mean()),
        threshold=threshold,
        by_edit=_by_edit(hits, copies, edits),
    )


def micro_average_precision(likeness: Likeness, truth: NDArray[np.intp]) -> float:
    """Rank all pairs together; pairs of equal likeness enter together."""
    true = np.zeros(likeness.shape, bool)
    copies = np.flatnonzero(truth >= 0)
    true[copies, truth[copies]] = True
    counted = np.isfinite(likeness)
    values, labels = likeness[counted], true[counted]
    order = np.argsort(-values, kind="stable")
    values, labels = values[order], labels[order]
    last = np.append(values[1:] != values[:-1], True)
    found, ranked = np.cumsum(labels)[last], np.flatnonzero(last) + 1
    steps = np.diff(found, prepend=0)
    return float((steps * found / ranked).sum() / len(copies))


def _by_edit(
    hits: NDArray[np.bool_], copies: NDArray[np.bool_], edits: Sequence[str]
) -> dict[str, float]:
    names = np.array(edits)[copies]
    return {str(name): float(hits[names == name].mean()) for name in np.unique(names)}
