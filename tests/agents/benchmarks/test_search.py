"""`agents.benchmarks.search`: a small run of the real thing."""

import json

import pytest

from agents.benchmarks.search import SearchFigures, measure, quantile
from streams.settings import Settings


def test_quantiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(1, 21)]
    assert (quantile(values, 50), quantile(values, 95), quantile(values, 100)) == (11.0, 20.0, 20.0)
    assert quantile([], 95) is None


def test_what_was_missed_lowers_the_recall() -> None:
    figures = SearchFigures(
        posts=10, planted=4, found=3, candidates=4.0, seconds=(1.0, 2.0, 3.0), last=(3.0,),
        fill_seconds=1.0,
    )  # fmt: skip
    row = figures.to_json()
    assert json.loads(json.dumps(row)) == row
    assert row["recall"] == 0.75


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.timeout(200)
def test_everything_planted_is_listed() -> None:
    told: list[str] = []
    found = measure(Settings(), 500, 1, 6, told.append)
    assert (found.planted, found.found, len(found.seconds)) == (6, 6, 6)
    assert found.candidates >= 6
    assert told[0] == "remembering 500 posts"
