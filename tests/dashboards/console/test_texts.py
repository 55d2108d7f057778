"""`dashboards.console.texts`."""

import re
from pathlib import Path

import pytest

from alerts.severity import Severity
from alerts.tasks import TaskStatus
from dashboards.console.pages import FOLDER
from dashboards.console.texts import ENGLISH, KOREAN, choose
from streams.types import Decision, Modality

TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))


def test_both_languages_say_the_same_things() -> None:
    assert set(ENGLISH) == set(KOREAN)
    for key, text in ENGLISH.items():
        assert sorted(re.findall(r"\{\d\}", text)) == sorted(re.findall(r"\{\d\}", KOREAN[key]))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_word_of_a_template_is_in_the_dictionary(template: Path) -> None:
    used = set(re.findall(r'\bt\("(\w+)"[,)]', template.read_text()))
    assert used <= set(ENGLISH)


def test_every_state_has_its_words() -> None:
    states = {*TaskStatus, *Severity, *Modality, Decision.ALERT, Decision.REVIEW}
    assert {state.value for state in states} <= set(ENGLISH)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("de-DE, en;q=0.7, ko;q=0.3", "en"),
        ("fr", "en"),
        (";;,,\x00", "en"),
    ],
)
def test_a_browsers_first_language_of_ours_is_spoken(header: str, language: str) -> None:
    assert choose(header).language == language
