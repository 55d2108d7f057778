"""The house style, where a linter cannot see it."""

import ast
import re
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("streams", "agents", "gpu_kernels", "monitors", "alerts", "dashboards")
MODULES = sorted(
    path.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("*.py")
)
MAX_LINES = 400

UNTESTED = {  # declarations only
    Path(name)
    for name in (
        "gpu_kernels/errors.py",
        "monitors/metrics.py",
        "monitors/source_tables.py",
        "monitors/tables.py",
        "streams/errors.py",
        "streams/topics.py",
        "streams/types.py",
    )
}
CONTRACTS: Mapping[Path, Path] = {  # a registry, and the suite that all it names pass
    Path("gpu_kernels/engine.py"): Path("tests/contracts/test_engines.py"),
    Path("gpu_kernels/index.py"): Path("tests/contracts/test_indexes.py"),
    Path("gpu_kernels/network.py"): Path("tests/contracts/test_networks.py"),
    Path("monitors/lookback.py"): Path("tests/contracts/test_lookback.py"),
}
MIGRATIONS = Path("monitors/migrations")  # run as a whole by tests/monitors/test_migrate.py


def ids(path: Path) -> str:
    return path.as_posix()


def dotted(module: Path) -> str:
    return ".".join(module.with_suffix("").parts)


def imported_by(registry: Path) -> set[str]:
    tree = ast.parse((ROOT / registry).read_text())
    return {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def is_under_contract(module: Path) -> bool:
    """Say whether a registry's suite tests it: `…_engine.py` by that of `engine.py`."""
    return module in CONTRACTS or any(
        dotted(module) in imported_by(registry) and module.stem.endswith(f"_{registry.stem}")
        for registry in CONTRACTS
    )


def owes_a_test(module: Path) -> bool:
    exempt = module in UNTESTED or is_under_contract(module) or MIGRATIONS in module.parents
    return module.name != "__init__.py" and not exempt


@pytest.mark.parametrize("module", [*MODULES, Path("haechi.py")], ids=ids)
def test_a_module_is_short_enough_to_read_at_once(module: Path) -> None:
    assert len((ROOT / module).read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("module", [m for m in MODULES if m.name == "__init__.py"], ids=ids)
def test_an_init_says_what_the_package_is_and_runs_nothing(module: Path) -> None:
    tree = ast.parse((ROOT / module).read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


@pytest.mark.parametrize("module", [m for m in MODULES if owes_a_test(m)], ids=ids)
def test_a_module_has_its_test_beside_it(module: Path) -> None:
    assert (ROOT / "tests" / module.with_name(f"test_{module.name}")).is_file()


@pytest.mark.parametrize("registry", CONTRACTS, ids=ids)
def test_a_contract_is_held_by_every_implementation_of_the_registry(registry: Path) -> None:
    suite = (ROOT / CONTRACTS[registry]).read_text()
    assert f"from {dotted(registry)} import" in suite
    assert re.search(r"params=sorted\([A-Z]+S\)", suite)


def test_no_exemption_outlives_its_module() -> None:
    assert set(MODULES) >= UNTESTED | set(CONTRACTS)


def test_no_package_of_tests_shadows_the_one_that_it_tests() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_our_top_level_names_are_ours_alone() -> None:
    owners = packages_distributions()
    strangers = {name: set(owners.get(name, [])) - {"haechi"} for name in (*PACKAGES, "haechi")}
    assert not any(strangers.values()), strangers
