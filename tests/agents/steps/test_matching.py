"""`agents.steps.matching`."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.steps.findings import FilmFound, Findings, Owner, StillFound, SubjectFound
from agents.steps.matching import WORDS_REVIEW, confidence, find_pictures, judge
from agents.steps.reading import ReadHit
from alerts.policy import Calibration, Heard, Moving, Points, Still
from gpu_kernels.alignment import PATTERN, Alignment
from gpu_kernels.facetracks import REVIEW_SIMILARITY as FACE_REVIEW
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.search import Candidate
from gpu_kernels.sound_line import SoundMatch
from gpu_kernels.voice import REVIEW_SIMILARITY as VOICE_REVIEW
from monitors.cases import mentions_content
from monitors.gallery import Owner as Owned
from monitors.shelf import NegativeBank, Shelf
from streams.types import (
    CaseId,
    ContentId,
    Decision,
    KeywordHit,
    KeywordId,
    Match,
    Modality,
    ReferenceId,
)
from tests.fakes import fingerprint_of

NUMBERS = Calibration(
    still=Still(intercept=20.0, similarity=18.0, hash=3.0, plain=1.0, points=4.0),
    moving=Moving(intercept=12.0, similarity=12.0, frames=1.5, pattern=1.0, points=3.0),
    heard=Heard(intercept=-9.0, similarity=20.0),
    alert=0.99,
    review=0.8,
)
SPACE = "fake/1/numpy/f32"
A, B = CaseId("A"), CaseId("B")
UNIT = st.floats(0, 1)


@dataclass(frozen=True)
class Snapshot:
    """A gallery as the step sees it."""

    owners: tuple[Owner, ...]
    shelf: Shelf = field(default_factory=Shelf)
    negatives: NegativeBank = field(default_factory=NegativeBank)


def owned(case: str, reference: str, content: str) -> Owned:
    return Owned(case=CaseId(case), reference=ReferenceId(reference), content=ContentId(content))


OWNERS = (
    owned("A", "r0", "g"),
    owned("A", "r1", "g"),
    owned("A", "r2", "h"),
    owned("B", "r3", "g"),
)


@pytest.fixture
def gallery() -> Snapshot:
    """Pictures 0..3: two of one group, one of another of the same case, one of another case."""
    return shelved(*([fingerprint_of(ordinal)] for ordinal in range(4)))


def shelved(*references: list[ImageFingerprint]) -> Snapshot:
    snapshot = Snapshot(OWNERS[: len(references)])
    for ordinal, prints in enumerate(references):
        for one in prints:
            snapshot.shelf.frames.add(ordinal, one)
    return snapshot


def matches_of(
    prints: list[ImageFingerprint], gallery: Snapshot, numbers: Calibration | None = NUMBERS
) -> list[Match]:
    findings = Findings(space=SPACE)
    find_pictures(findings, prints, gallery)
    return judge(findings, gallery, numbers)


def at(number: int, seconds: float) -> ImageFingerprint:
    return replace(fingerprint_of(number), at_seconds=seconds)


def film(first: int, count: int) -> list[ImageFingerprint]:
    return [at(first + n, float(n)) for n in range(count)]


def test_the_very_picture_is_an_alert_with_both_kinds_of_evidence(gallery: Snapshot) -> None:
    match = matches_of([fingerprint_of(2)], gallery)[0]
    assert (match.case, match.reference, match.content) == ("A", "r2", "h")
    assert match.decision is Decision.ALERT
    frame, hashed = match.evidence
    assert [one.modality for one in match.evidence] == [Modality.FRAME, Modality.HASH]
    assert frame.similarity == pytest.approx(1, abs=1e-6)
    assert frame.similarity <= 1
    assert hashed.similarity == 1
    assert frame.query_box == (0.0, 0.0, 1.0, 1.0)
    assert frame.query_span_seconds is None
    assert frame.space == SPACE


def test_every_candidate_is_returned_the_most_confident_first(gallery: Snapshot) -> None:
    matches = matches_of([fingerprint_of(3)], gallery)
    assert matches[0].reference == "r3"
    assert len(matches) == 3
    assert [m.confidence for m in matches] == sorted((m.confidence for m in matches), reverse=True)
    assert {match.decision for match in matches[1:]} == {Decision.NONE}


def test_a_group_is_matched_once_by_its_nearest_reference(gallery: Snapshot) -> None:
    matches = matches_of([fingerprint_of(1)], gallery)
    assert [m.reference for m in matches if (m.case, m.content) == ("A", "g")] == ["r1"]


def test_the_same_group_name_in_two_cases_is_two_groups(gallery: Snapshot) -> None:
    matches = matches_of([fingerprint_of(1), at(3, 1.0)], gallery)
    assert {(m.case, m.content) for m in matches[:2]} == {("A", "g"), ("B", "g")}
    assert {match.decision for match in matches[:2]} == {Decision.ALERT}


def test_the_best_frame_speaks_for_its_medium_and_says_when(gallery: Snapshot) -> None:
    best = matches_of([at(50, 0), at(2, 3.5), at(51, 9)], gallery)[0]
    assert (best.reference, best.decision) == ("r2", Decision.ALERT)
    assert best.evidence[0].query_span_seconds == (3.5, 3.5)
    assert best.evidence[0].reference_span_seconds == (0.0, 0.0)


def test_a_video_is_compared_with_a_video_in_order_of_time() -> None:
    gallery = shelved(film(100, 20), film(200, 20))
    copy = [replace(one, at_seconds=one.at_seconds - 5) for one in film(200, 20)[5:15]]
    best = matches_of(copy, gallery)[0]
    assert (best.reference, best.decision) == ("r1", Decision.ALERT)
    (evidence,) = best.evidence
    assert evidence.modality is Modality.FRAME
    assert evidence.query_span_seconds == (0.0, 9.0)
    assert evidence.reference_span_seconds == (5.0, 14.0)


def test_a_picture_out_of_a_video_is_found_where_it_is() -> None:
    best = matches_of([fingerprint_of(107)], shelved(film(100, 20)))[0]
    assert best.decision is Decision.ALERT
    assert best.evidence[0].reference_span_seconds == (7.0, 7.0)


def test_what_was_found_before_is_replaced(gallery: Snapshot) -> None:
    findings = Findings(space=SPACE)
    find_pictures(findings, [fingerprint_of(0)], gallery)
    find_pictures(findings, [], gallery)
    assert findings.ordinals == []


def test_what_a_later_snapshot_added_is_not_matched(gallery: Snapshot) -> None:
    gallery.shelf.frames.add(4, fingerprint_of(4))
    matches = matches_of([fingerprint_of(4)], gallery)
    assert {match.decision for match in matches} == {Decision.NONE}
    assert matches_of([fingerprint_of(4), at(4, 1.0)], gallery) == []


def test_a_flat_picture_matches_nothing(gallery: Snapshot) -> None:
    whole = fingerprint_of(2)
    flat = replace(whole, detail=0.3, boxes=np.array([[0, 0, 1, 1]] * 2, np.float32))
    assert matches_of([flat], gallery) == []


def test_a_plain_reference_needs_more_likeness(gallery: Snapshot) -> None:
    plain = shelved(*([fingerprint_of(ordinal, detail=3.0)] for ordinal in range(4)))
    sure = matches_of([fingerprint_of(2)], gallery)[0]
    less = matches_of([fingerprint_of(2)], plain)[0]
    assert less.reference == sure.reference
    assert less.confidence < sure.confidence


def test_no_frame_and_no_reference_are_no_match(gallery: Snapshot) -> None:
    assert matches_of([], gallery) == []
    assert matches_of([fingerprint_of(1)], Snapshot(())) == []


def test_another_vector_space_is_refused(gallery: Snapshot) -> None:
    stranger = fingerprint_of(1, space="other/1/numpy/f32")
    for prints in ([stranger], [stranger, stranger]):
        with pytest.raises(ValueError, match="in a gallery of"):
            matches_of(prints, gallery)


def test_the_shipped_calibration_is_used_where_none_is_given(gallery: Snapshot) -> None:
    assert matches_of([fingerprint_of(0)], gallery, None)[0].decision is Decision.ALERT


AGREEING = Points(count=12, share=0.5)


def a_still(similarity: float, points: Points | None = AGREEING) -> StillFound:
    candidate = Candidate(
        ordinal=0,
        similarity=similarity,
        pdq_distance=None,
        query_box=(0.0, 0.0, 1.0, 1.0),
        detail=6.0,
    )
    return StillFound(candidate=candidate, frame=0, at_seconds=0.0, points=points)


def a_film(similarity: float, pattern: float | None = None, frames: int = 20) -> FilmFound:
    line = Alignment(
        similarity=similarity,
        frames=frames,
        speed=1.0,
        query_span_seconds=(0.0, 19.0),
        reference_span_seconds=(4.0, 23.0),
        pattern=pattern,
        pairs=tuple((n, n + 4) for n in range(frames)),
    )
    return FilmFound(alignment=line)


def a_sound(similarity: float) -> SoundMatch:
    return SoundMatch(
        similarity=similarity,
        query_span_seconds=(1.0, 9.0),
        reference_span_seconds=(0.0, 8.0),
        speed=1.0,
        pitch_semitones=0,
    )


def a_subject(similarity: float, modality: Modality, ordinal: int = 2) -> SubjectFound:
    return SubjectFound(
        ordinal=ordinal, modality=modality, similarity=similarity, query_span=(2.0, 3.0)
    )


def a_word(similarity: float, case: CaseId = A, modality: Modality = Modality.SPEECH) -> ReadHit:
    hit = KeywordHit(case=case, keyword=KeywordId("k"), similarity=similarity)
    return ReadHit(hit=hit, modality=modality, span=(4.0, 6.0))


def judged(findings: Findings) -> list[Match]:
    return judge(findings, Snapshot(OWNERS), NUMBERS)


@given(UNIT, UNIT, UNIT, UNIT, st.booleans())
def test_faces_voices_and_words_alone_never_alert(
    face: float, voice: float, spoken: float, written: float, both: bool
) -> None:
    findings = Findings(space=SPACE)
    findings.subjects = [a_subject(face, Modality.FACE), a_subject(voice, Modality.VOICE)]
    findings.words = (a_word(spoken), a_word(written, modality=Modality.TEXT))
    if both:
        findings.stills[2] = a_still(0.05)  # a frame that says nothing is no leave to alert
    assert Decision.ALERT not in {match.decision for match in judged(findings)}


@given(st.floats(-1, PATTERN, exclude_max=True), UNIT, st.integers(4, 500), UNIT, UNIT)
def test_frames_out_of_a_copys_pattern_never_alert(
    pattern: float, similarity: float, frames: int, face: float, sound: float
) -> None:
    """Another recording of one room, with the same face, and hardly the same sound."""
    findings = Findings(space=SPACE, films={2: a_film(similarity, pattern, frames)})
    findings.subjects = [a_subject(face, Modality.FACE)]
    assert Decision.ALERT not in {match.decision for match in judged(findings)}
    findings.sounds = {2: a_sound(0.5 * sound)}  # -9 + 20 x .5 = 1: no review by itself
    assert Decision.ALERT not in {match.decision for match in judged(findings)}


def test_a_video_out_of_pattern_is_reviewed_and_alerts_with_its_sound() -> None:
    findings = Findings(space=SPACE, films={2: a_film(0.9, 0.2)})
    assert [match.decision for match in judged(findings)] == [Decision.REVIEW]
    findings.sounds[2] = a_sound(0.9)
    (match,) = judged(findings)
    assert match.decision is Decision.ALERT
    assert [one.modality for one in match.evidence] == [Modality.FRAME, Modality.AUDIO]


def black(count: int) -> list[ImageFingerprint]:
    whole = np.array([[0, 0, 1, 1]], np.float32)
    one = fingerprint_of(7, detail=0.0)
    flat = replace(one, boxes=np.repeat(whole, len(one.boxes), axis=0))
    return [replace(flat, at_seconds=float(n)) for n in range(count)]


def test_a_black_reference_of_an_earlier_version_matches_no_black_video() -> None:
    gallery = shelved(black(9))
    assert len(gallery.shelf.frames.search_film(black(70), 5)) == 1
    assert matches_of(black(70), gallery) == []


def test_a_films_frames_are_compared_as_pictures_where_its_line_says_nothing() -> None:
    findings = Findings(space=SPACE)
    find_pictures(findings, [*black(3), at(2, 3.0)], shelved([*black(8), at(2, 20.0)]))
    assert findings.films == {}
    assert findings.stills[0].candidate.similarity == pytest.approx(1)
    assert (findings.stills[0].at_seconds, findings.stills[0].frame) == (3.0, 3)


def test_a_review_does_not_hide_its_groups_alert() -> None:
    """Of one group a video is surer but out of pattern, a picture is a plain copy."""
    findings = Findings(space=SPACE, films={0: a_film(1.0, 0.3, 400)}, stills={1: a_still(0.6)})
    one, other = (confidence(findings, ordinal, NUMBERS) for ordinal in (0, 1))
    assert one > other >= NUMBERS.alert
    (match,) = judged(findings)
    assert (match.reference, match.decision) == ("r1", Decision.ALERT)


@given(UNIT, UNIT, UNIT)
def test_sound_beside_frames_never_lowers_the_confidence(
    frame: float, sound: float, line: float
) -> None:
    for findings in (
        Findings(space=SPACE, stills={2: a_still(frame)}),
        Findings(space=SPACE, films={2: a_film(line, 0.8)}),
    ):
        alone = confidence(findings, 2, NUMBERS)
        findings.sounds[2] = a_sound(sound)
        assert confidence(findings, 2, NUMBERS) >= alone - 1e-15


@given(UNIT, UNIT, UNIT)
def test_a_face_or_a_word_beside_frames_never_lowers_the_confidence(
    frame: float, face: float, word: float
) -> None:
    findings = Findings(space=SPACE, stills={2: a_still(frame)})
    (alone,) = judged(findings)
    findings.subjects, findings.words = [a_subject(face, Modality.FACE)], (a_word(word),)
    found = {match.content: match for match in judged(findings)}
    assert found[alone.content].confidence >= alone.confidence - 1e-15


def test_a_face_makes_a_likely_copy_surer_and_an_unlikely_one_no_copy() -> None:
    likely = Findings(space=SPACE, stills={2: a_still(0.38)})
    (before,) = judged(likely)
    likely.subjects = [a_subject(0.9, Modality.FACE)]
    (after,) = judged(likely)
    assert before.decision is Decision.REVIEW
    assert after.confidence > before.confidence
    assert {one.modality for one in after.evidence} == {Modality.FRAME, Modality.FACE}
    unlikely = Findings(space=SPACE, stills={0: a_still(0.1)}, subjects=likely.subjects)
    face, frame = judged(unlikely)
    assert (face.reference, face.decision) == ("r2", Decision.REVIEW)
    assert [one.modality for one in face.evidence] == [Modality.FACE]
    assert (frame.reference, frame.decision) == ("r0", Decision.NONE)


def test_anothers_case_gains_nothing_from_a_face() -> None:
    findings = Findings(space=SPACE, stills={3: a_still(0.4)})
    (before,) = judged(findings)
    findings.subjects = [a_subject(1.0, Modality.FACE)]
    found = {match.case: match for match in judged(findings)}
    assert found[B] == before
    assert found[A].decision is Decision.REVIEW


@pytest.mark.parametrize(
    ("modality", "review_from"), [(Modality.FACE, FACE_REVIEW), (Modality.VOICE, VOICE_REVIEW)]
)
def test_a_subject_is_for_review_from_its_threshold_on(
    modality: Modality, review_from: float
) -> None:
    for similarity, decision in (
        (review_from + 0.01, Decision.REVIEW),
        (review_from - 0.01, Decision.NONE),
    ):
        findings = Findings(space=SPACE, subjects=[a_subject(similarity, modality)])
        (match,) = judged(findings)
        assert match.decision is decision
        assert match.evidence[0].query_span_seconds == (2.0, 3.0)


def test_words_name_their_keyword_and_the_cases_mentions() -> None:
    (match,) = judged(Findings(space=SPACE, words=(a_word(WORDS_REVIEW + 0.01, B),)))
    assert (match.case, match.reference) == (B, "k")
    assert match.content == mentions_content(B)
    assert match.decision is Decision.REVIEW
    assert match.evidence[0].query_span_seconds == (4.0, 6.0)
    (less,) = judged(Findings(space=SPACE, words=(a_word(WORDS_REVIEW - 0.01, B),)))
    assert less.decision is Decision.NONE


def test_sound_alone_is_a_match_of_its_own() -> None:
    (match,) = judged(Findings(space=SPACE, sounds={3: a_sound(0.95)}))
    assert (match.case, match.decision) == (B, Decision.ALERT)
    (evidence,) = match.evidence
    assert evidence.modality is Modality.AUDIO
    assert evidence.query_span_seconds == (1.0, 9.0)
    assert evidence.reference_span_seconds == (0.0, 8.0)


def test_points_in_one_corner_take_a_likeness_down() -> None:
    logo, copy = Points(count=60, share=0.02), Points(count=60, share=0.5)
    found = [
        confidence(Findings(space=SPACE, stills={2: a_still(0.5, points)}), 2, NUMBERS)
        for points in (logo, None, copy)
    ]
    assert found == sorted(set(found))


@given(UNIT)
def test_what_is_more_like_a_negative_is_less_likely(similarity: float) -> None:
    findings = Findings(space=SPACE, stills={2: a_still(similarity)})
    before = confidence(findings, 2, NUMBERS)
    findings.rejected = frozenset({2})
    assert confidence(findings, 2, NUMBERS) < before


def test_what_there_was_no_time_to_compare_is_for_an_officer() -> None:
    """Others' heavy media must not take a copy's sighting from it, nor page for what is like."""
    doubted = Findings(space=SPACE, stills={2: a_still(0.5, None)})
    assert [match.decision for match in judged(doubted)] == [Decision.NONE]
    hurried = Findings(space=SPACE, stills={2: a_still(0.5, None)}, hurried=True)
    assert confidence(hurried, 2, NUMBERS) > NUMBERS.alert
    assert [match.decision for match in judged(hurried)] == [Decision.REVIEW]
    compared = Findings(space=SPACE, stills={2: a_still(0.6)}, hurried=True)
    assert [match.decision for match in judged(compared)] == [Decision.ALERT]
