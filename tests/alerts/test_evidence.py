"""What is said of a match is numbers and words."""

from dataclasses import replace

import pytest

from alerts.evidence import POST_TEXT, REASONS, evidence_in_words
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
