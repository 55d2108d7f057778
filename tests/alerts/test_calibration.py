"""`alerts.calibration`."""

import json
from pathlib import Path

import pytest

from alerts.calibration import SHIPPED, load_calibration, save_calibration, shipped_calibration
from streams.errors import ConfigurationError


def test_what_is_shipped_says_what_it_was_fitted_on() -> None:
    stored = json.loads(SHIPPED.read_text())
    assert {"set", "space", "references", "copies", "distractors"} <= set(stored["fitted_on"])
    assert shipped_calibration() == load_calibration(SHIPPED)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save_calibration(shipped_calibration(), tmp_path / "c.json", fitted_on={"set": "toy"})
    assert load_calibration(tmp_path / "c.json") == shipped_calibration()


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"intercept": "x"}', None],
    ids=["empty", "list", "no field", "no number", "missing"],
)
def test_an_unusable_file_is_a_configuration_error(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match="no usable calibration"):
        load_calibration(path)
