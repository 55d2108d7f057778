"""compose.yaml fits its schema, names real settings and commands, and gives nothing away.

No container runs here; see "Not tried yet" in docs/deployment.md.
"""

import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from haechi import app
from streams.settings import Settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "compose.yaml"
PROMETHEUS = ROOT / "dashboards/prometheus/prometheus.yml"


def load(file: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(file)
    return loaded


COMPOSE = load(FILE)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
EACH = pytest.mark.parametrize("name", SERVICES)
EACH_OF_OURS = pytest.mark.parametrize("name", OURS)


def program(name: str) -> Path:
    return Path(sys.executable).parent / name


def check_schema(file: Path) -> subprocess.CompletedProcess[str]:
    command = [
        str(program("check-jsonschema")),
        "--builtin-schema",
        "vendor.compose-spec",
        str(file),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_file_fits_the_compose_specification() -> None:
    checked = check_schema(FILE)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("condition: service_healthy", "condition: service_happy"),
        ("read_only: true", "readonly: true"),
        ("cap_drop: [ALL]", "cap_drop: ALL"),
    ],
)
def test_the_schema_would_notice_a_slip(right: str, wrong: str, tmp_path: Path) -> None:
    text = FILE.read_text()
    assert right in text
    (tmp_path / "compose.yaml").write_text(text.replace(right, wrong, 1))
    assert check_schema(tmp_path / "compose.yaml").returncode != 0


@EACH_OF_OURS
def test_a_variable_is_a_setting_and_its_value_is_accepted(name: str) -> None:
    given = {
        variable: str(value)
        for variable, value in SERVICES[name]["environment"].items()
        if variable != "HAECHI_CONFIG"  # names the file of the other settings
    }
    assert {variable.removeprefix("HAECHI_").lower() for variable in given} <= set(
        Settings.model_fields
    )
    fields = {
        variable.removeprefix("HAECHI_").lower(): re.sub(r"\$\{\w+:-(.*)\}", r"\1", value)
        for variable, value in given.items()
    }
    Settings(**fields)  # type: ignore[arg-type]


@EACH_OF_OURS
def test_a_command_exists(name: str) -> None:
    words = SERVICES[name]["command"]
    assert words[0] == "haechi"
    assert "haechi" in {entry.name for entry in distribution("haechi").entry_points}
    shown = CliRunner().invoke(app, [*words[1:], "--help"])
    assert shown.exit_code == 0, shown.output
    assert f"Usage: {' '.join(['root', *words[1:]])}" in shown.output.replace("haechi", "root")


def ports_of(name: str) -> set[int]:
    """Find the ports that a process of ours listens on by default."""
    used = {
        "collector": ("collector_port", "push_port"),
        "worker": ("worker_port",),
        "console": ("console_port",),
    }
    return {Settings.model_fields[field].default for field in used.get(name, ())}


def test_prometheus_scrapes_the_ports_that_the_services_listen_on() -> None:
    scraped = {}
    for job in load(PROMETHEUS)["scrape_configs"]:
        for sd in job.get("dns_sd_configs", []):
            scraped[job["job_name"]] = (sd["names"][0], sd["port"])
        for target in job.get("static_configs", []):
            host, port = target["targets"][0].split(":")
            scraped[job["job_name"]] = (host, int(port))
    defaults = Settings.model_fields
    assert scraped["haechi-worker"] == ("worker", defaults["worker_port"].default)
    assert scraped["haechi-collector"] == ("collector", defaults["collector_port"].default)
    assert scraped["haechi-console"] == ("console", defaults["console_port"].default)
    assert {host for host, _ in scraped.values()} - {"localhost"} <= set(SERVICES)


@EACH
def test_a_port_is_published_on_loopback_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port), port
        if name in OURS:
            assert int(port.split(":")[1]) in ports_of(name)


@EACH_OF_OURS
def test_a_health_check_asks_a_port_of_its_own_process(name: str) -> None:
    if SERVICES[name].get("restart") == "no":  # a job that ends
        return
    asked = re.search(r"127\.0\.0\.1:(\d+)/", SERVICES[name]["healthcheck"]["test"][-1])
    assert asked
    assert int(asked[1]) in ports_of(name)


@EACH
def test_a_service_holds_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert str(service["user"]).split(":")[0] not in {"0", "root"}
    assert not service.get("privileged", False)


@EACH
def test_an_image_is_pinned(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.?\d*", SERVICES[name]["image"])


@EACH
def test_a_service_that_stays_says_how_it_is(name: str) -> None:
    assert "healthcheck" in SERVICES[name] or SERVICES[name]["restart"] == "no"


def test_what_holds_data_has_no_way_out() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("kafka", "redis", "postgres"):
        assert SERVICES[name]["networks"] == ["inside"]
        assert "ports" not in SERVICES[name]


def test_no_secret_stands_in_the_file() -> None:
    text = FILE.read_text()
    assert not re.search(
        r"(?i)(password|token|secret)\s*[:=]\s*[^\s{\[&]*\w{6}",
        re.sub(
            r".*(__FILE|_FILE|/run/secrets/|\./secrets/|^secrets:).*", "", text, flags=re.MULTILINE
        ),
    )
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    assert "secrets/" in (ROOT / ".gitignore").read_text()


def test_the_keys_are_a_volume_apart() -> None:
    settings = SERVICES["worker"]["environment"]
    mounted = {
        volume.split(":")[1]: volume.split(":")[0] for volume in SERVICES["worker"]["volumes"]
    }
    assert mounted[settings["HAECHI_KEYS"]] == "keys"
    assert mounted[settings["HAECHI_HOME"]] == "home"
    holders = {
        name
        for name in SERVICES
        if any(str(v).startswith("keys:") for v in SERVICES[name].get("volumes", []))
    }
    assert holders <= set(OURS)
    assert "Never back up the volume `keys`" in (ROOT / "docs/deployment.md").read_text()


def test_every_volume_that_is_mounted_is_declared_or_in_the_repository() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).is_dir()


def test_a_topic_has_as_many_partitions_whoever_creates_it() -> None:
    wanted = SERVICES["worker"]["environment"]["HAECHI_PARTITIONS"]
    assert SERVICES["kafka"]["environment"]["KAFKA_NUM_PARTITIONS"] == wanted


def test_every_variable_of_the_desk_has_a_default_and_an_example() -> None:
    asked = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", FILE.read_text()))
    assert len(re.findall(r"\$\{", FILE.read_text())) == len(
        re.findall(r"\$\{\w+:-", FILE.read_text())
    )
    example = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert example == asked
