"""What the pages say can be followed: links lead somewhere, commands exist, no place is named."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from haechi import app

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
DECISIONS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
FOLDERS = (
    "agents", "alerts", "dashboards", "docs", "gpu_kernels", "monitors", "scripts", "streams",
    "tests", ".ci",
)  # fmt: skip
TEXTS = [
    file
    for file in (
        *(path for path in ROOT.iterdir() if path.is_file()),
        *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*")),
    )
    if file.is_file() and "__pycache__" not in file.parts and file != Path(__file__)
]
ELSEWHERE = re.compile(
    r"pypi\.org|pythonhosted|npmjs|docker\.io|ghcr\.io|quay\.io|index-url|artifactory|/work/"
)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """Leave out what stands in code."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


def test_no_file_names_a_registry_or_a_place_of_one_machine() -> None:
    found = {}
    for file in TEXTS:
        try:
            hits = ELSEWHERE.findall(file.read_text())
        except UnicodeDecodeError:
            continue
        if hits:
            found[named(file)] = hits
    assert not found


def test_every_decision_is_in_the_index_and_has_a_number_of_its_own() -> None:
    index = (ROOT / "docs/adr/README.md").read_text()
    assert [file.name for file in DECISIONS if f"]({file.name})" not in index] == []
    numbers = [file.name[:4] for file in DECISIONS]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("decision", DECISIONS, ids=named)
def test_a_decision_has_context_and_consequences_on_one_page(decision: Path) -> None:
    text = decision.read_text()
    assert re.match(rf"# {decision.name[:4]}[: .–-]", text)
    assert [
        part for part in ("Context", "Decision", "Consequences") if f"## {part}" not in text
    ] == []
    assert len(text.split()) <= 800


def commands() -> list[list[str]]:
    """Collect every `haechi …` that a page tells the reader to type, without its arguments."""
    found = set()
    for page in set(PAGES) - {ROOT / "docs/text.md"}:  # its examples are texts of posts
        for line in re.findall(r"(?:^ *|`)haechi ((?:[a-z]+ ?)+)", page.read_text(), re.MULTILINE):
            found.add(tuple(line.split()))
    return [list(words) for words in sorted(found)]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_that_a_page_names_exists(words: list[str]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0, shown.output
    assert "No such command" not in shown.output
