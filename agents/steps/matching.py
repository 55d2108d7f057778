"""Fingerprints of one medium in, matches out: best first, one for each reference group."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from alerts.calibration import shipped_calibration
from alerts.policy import Calibration, confidence, decide
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.hamming import HASH_BYTES
from gpu_kernels.search import NEAR_PDQ_DISTANCE, Candidate, FrameGallery
from streams.types import CaseId, ContentId, Evidence, Match, Modality, ReferenceId

CANDIDATES = 10
"""References looked at for each frame; far more than pictures that one frame shows."""


class Owner(Protocol):
    """Whose reference an ordinal of the gallery is."""

    @property
    def case(self) -> CaseId: ...

    @property
    def reference(self) -> ReferenceId: ...

    @property
    def content(self) -> ContentId: ...


class Searchable(Protocol):
    """A snapshot of the gallery: frames by ordinal, and whose each ordinal is."""

    @property
    def owners(self) -> Sequence[Owner]: ...

    @property
    def frames(self) -> FrameGallery: ...


def match_frames(
    prints: Iterable[ImageFingerprint],
    gallery: Searchable,
    calibration: Calibration | None = None,
) -> list[Match]:
    """Compare all frames of one medium with the gallery.

    Args:
        prints: of `fingerprint_query`, in the medium's order.
        gallery: in force.
        calibration: None takes the shipped one.

    Returns:
        Every candidate, those that nothing is to be done about included; the most confident
        first, at most one for each reference group.

    Raises:
        ValueError: the fingerprints live in another vector space than the gallery.
    """
    best: dict[tuple[CaseId, ContentId], Match] = {}
    for fingerprint in prints:
        for match in match_image(fingerprint, gallery, calibration):
            group = (match.case, match.content)
            if group not in best or match.confidence > best[group].confidence:
                best[group] = match
    return sorted(best.values(), key=lambda match: -match.confidence)


def match_image(
    fingerprint: ImageFingerprint, gallery: Searchable, calibration: Calibration | None = None
) -> list[Match]:
    """Compare one picture with the gallery; see `match_frames`."""
    numbers = calibration or shipped_calibration()
    owners = gallery.owners
    found = gallery.frames.search(fingerprint, CANDIDATES, below=len(owners))
    return [_match(one, owners[one.ordinal], fingerprint.space, numbers) for one in found]


def _match(candidate: Candidate, owner: Owner, space: str, calibration: Calibration) -> Match:
    probability = confidence(
        calibration,
        similarity=candidate.similarity,
        pdq_distance=candidate.pdq_distance,
        detail=candidate.detail,
    )
    return Match(
        case=owner.case,
        reference=owner.reference,
        content=owner.content,
        confidence=probability,
        decision=decide(calibration, probability),
        evidence=_evidence(candidate, space),
    )


def _evidence(candidate: Candidate, space: str) -> tuple[Evidence, ...]:
    frame = Evidence(
        modality=Modality.FRAME,
        similarity=min(max(candidate.similarity, 0.0), 1.0),
        query_box=candidate.query_box,
        space=space,
    )
    distance = candidate.pdq_distance
    if distance is None or distance > NEAR_PDQ_DISTANCE:
        return (frame,)
    return (frame, Evidence(modality=Modality.HASH, similarity=1 - distance / (8 * HASH_BYTES)))
