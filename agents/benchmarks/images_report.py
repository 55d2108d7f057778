"""How `haechi bench images` prints what it found."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.benchmarks.images import Evidence, Row
from alerts.policy import Calibration


def to_json(evidence: Evidence, rows: Sequence[Row], calibration: Calibration) -> dict[str, Any]:
    """Give everything of one set as one object."""
    copies = int((evidence.images.truth >= 0).sum())
    return {
        "set": evidence.images.name,
        "folder": evidence.images.folder.name,
        "references": len(evidence.images.references),
        "copies": copies,
        "unrelated": len(evidence.images.posts) - copies,
        "views_per_image": evidence.views,
        "seconds_per_image": evidence.seconds,
        "alert": calibration.alert,
        "review": calibration.review,
        "methods": [row.to_json() for row in rows],
    }


def print_report(evidence: Evidence, rows: Sequence[Row], console: Console) -> None:
    """Print the figures of one set as tables."""
    console.print(
        f"{evidence.images.folder.name}: {len(evidence.images.references)} references, "
        f"{len(evidence.images.posts)} posts; {evidence.views:.2f} embeddings and "
        f"{1000 * evidence.seconds:.0f} ms of one core a post"
    )
    console.print(_summary(rows))
    console.print(_by_edit([row for row in rows if row.half == "reported"]))


def _summary(rows: Sequence[Row]) -> Table:
    table = Table("method", "half", "micro-AP", "recall at 0 false alarms", "at its thresholds")
    for row in rows:
        fixed = [
            f"{name}: {value.recall:.3f}, {value.false_posts} of {value.unrelated} false"
            for name, value in row.thresholds.items()
        ]
        table.add_row(
            row.method,
            row.half,
            f"{row.scores.micro_ap:.4f}",
            f"{row.scores.recall:.4f}",
            "\n".join(fixed),
        )
    return table


def _by_edit(rows: Sequence[Row]) -> Table:
    """Recall of each edit at zero false alarms, and Haechi's at its thresholds."""
    columns: dict[str, dict[str, float]] = {}
    for row in rows:
        columns[row.method] = row.scores.by_edit
        if row.method == "haechi":
            columns |= {name: value.by_edit for name, value in row.thresholds.items()}
    table = Table("edit, reported half, %", *columns)
    for edit in rows[0].scores.by_edit:
        table.add_row(edit, *(f"{100 * column[edit]:.0f}" for column in columns.values()))
    return table
