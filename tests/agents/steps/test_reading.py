"""`agents.steps.reading`."""

import pytest

from agents.steps.reading import ReadHit, best_hits, search_lettering, search_transcript
from agents.steps.triaging import KeywordIndex
from gpu_kernels.lettering import Lettering, Line
from gpu_kernels.speech import Segment, Transcript
from gpu_kernels.views import Box
from monitors.keywords import WatchedKeyword
from streams.types import CaseId, KeywordId, Modality

INDEX = KeywordIndex(
    [
        WatchedKeyword(case=CaseId("c1"), keyword=KeywordId("k1"), text="해치공주"),
        WatchedKeyword(case=CaseId("c2"), keyword=KeywordId("k2"), text="해치공주"),
        WatchedKeyword(case=CaseId("c2"), keyword=KeywordId("k3"), text="blue chair"),
    ]
)


def page(*texts: str) -> Lettering:
    height = 1 / max(len(texts), 1)
    return Lettering(
        lines=tuple(
            Line(text=text, box=Box(0.25, i * height, 0.75, (i + 1) * height), confidence=0.9)
            for i, text in enumerate(texts)
        )
    )


def said(*texts: str) -> Transcript:
    return Transcript(
        segments=tuple(
            Segment(
                text=text,
                span=(float(i), i + 1.0),
                language="ko",
                no_speech=0.1,
                log_probability=-0.2,
            )
            for i, text in enumerate(texts)
        )
    )


def similarities(hits: tuple[ReadHit, ...]) -> dict[str, float]:
    return {one.hit.keyword: one.hit.similarity for one in hits}


def test_a_caption_hits_every_case_whose_keyword_it_holds() -> None:
    hits = search_lettering([(0.0, page("구독", "오늘의 해치공주 영상"))], INDEX)
    assert similarities(hits) == {"k1": 1.0, "k2": 1.0}
    assert hits[0].modality == Modality.TEXT
    assert hits[0].box == (0.25, 0.5, 0.75, 1.0)


def test_a_misread_letter_is_a_near_hit() -> None:
    hits = search_lettering([(0.0, page("오늘의 헤치공주 영상"))], INDEX)
    assert 0.8 <= hits[0].hit.similarity < 1


def test_initials_alone_do_not_count() -> None:
    assert search_lettering([(0.0, page("ㅎㅊㄱㅈ 영상"))], INDEX) == ()


def test_a_keyword_broken_over_two_lines_is_found_with_both_boxes() -> None:
    (hit,) = search_lettering([(0.0, page("the blue", "chair video"))], INDEX)
    assert hit.hit.keyword == "k3"
    assert hit.box == (0.25, 0.0, 0.75, 1.0)


def test_a_caption_that_stays_is_one_hit_for_as_long() -> None:
    frames = [(float(i), page("blue chair")) for i in range(4)]
    (hit,) = search_lettering(frames, INDEX)
    assert hit.span == (0.0, 3.0)


def test_speech_is_searched_within_and_across_segments() -> None:
    hits = search_transcript(said("안녕하세요", "오늘은 해치", "공주 입니다"), INDEX)
    assert similarities(hits) == {"k1": 1.0, "k2": 1.0}
    assert (hits[0].modality, hits[0].span, hits[0].box) == (Modality.SPEECH, (1.0, 3.0), None)


def test_the_best_of_both_modalities_is_kept() -> None:
    near = search_lettering([(0.0, page("헤치공주"))], INDEX)
    exact = search_transcript(said("해치공주"), INDEX)
    assert best_hits(near + exact) == exact
    assert best_hits(exact + near) == exact


def test_evidence_names_no_case_and_holds_no_words() -> None:
    (hit,) = search_lettering([(2.0, page("blue chair"))], INDEX)
    evidence = hit.to_evidence()
    assert (evidence.modality, evidence.similarity) == (Modality.TEXT, 1.0)
    assert evidence.query_span_seconds == (2.0, 2.0)
    assert "blue" not in repr(hit) + repr(evidence)


@pytest.mark.parametrize("index", [INDEX, KeywordIndex([])])
def test_nothing_read_is_no_hit(index: KeywordIndex) -> None:
    assert search_lettering([], index) == ()
    assert search_transcript(Transcript(), index) == ()
