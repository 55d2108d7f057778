"""`agents.benchmarks.lookback`."""

import json

import pytest
from typer.testing import CliRunner

from agents.benchmarks.cli import bench_app
from agents.benchmarks.lookback import PLANTED, measure_lookback


def test_everything_planted_is_found_whatever_is_kept_beside_it() -> None:
    told: list[str] = []
    small, large = measure_lookback([PLANTED + 50, 2000], progress=told.append)
    assert (small.fingerprints, large.fingerprints) == (PLANTED + 50, 2000)
    for found in (small, large):
        assert found.recall == 1
        assert min(found.query_seconds, found.numpy_seconds, found.case_seconds) > 0
        assert found.added_per_second > 0
    assert 1024 < large.bytes_per_fingerprint < 4096
    assert len(told) == 2


def test_the_command_prints_one_object_for_each_size() -> None:
    result = CliRunner().invoke(bench_app, ["lookback", "--sizes", "200,300", "--json"])
    assert result.exit_code == 0
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["fingerprints"] for one in found] == [200, 300]


@pytest.mark.parametrize("sizes", ["100", "many", "", "1000,,2000", "-1000"])
def test_sizes_that_are_none_are_a_usage_error(sizes: str) -> None:
    assert CliRunner().invoke(bench_app, ["lookback", "--sizes", sizes]).exit_code == 2
