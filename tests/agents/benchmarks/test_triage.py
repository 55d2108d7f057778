"""`agents.benchmarks.triage`, on few cases."""

from pathlib import Path

from agents.benchmarks.drawn_keywords import TRICKS
from agents.benchmarks.triage import measure_triage
from monitors.spellings import SpellingKind


def test_disguised_keywords_are_counted_beside_posts_a_second(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("오늘 아침에 공원에서 산책을 하다가 and the weather was great " * 40)
    told: list[str] = []
    found = measure_triage(3, [file], told.append, count=30, planted=12).to_json()
    assert set(found["recall"]) == set(TRICKS)
    assert found["recall"]["as it is"] == found["recall"]["spaced out"] == 1
    assert found["recall"]["misspelt"] > 0.5
    assert set(found["spellings"]) == set(SpellingKind)
    for kind, share in found["spellings"].items():
        assert share["found"] >= (0.5 if kind == "misspelt" else 1), kind
    assert found["spellings"]["added"]["urgent"] == 1
    assert 0.9 < found["recall_of_all"] <= 1
    assert found["false_posts"] <= 0.1
    assert min(found["posts_a_second"], found["bare_posts_a_second"]) > 0
    assert len(told) == 4


def test_without_a_text_posts_are_made_of_words() -> None:
    found = measure_triage(1, [], lambda _words: None, count=10, planted=2)
    assert found.posts == 10
    assert found.recall["as it is"] == 1
