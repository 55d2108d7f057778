"""`alerts.policy`."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.calibration import shipped_calibration
from alerts.policy import (
    DECISIVE,
    MIN_SHARE,
    PRIOR,
    Calibration,
    Heard,
    Moving,
    Points,
    Still,
    decide,
    fuse,
    log_odds_of,
    probability,
    supporting,
)
from gpu_kernels.alignment import PATTERN
from streams.types import Decision, Modality

NUMBERS = Calibration(
    still=Still(intercept=20.0, similarity=18.0, hash=3.0, plain=1.0, points=4.0),
    moving=Moving(intercept=12.0, similarity=12.0, frames=1.5, pattern=1.0, points=3.0),
    heard=Heard(intercept=8.0, similarity=10.0),
    alert=0.99,
    review=0.8,
)
CALIBRATIONS = st.sampled_from([NUMBERS, shipped_calibration()])
SIMILARITIES = st.floats(-1, 1)
DISTANCES = st.none() | st.integers(0, 256)
DETAILS = st.floats(0, 9)
SHARES = st.sampled_from([0.0, 0.02, MIN_SHARE, 0.5, 1.0])
POINTS = st.none() | st.builds(Points, count=st.integers(0, 800), share=SHARES)
PATTERNS = st.none() | st.floats(-1, 1)
FRAMES = st.integers(1, 5000)
LOG_ODDS = st.floats(-60, 60)
UNDECISIVE = sorted(set(Modality) - DECISIVE)

STILLS = st.fixed_dictionaries(
    {
        "similarity": SIMILARITIES,
        "pdq_distance": DISTANCES,
        "detail": DETAILS,
        "points": POINTS,
    }
)
MOVINGS = st.fixed_dictionaries(
    {"similarity": SIMILARITIES, "frames": FRAMES, "pattern": PATTERNS, "points": POINTS}
)
Said = dict[str, Any]


def still(calibration: Calibration, said: Said, **changes: object) -> float:
    return calibration.still.log_odds(**(said | changes))


def moving(calibration: Calibration, said: Said, **changes: object) -> float:
    return calibration.moving.log_odds(**(said | changes))


@given(CALIBRATIONS, STILLS, MOVINGS, SIMILARITIES)
def test_whatever_is_said_is_a_probability(
    calibration: Calibration, picture: Said, film: Said, sound: float
) -> None:
    said = [still(calibration, picture), moving(calibration, film)]
    said.append(calibration.heard.log_odds(sound))
    assert all(0 < probability(one) < 1 for one in said)
    assert 0 < fuse(said) < 1


@given(CALIBRATIONS, STILLS, MOVINGS, SIMILARITIES, SIMILARITIES)
def test_confidence_never_falls_with_similarity(
    calibration: Calibration, picture: Said, film: Said, one: float, other: float
) -> None:
    low, high = sorted([one, other])
    for weigh, said in ((still, picture), (moving, film)):
        assert weigh(calibration, said, similarity=low) <= weigh(calibration, said, similarity=high)
    assert calibration.heard.log_odds(low) <= calibration.heard.log_odds(high)


@given(CALIBRATIONS, STILLS, MOVINGS, st.integers(0, 800), st.integers(0, 800), SHARES)
def test_confidence_never_falls_with_agreeing_points(
    calibration: Calibration, picture: Said, film: Said, one: int, other: int, share: float
) -> None:
    low, high = (Points(count=count, share=share) for count in sorted([one, other]))
    for weigh, said in ((still, picture), (moving, film)):
        assert weigh(calibration, said, points=low) <= weigh(calibration, said, points=high)


@given(CALIBRATIONS, STILLS, MOVINGS, st.integers(0, 800), SHARES, SHARES)
def test_confidence_never_falls_with_the_share_that_points_span(
    calibration: Calibration, picture: Said, film: Said, count: int, one: float, other: float
) -> None:
    low, high = (Points(count=count, share=share) for share in sorted([one, other]))
    for weigh, said in ((still, picture), (moving, film)):
        assert weigh(calibration, said, points=low) <= weigh(calibration, said, points=high)


@given(CALIBRATIONS, MOVINGS, FRAMES, FRAMES)
def test_confidence_never_falls_with_frames(
    calibration: Calibration, film: Said, one: int, other: int
) -> None:
    low, high = sorted([one, other])
    assert moving(calibration, film, frames=low) <= moving(calibration, film, frames=high)


@given(CALIBRATIONS, MOVINGS, st.floats(-1, 1), st.floats(-1, 1))
def test_confidence_never_falls_with_the_pattern(
    calibration: Calibration, film: Said, one: float, other: float
) -> None:
    low, high = sorted([one, other])
    assert moving(calibration, film, pattern=low) <= moving(calibration, film, pattern=high)


@given(CALIBRATIONS, STILLS, st.integers(0, 256), st.integers(0, 256))
def test_confidence_never_rises_with_distance(
    calibration: Calibration, picture: Said, one: int, other: int
) -> None:
    near, far = sorted([one, other])
    assert still(calibration, picture, pdq_distance=near) >= still(
        calibration, picture, pdq_distance=far
    )


@given(CALIBRATIONS, STILLS, DETAILS, DETAILS)
def test_a_plainer_reference_is_never_surer(
    calibration: Calibration, picture: Said, one: float, other: float
) -> None:
    low, high = sorted([one, other])
    assert still(calibration, picture, detail=low) <= still(calibration, picture, detail=high)


def test_detail_says_nothing_beyond_what_is_plain() -> None:
    said: Said = {"similarity": 0.5, "pdq_distance": None, "points": None}
    four, five, nine = (still(NUMBERS, said, detail=one) for one in (4.0, 5.0, 9.0))
    assert four < five == nine


@given(CALIBRATIONS, STILLS, MOVINGS)
def test_what_was_not_looked_at_says_no_less_than_the_worst_that_could_be_found(
    calibration: Calibration, picture: Said, film: Said
) -> None:
    nothing = Points(count=0, share=0.0)
    for weigh, said in ((still, picture), (moving, film)):
        assert weigh(calibration, said, points=None) >= weigh(calibration, said, points=nothing)
    assert still(calibration, picture, pdq_distance=None) == still(
        calibration, picture, pdq_distance=256
    )
    assert moving(calibration, film, pattern=None) == moving(calibration, film, pattern=1.0)


@given(CALIBRATIONS, STILLS)
def test_points_in_one_corner_never_speak_for_a_copy(
    calibration: Calibration, picture: Said
) -> None:
    """A logo, however sharp, is no reason to page anybody."""
    logo = Points(count=800, share=MIN_SHARE - 0.001)
    assert still(calibration, picture, points=logo) <= still(calibration, picture, points=None)


def test_a_likeness_counts_for_little_until_local_features_agree() -> None:
    """Drawings, screenshots and soft pictures of one style are alike; many of them are likelier."""
    shipped = shipped_calibration()
    said: Said = {"similarity": 0.5, "pdq_distance": None, "detail": 6.0}
    counts = (None, 0, 5, 6, 8, 10, 12, 30)
    found = [
        still(shipped, said, points=None if one is None else Points(count=one, share=0.5))
        for one in counts
    ]
    assert found[1:] == sorted(found[1:])
    assert max(np.diff(found[2:])) < 12  # no one point turns nothing into an alarm
    assert probability(max(found[:4])) < shipped.review
    assert probability(found[-1]) > shipped.alert
    nearly = still(shipped, said | {"similarity": 0.93}, points=None)
    assert probability(nearly) > shipped.alert


@given(st.floats(0.02, 0.999), DISTANCES)
def test_likenesses_up_to_the_top_keep_apart(similarity: float, distance: int | None) -> None:
    """A ranking of many files by confidence must have no ties at 1.0."""
    shipped = shipped_calibration()
    said: Said = {"pdq_distance": distance, "detail": 6.0, "points": None}
    lower, higher = (
        probability(still(shipped, said, similarity=one)) for one in (similarity, similarity + 1e-3)
    )
    assert lower < higher


@given(st.lists(LOG_ODDS, min_size=1, max_size=5), LOG_ODDS)
def test_more_evidence_never_lowers_a_probability(parts: list[float], more: float) -> None:
    assert fuse([*parts, more]) >= fuse(parts) - 1e-15


@given(st.lists(LOG_ODDS, min_size=1, max_size=5), st.data())
def test_stronger_evidence_never_lowers_a_probability(
    parts: list[float], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(parts) - 1))
    stronger = list(parts)
    stronger[place] += data.draw(st.floats(0, 30))
    assert fuse(stronger) >= fuse(parts) - 1e-15


@given(st.lists(LOG_ODDS, min_size=1, max_size=5), st.randoms())
def test_evidence_may_come_in_any_order(parts: list[float], random: Any) -> None:
    turned = random.sample(parts, len(parts))
    assert fuse(turned) == pytest.approx(fuse(parts), rel=1e-12)


@given(LOG_ODDS)
def test_one_modality_alone_is_taken_at_its_word(one: float) -> None:
    assert fuse([one]) == pytest.approx(probability(one), rel=1e-12)


@given(st.floats(PRIOR, 30), st.floats(PRIOR, 30))
def test_weights_of_two_that_speak_for_a_copy_add_up(one: float, other: float) -> None:
    """Bayes: odds are the prior's times each likelihood ratio."""
    expected = PRIOR + (one - PRIOR) + (other - PRIOR)
    assert fuse([one, other]) == pytest.approx(probability(expected), rel=1e-12)


@given(st.floats(1e-9, 1 - 1e-9))
def test_log_odds_and_probabilities_are_each_others_way_back(value: float) -> None:
    assert probability(log_odds_of(value)) == pytest.approx(value, rel=1e-9)


@given(st.floats(-1e6, 1e6))
def test_every_probability_has_log_odds(log_odds: float) -> None:
    assert 0 < probability(log_odds) < 1
    assert abs(log_odds_of(probability(log_odds))) < 1000


@given(CALIBRATIONS, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_face_is_worth_a_look_from_its_threshold_on_and_no_page(
    calibration: Calibration, one: float, other: float, review_from: float
) -> None:
    low, high = sorted([one, other])
    less, more = (supporting(calibration, value, review_from) for value in (low, high))
    assert less <= more < log_odds_of(calibration.alert)
    review = log_odds_of(calibration.review)
    assert (more >= review) == (high >= review_from)


@given(CALIBRATIONS, st.floats(0, 1), st.sets(st.sampled_from(UNDECISIVE)))
def test_faces_voices_and_words_never_alert(
    calibration: Calibration, confidence: float, modalities: set[Modality]
) -> None:
    assert decide(calibration, confidence, modalities) is not Decision.ALERT


@given(CALIBRATIONS, st.floats(0, 1), st.sampled_from(sorted(DECISIVE)))
def test_what_something_speaks_against_never_alerts(
    calibration: Calibration, confidence: float, modality: Modality
) -> None:
    assert decide(calibration, confidence, {modality}, may_alert=False) is not Decision.ALERT


def test_frames_hashes_and_sound_are_decisive() -> None:
    assert {Modality.FRAME, Modality.HASH, Modality.AUDIO} == DECISIVE
    for modality in DECISIVE:
        assert decide(NUMBERS, 0.999, {modality, Modality.FACE}) is Decision.ALERT


@pytest.mark.parametrize(
    ("confidence", "decision"),
    [
        (0.99, Decision.ALERT),
        (0.9899, Decision.REVIEW),
        (0.8, Decision.REVIEW),
        (0.7999, Decision.NONE),
        (1e-9, Decision.NONE),
    ],
)
def test_thresholds_belong_to_the_graver_decision(confidence: float, decision: Decision) -> None:
    assert decide(NUMBERS, confidence) is decision


def test_a_pattern_just_above_the_threshold_already_takes_a_little_away() -> None:
    said: Said = {"similarity": 0.6, "frames": 20, "points": None}
    odds = [
        moving(NUMBERS, said, pattern=one) for one in (PATTERN - 0.1, PATTERN, PATTERN + 0.1, 1.0)
    ]
    gains = [after - before for before, after in pairwise(odds)]
    assert gains == pytest.approx([1.0, 1.0, 0.0], abs=1e-9)


STILL, MOVING, HEARD = NUMBERS.still, NUMBERS.moving, NUMBERS.heard


@pytest.mark.parametrize(
    "change",
    [
        {"still": replace(STILL, similarity=-1.0)},
        {"still": replace(STILL, hash=-0.1)},
        {"still": replace(STILL, plain=-0.1)},
        {"still": replace(STILL, points=-0.1)},
        {"still": replace(STILL, points=float("nan"))},
        {"still": replace(STILL, intercept=float("nan"))},
        {"moving": replace(MOVING, similarity=-1.0)},
        {"moving": replace(MOVING, frames=-0.1)},
        {"moving": replace(MOVING, pattern=-0.1)},
        {"moving": replace(MOVING, points=-0.1)},
        {"moving": replace(MOVING, intercept=float("inf"))},
        {"heard": replace(HEARD, similarity=-0.1)},
        {"heard": replace(HEARD, intercept=float("-inf"))},
        {"review": 0.995},
        {"review": 0.0},
        {"review": float("nan")},
        {"alert": 1.0},
        {"alert": float("nan")},
    ],
    ids=str,
)
def test_senseless_numbers_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        replace(NUMBERS, **change)
