"""The rules hold under Prometheus's own checks, and their tests would notice a change."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.servers import missing

ROOT = Path(__file__).parents[3]
RULES = ROOT / "dashboards/prometheus/rules.yml"
SUITES = sorted(Path(__file__).parent.glob("*_test.yml"))

pytestmark = pytest.mark.servers


def alerts() -> list[dict[str, Any]]:
    groups = YAML(typ="safe").load(RULES)["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


ALERTS = [rule["alert"] for rule in alerts()]


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    if not shutil.which("promtool"):
        missing("promtool")
    return subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)


def scaled(expression: str, factor: float) -> str:
    """Move each threshold of a comparison, but for those at zero."""
    return re.sub(
        r"> (\d+(?:\.\d+)?)", lambda found: f"> {float(found[1]) * factor}", str(expression)
    )


def mutants() -> list[tuple[str, str, str]]:
    made = []
    for rule in alerts():
        name, expression = rule["alert"], rule["expr"]
        made.append((name, "never fires", "vector(0) > 1"))
        if name != "Watchdog":
            made.append((name, "always fires", "vector(1)"))
        made += [
            (name, f"threshold times {factor}", scaled(expression, factor))
            for factor in (0.5, 2)
            if scaled(expression, factor) != scaled(expression, 1)
        ]
    return made


def test_prometheus_accepts_the_configuration() -> None:
    checked = promtool("check", "config", ROOT / "dashboards/prometheus/prometheus.yml")
    assert checked.returncode == 0, checked.stderr


def test_prometheus_finds_nothing_to_lint_in_the_rules() -> None:
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.stem)
def test_the_rules_fire_when_they_should_and_then_alone(suite: Path) -> None:
    tested = promtool("test", "rules", suite)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize(
    ("alert", "expression"),
    [pytest.param(name, expr, id=f"{name} {how}") for name, how, expr in mutants()],
)
def test_a_changed_rule_is_caught(alert: str, expression: str, tmp_path: Path) -> None:
    yaml = YAML(typ="safe", pure=True)
    document = yaml.load(RULES)
    for group in document["groups"]:
        for rule in group["rules"]:
            if rule.get("alert") == alert:
                rule["expr"] = expression
    yaml.dump(document, tmp_path / "rules.yml")
    suites = [suite for suite in SUITES if f"alertname: {alert}" in suite.read_text()]
    copies = [tmp_path / suite.name for suite in suites]
    for suite, copy in zip(suites, copies, strict=True):
        copy.write_text(
            suite.read_text().replace(f"../../../{RULES.relative_to(ROOT)}", "rules.yml")
        )
    accepted = promtool("check", "rules", tmp_path / "rules.yml")
    assert accepted.returncode == 0, accepted.stderr
    tested = promtool("test", "rules", *copies)
    assert tested.returncode != 0
    assert f"alertname: {alert}" in tested.stdout + tested.stderr


@pytest.mark.parametrize("rule", alerts(), ids=ALERTS)
def test_an_alert_says_how_urgent_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket", "none"}
    page, anchor = rule["annotations"]["runbook"].split("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), flags=re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


def test_an_alert_tells_nothing_of_a_case() -> None:
    told = RULES.read_text()
    assert set(re.findall(r"\$labels\.(\w+)", told)) <= {
        "agent",
        "reason",
        "job",
        "source",
        "trouble",
    }
