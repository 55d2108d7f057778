"""`alerts.severity`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.severity import NUDITY, Severity, severity_of, worse
from monitors.cases import AgeClass
from streams.types import Decision

DECISIONS = st.sampled_from([Decision.ALERT, Decision.REVIEW])
AGES = st.sampled_from(AgeClass)


@given(DECISIONS, st.integers(0, 5))
def test_a_minors_case_is_always_critical(decision: Decision, hits: int) -> None:
    assert severity_of(AgeClass.MINOR, decision, keyword_hits=hits) is Severity.CRITICAL


@pytest.mark.parametrize(
    ("age_class", "decision", "hits", "severity"),
    [
        (AgeClass.ADULT, Decision.ALERT, 0, Severity.HIGH),
        (AgeClass.ADULT, Decision.ALERT, 1, Severity.CRITICAL),
        (AgeClass.ADULT, Decision.REVIEW, 0, Severity.LOW),
        (AgeClass.ADULT, Decision.REVIEW, 2, Severity.MEDIUM),
        (AgeClass.UNKNOWN, Decision.ALERT, 0, Severity.CRITICAL),
        (AgeClass.UNKNOWN, Decision.ALERT, 3, Severity.CRITICAL),
        (AgeClass.UNKNOWN, Decision.REVIEW, 0, Severity.MEDIUM),
        (AgeClass.UNKNOWN, Decision.REVIEW, 1, Severity.HIGH),
    ],
)
def test_a_keyword_and_an_unknown_age_lift_a_match_by_a_step_each(
    age_class: AgeClass, decision: Decision, hits: int, severity: Severity
) -> None:
    assert severity_of(age_class, decision, keyword_hits=hits) is severity


@given(AGES, DECISIONS, st.integers(0, 3), st.floats(NUDITY, 1))
def test_a_frame_that_most_likely_shows_nudity_lifts_a_match_by_one_step(
    age_class: AgeClass, decision: Decision, hits: int, nudity: float
) -> None:
    plain = severity_of(age_class, decision, keyword_hits=hits)
    lifted = severity_of(age_class, decision, keyword_hits=hits, nudity=nudity)
    assert lifted.rank == max(0, plain.rank - 1)


@given(AGES, DECISIONS, st.integers(0, 3), st.floats(0, NUDITY, exclude_max=True))
def test_a_lower_or_missing_estimate_changes_nothing(
    age_class: AgeClass, decision: Decision, hits: int, nudity: float
) -> None:
    plain = severity_of(age_class, decision, keyword_hits=hits)
    assert severity_of(age_class, decision, keyword_hits=hits, nudity=nudity) is plain
    assert severity_of(age_class, decision, keyword_hits=hits, nudity=None) is plain


@given(AGES, st.integers(0, 3))
def test_a_sure_match_is_never_less_urgent_than_one_for_review(
    age_class: AgeClass, hits: int
) -> None:
    sure = severity_of(age_class, Decision.ALERT, keyword_hits=hits)
    review = severity_of(age_class, Decision.REVIEW, keyword_hits=hits)
    assert worse(sure, review) is sure


def test_the_order_is_the_one_officers_read() -> None:
    assert [s.value for s in sorted(Severity, key=lambda s: s.rank)] == [
        "critical",
        "high",
        "medium",
        "low",
    ]
