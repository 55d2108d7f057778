"""`agents.steps.matching`."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from agents.steps.matching import match_frames, match_image
from alerts.policy import Calibration
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.search import FrameGallery
from streams.types import CaseId, ContentId, Decision, Modality, ReferenceId
from tests.fakes import fingerprint_of

NUMBERS = Calibration(
    intercept=20.0,
    slope=18.0,
    hash_weight=3.0,
    hash_reach=62.0,
    plain_weight=1.0,
    plain_below=5.0,
    alert=0.99,
    review=0.8,
)


@dataclass(frozen=True)
class Owned:
    """Whose reference it is."""

    case: CaseId
    reference: ReferenceId
    content: ContentId


@dataclass(frozen=True)
class Snapshot:
    """A gallery as the step sees it."""

    owners: tuple[Owned, ...]
    frames: FrameGallery


def owned(case: str, reference: str, content: str) -> Owned:
    return Owned(CaseId(case), ReferenceId(reference), ContentId(content))


@pytest.fixture
def gallery() -> Snapshot:
    """Pictures 0..3: two of one group, one of another of the same case, one of another case."""
    frames = FrameGallery()
    for ordinal in range(4):
        frames.add(ordinal, fingerprint_of(ordinal))
    owners = (owned("A", "r0", "g"), owned("A", "r1", "g"), owned("A", "r2", "h"))
    return Snapshot((*owners, owned("B", "r3", "g")), frames)


def test_the_very_picture_is_an_alert_with_both_kinds_of_evidence(gallery: Snapshot) -> None:
    match = match_image(fingerprint_of(2), gallery, NUMBERS)[0]
    assert (match.case, match.reference, match.content) == ("A", "r2", "h")
    assert match.decision is Decision.ALERT
    frame, hashed = match.evidence
    assert [one.modality for one in match.evidence] == [Modality.FRAME, Modality.HASH]
    assert frame.similarity == pytest.approx(1, abs=1e-6)
    assert frame.similarity <= 1
    assert hashed.similarity == 1
    assert frame.query_box == (0.0, 0.0, 1.0, 1.0)
    assert frame.space == "fake/1/numpy/f32"


def test_every_candidate_is_returned_the_most_confident_first(gallery: Snapshot) -> None:
    matches = match_frames([fingerprint_of(3)], gallery, NUMBERS)
    assert matches[0].reference == "r3"
    assert len(matches) == 3
    assert [m.confidence for m in matches] == sorted((m.confidence for m in matches), reverse=True)
    assert {match.decision for match in matches[1:]} == {Decision.NONE}


def test_a_group_is_matched_once_by_its_nearest_reference(gallery: Snapshot) -> None:
    matches = match_frames([fingerprint_of(1)], gallery, NUMBERS)
    assert [m.reference for m in matches if (m.case, m.content) == ("A", "g")] == ["r1"]


def test_the_same_group_name_in_two_cases_is_two_groups(gallery: Snapshot) -> None:
    matches = match_frames([fingerprint_of(1), fingerprint_of(3)], gallery, NUMBERS)
    assert {(m.case, m.content) for m in matches[:2]} == {("A", "g"), ("B", "g")}
    assert {match.decision for match in matches[:2]} == {Decision.ALERT}


def test_the_best_frame_speaks_for_its_medium(gallery: Snapshot) -> None:
    frames = [fingerprint_of(50), fingerprint_of(2), fingerprint_of(51)]
    best = match_frames(frames, gallery, NUMBERS)[0]
    assert best == match_image(fingerprint_of(2), gallery, NUMBERS)[0]


def test_what_a_later_snapshot_added_is_not_matched(gallery: Snapshot) -> None:
    gallery.frames.add(4, fingerprint_of(4))
    matches = match_frames([fingerprint_of(4)], gallery, NUMBERS)
    assert {match.decision for match in matches} == {Decision.NONE}


def test_a_flat_picture_matches_nothing(gallery: Snapshot) -> None:
    whole = fingerprint_of(2)
    flat = replace(whole, detail=0.3, boxes=np.array([[0, 0, 1, 1]] * 2, np.float32))
    assert match_frames([flat], gallery, NUMBERS) == []


def test_a_plain_reference_needs_more_likeness(gallery: Snapshot) -> None:
    plain = FrameGallery()
    for ordinal in range(4):
        plain.add(ordinal, fingerprint_of(ordinal, detail=3.0))
    sure = match_image(fingerprint_of(2), gallery, NUMBERS)[0]
    less = match_image(fingerprint_of(2), replace(gallery, frames=plain), NUMBERS)[0]
    assert less.reference == sure.reference
    assert less.confidence < sure.confidence


def test_no_frame_and_no_reference_are_no_match(gallery: Snapshot) -> None:
    assert match_frames([], gallery, NUMBERS) == []
    assert match_frames([fingerprint_of(1)], Snapshot((), FrameGallery()), NUMBERS) == []


def test_another_vector_space_is_refused(gallery: Snapshot) -> None:
    stranger: ImageFingerprint = fingerprint_of(1, space="other/1/numpy/f32")
    with pytest.raises(ValueError, match="in a gallery of"):
        match_frames([stranger], gallery, NUMBERS)


def test_the_shipped_calibration_is_used_where_none_is_given(gallery: Snapshot) -> None:
    assert match_frames([fingerprint_of(0)], gallery)[0].decision is Decision.ALERT
