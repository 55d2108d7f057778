"""`agents.benchmarks.throughput`: its arithmetic, and the whole of it on a few pictures."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.benchmarks.throughput import Throughput, measure, steady_rate
from streams.errors import ConfigurationError, ModelError
from streams.settings import Settings
from tests.weights import pulled

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_rate_leaves_out_the_tenth_that_ended_first() -> None:
    late = [START + timedelta(seconds=100 + i / 4) for i in range(90)]
    early = [START + timedelta(seconds=i) for i in range(10)]
    assert steady_rate(late + early) == pytest.approx(90 / (late[-1] - early[-1]).total_seconds())


def test_the_ratio_is_pipeline_to_bare() -> None:
    found = Throughput(images=2, views_per_image=2.5, bare=20, pipeline=15, outcomes={"clear": 2})
    assert found.ratio == 0.75
    assert found.to_json()["ratio"] == 0.75


def test_a_missing_model_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="models pull"):
        measure(Settings(home=tmp_path, models=tmp_path), 1, None, print)


@pytest.mark.models
def test_a_folder_with_too_few_pictures_is_refused(tmp_path: Path) -> None:
    pulled()
    with pytest.raises(ConfigurationError, match="0 JPEG files"):
        measure(Settings(home=tmp_path), 3, tmp_path, print)


@pytest.mark.models
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_every_picture_goes_through_both_sides(tmp_path: Path) -> None:
    pulled()
    found = measure(Settings(home=tmp_path), 12, None, print)
    assert sum(found.outcomes.values()) == 12
    assert set(found.outcomes) <= {"clear", "sighted"}
    assert min(found.bare, found.pipeline) > 0
