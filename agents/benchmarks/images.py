"""`haechi bench images`: PDQ, SSCD on the whole frame and Haechi on one built set, in one run.

Whatever is fitted is fitted on one half of the sources and reported on the other.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.benchmarks.evaluation import AtThreshold, Likeness, Scores, at_threshold, evaluate
from agents.benchmarks.features import Features, Progress, compute_features, mean_views
from agents.benchmarks.fitting import Candidates, fit
from agents.benchmarks.image_set import ImageSet
from alerts.policy import Calibration, confidence
from gpu_kernels.hamming import hamming
from gpu_kernels.models import LocatedModel
from gpu_kernels.search import NEAR_PDQ_DISTANCE, FrameGallery

FITTED_HALF, REPORTED_HALF = 0, 1

_PUBLISHED_SSCD = 0.75
"""Cosine that SSCD's authors advise (90% precision on DISC21)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """All pairs' evidence.

    Args:
        images: the set.
        pdq: int (posts, references), bits between the whole pictures, one orientation.
        sscd: (posts, references), cosine of the whole pictures.
        similarity: (posts, references), Haechi's; -1 where nothing was compared.
        distance: (posts, references), Haechi's PDQ distance; NaN where none.
        detail: (references,), bits.
        views: embeddings of a post, on average.
        seconds: of one core for the fingerprint of a post, on average.
    """

    images: ImageSet
    pdq: NDArray[np.int64]
    sscd: NDArray[np.float64]
    similarity: NDArray[np.float64]
    distance: NDArray[np.float64]
    detail: NDArray[np.float64]
    views: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method on one half.

    Args:
        method: its name.
        half: "all" or "reported".
        scores: without a threshold of its own.
        thresholds: by name, what a fixed one gives.
    """

    method: str
    half: str
    scores: Scores
    thresholds: dict[str, AtThreshold]

    def to_json(self) -> dict[str, Any]:
        """Give the figures under the names that scripts rely upon."""
        return {
            "method": self.method,
            "half": self.half,
            "micro_ap": self.scores.micro_ap,
            "recall_at_zero_false_alarms": self.scores.recall,
            "by_edit": self.scores.by_edit,
            "thresholds": {name: asdict(value) for name, value in self.thresholds.items()},
        }


def gather(
    images: ImageSet,
    located: LocatedModel,
    engine: str,
    *,
    cache: Path,
    jobs: int,
    progress: Progress,
) -> Evidence:
    """Look at every picture and compare every pair; see `compute_features`."""
    references, posts = compute_features(
        images, located, engine, cache=cache, jobs=jobs, progress=progress
    )
    similarity, distance = _search_all(references, posts)
    return Evidence(
        images=images,
        pdq=hamming(_hashes(posts), _hashes(references)).astype(np.int64),
        sscd=_whole(posts) @ _whole(references).T,
        similarity=similarity,
        distance=distance,
        detail=np.array([one.fingerprint.detail for one in references]),
        views=mean_views(posts),
        seconds=float(np.mean([post.seconds for post in posts])),
    )


def _hashes(features: Sequence[Features]) -> NDArray[np.uint8]:
    return np.stack([one.pdq for one in features])


def _whole(features: Sequence[Features]) -> NDArray[np.float64]:
    return np.stack([one.fingerprint.embeddings[0] for one in features]).astype(np.float64)


def _search_all(
    references: Sequence[Features], posts: Sequence[Features]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ask the gallery about every post, for all references: the product's own search."""
    gallery = FrameGallery()
    for ordinal, reference in enumerate(references):
        gallery.add(ordinal, reference.fingerprint)
    similarity = np.full((len(posts), len(references)), -1.0)
    distance = np.full(similarity.shape, np.nan)
    for row, post in enumerate(posts):
        for one in gallery.search(post.fingerprint, len(references)):
            similarity[row, one.ordinal] = one.similarity
            if one.pdq_distance is not None:
                distance[row, one.ordinal] = one.pdq_distance
    return similarity, distance


def fit_half(evidence: Evidence) -> tuple[Calibration, dict[str, Any]]:
    """Fit a calibration to the fitted half, and say what that half was."""
    posts, references = evidence.images.half(FITTED_HALF)
    pairs = np.ix_(posts, references)
    similarity = np.where(evidence.images.ignored[pairs], -1, evidence.similarity[pairs])
    best = similarity.argmax(axis=1)
    rows = np.arange(len(posts))
    truth = evidence.images.truth[posts]
    candidates = Candidates(
        similarity=similarity[rows, best],
        distance=evidence.distance[pairs][rows, best],
        detail=evidence.detail[references[best]],
        is_copy=references[best] == truth,
        is_unrelated=truth < 0,
    )
    return fit(candidates), {
        "set": evidence.images.name,
        "half": FITTED_HALF,
        "references": len(references),
        "copies": int((truth >= 0).sum()),
        "distractors": int((truth < 0).sum()),
    }


def score(evidence: Evidence, calibration: Calibration) -> list[Row]:
    """Score the three methods, on everything and on the half that nothing was fitted on."""
    images = evidence.images
    everything = np.arange(len(images.posts)), np.arange(len(images.references))
    halves = {"all": everything, "reported": images.half(REPORTED_HALF)}
    confident = _confidences(evidence, calibration)
    methods: dict[str, tuple[Likeness, dict[str, float]]] = {
        "pdq": (-evidence.pdq.astype(float), {"distance <= 31": -float(NEAR_PDQ_DISTANCE)}),
        "sscd whole": (evidence.sscd, {"cosine >= 0.75": _PUBLISHED_SSCD}),
        "haechi": (confident, {"alert": calibration.alert, "review": calibration.review}),
    }
    return [
        _row(method, half, images, chosen, likeness, thresholds)
        for half, chosen in halves.items()
        for method, (likeness, thresholds) in methods.items()
    ]


def _row(
    method: str,
    half: str,
    images: ImageSet,
    chosen: tuple[NDArray[np.intp], NDArray[np.intp]],
    likeness: Likeness,
    thresholds: dict[str, float],
) -> Row:
    posts, references = chosen
    pairs = np.ix_(posts, references)
    values = np.where(images.ignored[pairs], -np.inf, likeness[pairs])
    place = {int(reference): i for i, reference in enumerate(references)}
    truth = np.array([place.get(int(one), -1) for one in images.truth[posts]], np.intp)
    edits = [images.edits[i] for i in posts]
    return Row(
        method=method,
        half=half,
        scores=evaluate(values, truth, edits),
        thresholds={
            name: at_threshold(values, truth, edits, value) for name, value in thresholds.items()
        },
    )


def _confidences(evidence: Evidence, calibration: Calibration) -> Likeness:
    detail = np.broadcast_to(evidence.detail, evidence.similarity.shape)
    pairs = zip(evidence.similarity.flat, evidence.distance.flat, detail.flat, strict=True)
    values = [
        confidence(
            calibration,
            similarity=float(cosine),
            pdq_distance=None if np.isnan(bits) else int(bits),
            detail=float(bits_of_detail),
        )
        for cosine, bits, bits_of_detail in pairs
    ]
    return np.array(values).reshape(evidence.similarity.shape)
