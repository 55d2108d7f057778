"""The board is what its script writes, keeps to lint rules, and each of its panels answers.

No Grafana runs here: what Grafana does with the board is not tested. A real Prometheus is.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from tests.servers import die_with_parent, free_port, missing

ROOT = Path(__file__).parents[3]
FILE = ROOT / "dashboards/grafana/pipeline.json"
BOARD = json.loads(FILE.read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS: list[str] = [target["expr"] for panel in PANELS for target in panel["targets"]]
START_SECONDS = 30


def titles(panel: dict[str, Any]) -> str:
    return str(panel["title"])


def as_promql(expression: str) -> str:
    """Fill in what Grafana would."""
    return expression.replace("$__rate_interval", "10s").replace("$__range", "1m")


def test_the_board_is_what_its_script_writes() -> None:
    script = [sys.executable, str(ROOT / "scripts/board.py")]
    written = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert FILE.read_text() == written, "run: scripts/board.py >dashboards/grafana/pipeline.json"


def test_the_board_has_a_name_of_its_own_and_is_not_edited_by_hand() -> None:
    assert (BOARD["uid"], BOARD["title"]) == ("haechi-pipeline", "Haechi: pipeline")
    assert BOARD["editable"] is False


def test_the_board_asks_one_data_source_that_its_viewer_may_choose() -> None:
    assert [v["name"] for v in BOARD["templating"]["list"] if v["type"] == "datasource"] == [
        "datasource"
    ]


@pytest.mark.parametrize("panel", PANELS, ids=titles)
def test_a_panel_says_what_it_shows_and_in_what_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    asked = [panel["datasource"], *[target["datasource"] for target in panel["targets"]]]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in asked)


def test_no_panel_stands_on_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_rate_is_taken_over_an_interval_that_holds_enough_scrapes(expression: str) -> None:
    assert set(re.findall(r"\[(.+?)\]", expression)) <= {"$__rate_interval", "$__range"}


def test_grafana_is_told_where_the_board_and_the_data_are() -> None:
    yaml, provisioning = YAML(typ="safe"), FILE.parent / "provisioning"
    provider = yaml.load(provisioning / "dashboards/haechi.yaml")["providers"][0]
    source = yaml.load(provisioning / "datasources/prometheus.yaml")["datasources"][0]
    compose = yaml.load(ROOT / "compose.yaml")["services"]
    mounted = {
        volume.split(":")[1]: volume.split(":")[0]
        for volume in compose["grafana"]["volumes"]
        if isinstance(volume, str)
    }
    assert (ROOT / mounted[provider["options"]["path"]]).resolve() == FILE.parent
    assert (ROOT / mounted["/etc/grafana/provisioning"]).resolve() == provisioning
    assert source["type"] == "prometheus"
    assert source["url"].split("/")[-1].split(":")[0] in compose


@pytest.mark.servers
def test_prometheus_can_read_every_expression(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        missing("promtool")
    rules = [
        {"record": f"board:expression:{number}", "expr": as_promql(expression)}
        for number, expression in enumerate(EXPRESSIONS)
    ]
    file = tmp_path / "rules.yml"
    YAML(typ="safe", pure=True).dump({"groups": [{"name": "board", "rules": rules}]}, file)
    checked = subprocess.run(
        ["promtool", "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus with our rules that has scraped every metric a few times; its URL."""
    if not shutil.which("prometheus"):
        missing("prometheus")
    folder, port, exporter = tmp_path_factory.mktemp("prometheus"), free_port(), free_port()
    config = folder / "prometheus.yml"
    scrape = {
        "job_name": "haechi-worker",
        "static_configs": [{"targets": [f"127.0.0.1:{exporter}"]}],
    }
    YAML(typ="safe", pure=True).dump(
        {
            "global": {
                "scrape_interval": "1s",
                "scrape_timeout": "1s",
                "evaluation_interval": "1s",
            },
            "rule_files": [str(ROOT / "dashboards/prometheus/rules.yml")],
            "scrape_configs": [scrape],
        },
        config,
    )
    commands: list[list[str]] = [
        [sys.executable, "-m", "tests.dashboards.exporter", str(exporter)],
        ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
         f"--web.listen-address=127.0.0.1:{port}"],
    ]  # fmt: skip
    running = [
        subprocess.Popen(
            command, cwd=ROOT, preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for_scrapes(url, 4)
        yield url
    finally:
        for process in running:
            process.terminate()
            process.wait(START_SECONDS)


def query(url: str, expression: str) -> list[Any]:
    answer = httpx.get(f"{url}/api/v1/query", params={"query": expression}, timeout=10)
    result: list[Any] = answer.raise_for_status().json()["data"]["result"]
    return result


def wait_for_scrapes(url: str, number: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            found = query(url, "count_over_time(haechi_inbox_posts[1m])")
            ruled = query(url, "haechi:tasks_late:ratio_rate1h >= 0")
        except httpx.HTTPError:  # Not listening yet, or 503 while it opens its storage.
            found = ruled = []
        if found and ruled and int(found[0]["value"][1]) >= number:
            return
        time.sleep(0.2)
    pytest.fail("Prometheus has not scraped the exporter in time")


@pytest.mark.servers
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_panel_shows_a_number_once_the_metric_moves(prometheus: str, expression: str) -> None:
    result = query(prometheus, as_promql(expression))
    assert result
    assert all(series["value"][1] != "NaN" for series in result)
