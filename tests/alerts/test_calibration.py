"""`alerts.calibration`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alerts.calibration import SHIPPED, load_calibration, save_calibration, shipped_calibration
from streams.errors import ConfigurationError


def test_what_is_shipped_says_what_it_was_fitted_on() -> None:
    stored = json.loads(SHIPPED.read_text())
    assert stored["fitted_on"]
    assert shipped_calibration() == load_calibration(SHIPPED)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save_calibration(shipped_calibration(), tmp_path / "c.json", fitted_on={"set": "toy"})
    assert load_calibration(tmp_path / "c.json") == shipped_calibration()
    assert json.loads((tmp_path / "c.json").read_text())["fitted_on"] == {"set": "toy"}


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"intercept": "x"}', '"text"', "\0", None],
    ids=["empty", "list", "no field", "no number", "text", "no JSON", "missing"],
)
def test_an_unusable_file_is_a_configuration_error(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match="no usable calibration"):
        load_calibration(path)


def lacks_a_part(stored: dict[str, Any]) -> None:
    del stored["moving"]


def lacks_a_weight(stored: dict[str, Any]) -> None:
    del stored["still"]["points"]


def has_words_for_a_weight(stored: dict[str, Any]) -> None:
    stored["heard"]["similarity"] = "much"


def has_nothing_for_a_weight(stored: dict[str, Any]) -> None:
    stored["heard"]["similarity"] = None


def has_a_weight_that_is_no_number(stored: dict[str, Any]) -> None:
    stored["still"]["similarity"] = float("nan")


def falls_with_likeness(stored: dict[str, Any]) -> None:
    stored["moving"]["similarity"] = -1


def pages_before_it_reviews(stored: dict[str, Any]) -> None:
    stored["review"], stored["alert"] = 0.99, 0.9


def is_of_the_first_version(stored: dict[str, Any]) -> None:
    stored.clear()
    stored.update(intercept=18.7, slope=15.4, hash_weight=0.7, hash_reach=62.0)
    stored.update(plain_weight=2.3, plain_below=5.0, alert=0.99, review=0.95)


@pytest.mark.parametrize(
    "change",
    [
        lacks_a_part,
        lacks_a_weight,
        has_words_for_a_weight,
        has_nothing_for_a_weight,
        has_a_weight_that_is_no_number,
        falls_with_likeness,
        pages_before_it_reviews,
        is_of_the_first_version,
    ],
)
def test_a_senseless_calibration_is_refused(
    change: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    stored = json.loads(SHIPPED.read_text())
    change(stored)
    path = tmp_path / "c.json"
    path.write_text(json.dumps(stored))
    with pytest.raises(ConfigurationError, match="no usable calibration"):
        load_calibration(path)
