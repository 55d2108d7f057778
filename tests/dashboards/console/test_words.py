"""`dashboards.console.words`."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.console.texts import ENGLISH, KOREAN, Words
from dashboards.console.words import duration, moment, percent, sentence, summary

EN, KO = Words(ENGLISH), Words(KOREAN)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.29, "29 %"),
        (0.93, "93 %"),
        (0.9399, "93 %"),
        (0.99, "99.0 %"),
        (0.99999, "99.9 %"),
        (1.0, "100 %"),
        (-0.05, "-5 %"),
    ],
)
def test_a_share_is_rounded_down(share: float, text: str) -> None:
    assert percent(share) == text


@given(st.floats(0, 1, exclude_max=True))
def test_nothing_short_of_certain_is_called_certain(share: float) -> None:
    assert float(percent(share).removesuffix(" %")) <= share * 100 + 1e-9
    assert percent(share) != "100 %"


@given(st.floats(0, 10_000))
def test_no_duration_looks_shorter_than_it_was(seconds: float) -> None:
    assert float(duration(EN, seconds).removesuffix(" s")) >= seconds - 1e-9


def test_a_duration_over_the_objective_is_never_shown_as_met() -> None:
    assert duration(EN, 180.01) == "180.1 s"
    assert duration(KO, 5) == "5.0초"


def test_a_time_is_utc_to_the_second() -> None:
    korea = timezone(timedelta(hours=9))
    assert moment(datetime(2026, 11, 23, 21, 0, 1, 999, tzinfo=korea)) == "2026-11-23 12:00:01"
    assert moment(datetime(2026, 11, 23, tzinfo=UTC)) == "2026-11-23 00:00:00"


def test_a_location_is_summed_up() -> None:
    frame, fingerprint = {"modality": "frame"}, {"modality": "hash"}
    assert summary(EN, 0.93, [frame, frame, fingerprint]) == "93 % sure; 2 modalities"
    assert summary(EN, 0.5, [frame]) == "50 % sure; 1 modality"
    assert summary(KO, 0.93, [frame, fingerprint]) == "확신도 93 %, 근거 2종"


def test_evidence_is_said_in_words_and_numbers() -> None:
    assert sentence(
        EN,
        {
            "modality": "frame",
            "similarity": 0.81,
            "query_box": [0.12, 0.2, 0.8, 0.9],
            "query_span_seconds": [3.0, 9.5],
            "reference_span_seconds": [0.0, 6.5],
            "space": "sscd/1/openvino/f32",
        },
    ) == (
        "same picture by its embedding: 81 % alike, "
        "in the region 12–80 % of the picture's width and 20–90 % of its height, "
        "from 3.0 s to 9.5 s, which is 0.0 s to 6.5 s of the reference, "
        "vector space sscd/1/openvino/f32"
    )
    assert sentence(EN, {"modality": "text", "keyword_hits": 2}) == (
        "the post's text holds 2 of the case's keywords"
    )
    assert sentence(EN, {"modality": "hash", "similarity": 0.92}) == (
        "same picture by its perceptual hash: 92 % alike"
    )


def test_a_signal_is_said_beside_the_evidence_and_not_counted_with_it() -> None:
    signal = {"signal": "nudity", "estimate": 0.93, "preview": "blur"}
    assert sentence(EN, signal) == "estimate of nudity 93 %, no evidence; preview: blur"
    assert sentence(KO, signal | {"preview": "plain"}).endswith("미리보기: 그대로")
    assert summary(EN, 0.5, [{"modality": "frame"}, signal]) == "50 % sure; 1 modality"


def test_a_region_to_the_edges_is_the_whole_picture() -> None:
    whole = {"modality": "frame", "similarity": 0.9, "query_box": [0, 0.005, 1, 0.995]}
    assert sentence(EN, whole).endswith("alike, in the whole picture")
