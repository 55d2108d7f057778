"""What is said of a match is numbers and words."""

from dataclasses import replace

import pytest

from alerts.evidence import POST_TEXT, REASONS, evidence_in_words, nudity_in
from streams.types import CaseId, ContentId, Evidence, Modality
from tests.alerts.rows import match_of

MATCH = match_of(CaseId("c" * 32), ContentId("d" * 32))


def said(evidence: Evidence, hits: int = 0) -> list[dict[str, object]]:
    return evidence_in_words(replace(MATCH, evidence=(evidence,)), hits)


@pytest.mark.parametrize("modality", Modality)
def test_every_modality_has_a_reason(modality: Modality) -> None:
    (one,) = said(Evidence(modality=modality, similarity=0.5))
    assert one == {"modality": modality, "similarity": 0.5, "reason": REASONS[modality]}


def test_words_that_are_spoken_or_written_say_when_and_where() -> None:
    (spoken,) = said(
        Evidence(modality=Modality.SPEECH, similarity=1.0, query_span_seconds=(3.0, 9.5))
    )
    assert spoken["query_span_seconds"] == [3.0, 9.5]
    (written,) = said(
        Evidence(modality=Modality.TEXT, similarity=1.0, query_box=(0.1, 0.2, 0.3, 0.4))
    )
    assert written["query_box"] == [0.1, 0.2, 0.3, 0.4]


def test_both_sides_spans_and_the_space_are_kept() -> None:
    (one,) = said(
        Evidence(
            modality=Modality.AUDIO,
            similarity=0.8,
            query_span_seconds=(3.0, 9.5),
            reference_span_seconds=(0.0, 6.5),
            space="sound/1",
        )
    )
    assert one["reference_span_seconds"] == [0.0, 6.5]
    assert one["space"] == "sound/1"


def test_the_posts_own_text_is_told_from_writing_on_the_picture() -> None:
    written, post = said(Evidence(modality=Modality.TEXT, similarity=1.0), hits=2)
    assert written["reason"] != post["reason"] == POST_TEXT
    assert post["keyword_hits"] == 2


@pytest.mark.parametrize(
    ("estimate", "preview"), [(0.0, "plain"), (0.19, "plain"), (0.2, "blur"), (0.97, "blur")]
)
def test_the_estimate_of_nudity_is_a_signal_and_no_evidence(estimate: float, preview: str) -> None:
    *evidence, signal = evidence_in_words(MATCH, 1, estimate)
    assert evidence == evidence_in_words(MATCH, 1)
    assert signal == {"signal": "nudity", "estimate": estimate, "preview": preview}
    assert nudity_in([*evidence, signal]) == estimate


def test_what_was_not_estimated_says_nothing() -> None:
    said_of_it = evidence_in_words(MATCH, 1, None)
    assert not [one for one in said_of_it if "signal" in one]
    assert nudity_in(said_of_it) is None
