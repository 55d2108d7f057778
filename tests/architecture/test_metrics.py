"""What boards and rules show is declared, and what is declared is set by somebody."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECLARATIONS = ROOT / "monitors/metrics.py"
WATCHING = [
    file
    for pattern in ("*.json", "*.yml")
    for file in sorted((ROOT / "dashboards").rglob(pattern))
    if "haechi_" in file.read_text()
]


def constants() -> dict[str, str]:
    """Map each metric's constant to its name."""
    return {
        node.targets[0].id: str(ast.literal_eval(node.value.args[0]))
        for node in ast.parse(DECLARATIONS.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
    }


METRICS = constants()


def test_boards_and_rules_are_watched_at_all() -> None:
    assert {file.name for file in WATCHING} >= {"pipeline.json", "rules.yml"}


@pytest.mark.parametrize("file", WATCHING, ids=lambda path: path.name)
def test_every_metric_on_a_board_or_a_rule_exists(file: Path) -> None:
    named = set(re.findall(r"\bhaechi_[a-z_]+", file.read_text()))
    suffixes = re.compile(r"_(bucket|sum|count)$")
    assert {suffixes.sub("", name) for name in named} <= set(METRICS.values())


def test_every_recorded_series_on_a_board_is_recorded() -> None:
    rules = (ROOT / "dashboards/prometheus/rules.yml").read_text()
    recorded = set(re.findall(r"record: (\S+)", rules))
    boards = "".join(file.read_text() for file in WATCHING)
    assert set(re.findall(r"\bhaechi:[\w:]+", boards)) <= recorded


@pytest.mark.parametrize("constant", METRICS)
def test_every_metric_is_set_by_somebody(constant: str) -> None:
    code = [
        file.read_text()
        for folder in ("agents", "alerts", "dashboards")
        for file in (ROOT / folder).rglob("*.py")
    ]
    assert any(re.search(rf"\b{constant}\b", text) for text in code if "metrics" in text)


@pytest.mark.parametrize("name", METRICS.values())
def test_a_metric_is_named_after_its_unit(name: str) -> None:
    gauges_without = {"haechi_tasks", "haechi_ready"}
    units = r"_(total|seconds|posts|references|cases|deliveries|troubles|kinds|gaps|fingerprints)$"
    assert re.search(units, name) or name in gauges_without
