"""Score Haechi and its peers on halves of a set, and print it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agents.benchmarks.evaluation import Likeness, evaluate
from agents.benchmarks.recognition_records import Seen
from agents.benchmarks.recognition_set import REPORTED_HALF, KindSet
from agents.steps.findings import Findings
from agents.steps.matching import confidence, log_odds, may_alert
from alerts.policy import Calibration, decide, fuse, log_odds_of
from streams.types import Decision, Modality

WAYS: Mapping[str, frozenset[Modality]] = {
    "haechi": frozenset({Modality.FRAME, Modality.AUDIO}),
    "haechi, frames alone": frozenset({Modality.FRAME}),
    "haechi, sound alone": frozenset({Modality.AUDIO}),
}
"""The ablation: what is let speak."""

_NOTHING = -60.0
"""Log-odds of a pair that nothing speaks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method on one half of one kind of a set.

    Args:
        media: kind and set.
        half: "all" or "reported".
        method: its name.
        copies: scored.
        unrelated: scored.
        micro_ap: over all pairs.
        recall: of copies above the most alike unrelated post.
        by_edit: that recall for each edit.
        alert: recall and false posts at the threshold; None of a peer.
        review: likewise.
    """

    media: str
    half: str
    method: str
    copies: int
    unrelated: int
    micro_ap: float
    recall: float
    by_edit: dict[str, float]
    alert: tuple[float, int] | None = None
    review: tuple[float, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the figures under the names that scripts rely upon."""
        return asdict(self)


def score(
    name: str,
    media: KindSet,
    seen: Sequence[Seen],
    calibration: Calibration,
    peers: Mapping[str, Likeness],
) -> list[Row]:
    """Score every method, on all of a kind and on the half that nothing was fitted on."""
    decisions = _decisions(media, seen, calibration)
    methods: dict[str, Likeness] = {
        way: _matrix(media, seen, calibration, modalities) for way, modalities in WAYS.items()
    }
    rows = []
    for half, which in (("all", None), ("reported", REPORTED_HALF)):
        posts, references = media.part(which)
        copies = media.truth[posts] >= 0
        if not copies.any() or copies.all():
            continue  # a half of a small set may lack either
        for method, likeness in {**methods, **peers}.items():
            rows.append(
                _row(
                    (f"{media.kind}, {name}", half, method),
                    media,
                    (posts, references),
                    likeness,
                    decisions if method == "haechi" else None,
                )
            )
    return rows


def span_errors(media: KindSet, seen: Sequence[Seen]) -> list[float]:
    """Give how far the four ends of each found video copy are from the truth, in seconds."""
    errors = []
    for post, one in zip(media.posts, seen, strict=True):
        film = one.findings.films.get(post.reference) if post.reference >= 0 else None
        if film is None or post.segment is None:
            continue
        line = film.alignment
        found = (*line.query_span_seconds, *line.reference_span_seconds)
        errors += [abs(a - b) for a, b in zip(found, post.segment, strict=True)]
    return errors


def alarms_between(
    media: KindSet, seen: Sequence[Seen], calibration: Calibration, one: str, other: str
) -> dict[str, int]:
    """Count copies of one reference that reach a decision on the other: other recordings."""
    places = {reference.id: i for i, reference in enumerate(media.references)}
    counts = {"posts": 0, "review": 0, "alert": 0}
    for mine, theirs in ((one, other), (other, one)):
        if mine not in places or theirs not in places:
            continue
        for post, found in zip(media.posts, seen, strict=True):
            if post.reference != places[mine]:
                continue
            counts["posts"] += 1
            decision = _decision(found.findings, places[theirs], calibration)
            if decision is not Decision.NONE:
                counts[decision.value] += 1
    return counts


def _matrix(
    media: KindSet,
    seen: Sequence[Seen],
    calibration: Calibration,
    modalities: frozenset[Modality],
) -> Likeness:
    likeness = np.full((len(media.posts), len(media.references)), _NOTHING)
    for row, one in enumerate(seen):
        for ordinal in one.findings.ordinals:
            found = log_odds(one.findings, ordinal, calibration)
            kept = [value for modality, value in found.items() if modality in modalities]
            if kept:
                likeness[row, ordinal] = log_odds_of(fuse(kept))
    return likeness


def _decision(findings: Findings, ordinal: int, calibration: Calibration) -> Decision:
    if ordinal not in findings.ordinals:
        return Decision.NONE
    sure = confidence(findings, ordinal, calibration)
    return decide(calibration, sure, may_alert=may_alert(findings, ordinal, calibration))


_RANKS = {Decision.NONE: 0, Decision.REVIEW: 1, Decision.ALERT: 2}


def _decisions(media: KindSet, seen: Sequence[Seen], calibration: Calibration) -> NDArray[np.int64]:
    ranks = np.zeros((len(media.posts), len(media.references)), np.int64)
    for row, one in enumerate(seen):
        for ordinal in one.findings.ordinals:
            ranks[row, ordinal] = _RANKS[_decision(one.findings, ordinal, calibration)]
    return ranks


def _row(
    names: tuple[str, str, str],
    media: KindSet,
    chosen: tuple[NDArray[np.intp], NDArray[np.intp]],
    likeness: Likeness,
    decisions: NDArray[np.int64] | None,
) -> Row:
    posts, references = chosen
    scored = posts[~np.isnan(likeness[posts]).any(axis=1)]
    pairs = np.ix_(scored, references)
    values = np.where(media.ignored[pairs], -np.inf, likeness[pairs])
    place = {int(reference): i for i, reference in enumerate(references)}
    truth = np.array([place.get(int(one), -1) for one in media.truth[scored]], np.intp)
    edits = [media.edits[i] for i in scored]
    scores = evaluate(values, truth, edits)
    alert = review = None
    if decisions is not None:
        ranks = np.where(media.ignored[pairs], 0, decisions[pairs])
        alert, review = (_at(ranks, truth, least) for least in (2, 1))
    return Row(
        media=names[0],
        half=names[1],
        method=names[2],
        copies=int((truth >= 0).sum()),
        unrelated=int((truth < 0).sum()),
        micro_ap=scores.micro_ap,
        recall=scores.recall,
        by_edit=scores.by_edit,
        alert=alert,
        review=review,
    )


def _at(ranks: NDArray[np.int64], truth: NDArray[np.intp], least: int) -> tuple[float, int]:
    copies = truth >= 0
    found = ranks[copies, truth[copies]] >= least
    return float(found.mean()), int((ranks[~copies].max(axis=1) >= least).sum())


def print_report(rows: Sequence[Row], console: Console) -> None:
    """Print the figures as tables; where Haechi is not first, the method that is bears a mark."""
    table = Table("media", "half", "method", "copies", "micro-AP", "recall at 0", "alert", "review")
    for row in rows:
        table.add_row(
            row.media,
            row.half,
            row.method + ("" if _is_behind(row, rows) else " *"),
            f"{row.copies} of {row.copies + row.unrelated}",
            f"{row.micro_ap:.4f}",
            f"{row.recall:.4f}",
            *(_cell(one) for one in (row.alert, row.review)),
        )
    console.print(table)
    for media in dict.fromkeys(row.media for row in rows):
        console.print(_by_edit([r for r in rows if r.media == media and r.half == "reported"]))


def _is_behind(row: Row, rows: Sequence[Row]) -> bool:
    ours = next(
        one for one in rows if (one.media, one.half, one.method) == (row.media, row.half, "haechi")
    )
    return row.method.startswith("haechi") or row.recall <= ours.recall


def _cell(found: tuple[float, int] | None) -> str:
    return "" if found is None else f"{found[0]:.3f}, {found[1]} false"


def _by_edit(rows: Sequence[Row]) -> Table:
    table = Table(f"{rows[0].media}, recall at 0 false alarms, %", *(row.method for row in rows))
    for edit in rows[0].by_edit:
        cells = [row.by_edit.get(edit) for row in rows]
        table.add_row(edit, *("-" if one is None else f"{100 * one:.0f}" for one in cells))
    return table
