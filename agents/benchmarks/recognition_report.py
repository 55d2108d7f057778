"""Score Haechi and its peers on halves of a set, and print it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agents.benchmarks.evaluation import Likeness, evaluate
from agents.benchmarks.recognition_records import Seen
from agents.benchmarks.recognition_set import REPORTED_HALF, UNSEEN, KindSet
from agents.steps.findings import FilmFound, Findings, StillFound
from agents.steps.matching import confidence, log_odds, may_alert
from alerts.policy import Calibration, decide, fuse, log_odds_of
from gpu_kernels.search import Candidate
from streams.types import Decision


def _all_of_it(one: Seen) -> Findings:
    return one.findings


def _frames_alone(one: Seen) -> Findings:
    return replace(one.findings, sounds={})


def _sound_alone(one: Seen) -> Findings:
    return replace(one.findings, stills={}, films={})


def _without_points(one: Seen) -> Findings:
    return replace(
        one.findings,
        stills={i: replace(found, points=None) for i, found in one.findings.stills.items()},
        films={i: replace(found, points=None) for i, found in one.findings.films.items()},
    )


def _without_order(one: Seen) -> Findings:
    """Take a film for its likest frame, as SSCD's best frame does."""
    likest = {
        ordinal: _as_still(ordinal, found, one.nearest.get(ordinal, -1.0))
        for ordinal, found in one.findings.films.items()
    }
    return replace(one.findings, stills={**one.findings.stills, **likest}, films={})


_DETAILED = 9.0
"""Bits of detail of a frame that nothing is taken away from."""


def _as_still(ordinal: int, film: FilmFound, cosine: float) -> StillFound:
    candidate = Candidate(
        ordinal=ordinal,
        similarity=cosine,
        pdq_distance=None,
        query_box=(0.0, 0.0, 1.0, 1.0),
        detail=_DETAILED,
    )
    return StillFound(candidate=candidate, frame=0, at_seconds=0.0, points=film.points)


WAYS: Mapping[str, Callable[[Seen], Findings]] = {
    "haechi": _all_of_it,
    "haechi, frames alone": _frames_alone,
    "haechi, sound alone": _sound_alone,
    "haechi, no local features": _without_points,
    "haechi, no order in time": _without_order,
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
        way: _matrix(media, [let_speak(one) for one in seen], calibration)
        for way, let_speak in WAYS.items()
        if _says_something(way, media, seen)
    }
    if UNSEEN in media.edits:
        methods["haechi, what peers see"] = _seen_alone(media, methods["haechi"])
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


def _matrix(media: KindSet, findings: Sequence[Findings], calibration: Calibration) -> Likeness:
    likeness = np.full((len(media.posts), len(media.references)), _NOTHING)
    for row, one in enumerate(findings):
        for ordinal in one.ordinals:
            found = log_odds(one, ordinal, calibration)
            likeness[row, ordinal] = log_odds_of(fuse(found.values()))
    return likeness


def _says_something(way: str, media: KindSet, seen: Sequence[Seen]) -> bool:
    """Leave out what cannot differ: of sounds there is nothing to see, of pictures no order."""
    if way == "haechi":
        return True
    if way == "haechi, no order in time":
        return any(one.nearest for one in seen) and media.kind != "image"
    if way == "haechi, no local features":
        return media.kind != "audio"
    return media.kind not in {"image", "audio"}


def _seen_alone(media: KindSet, likeness: Likeness) -> Likeness:
    """Leave out what the peers of videos are not asked about."""
    unseen = np.array([edit == UNSEEN for edit in media.edits])
    return np.where(unseen[:, None], np.nan, likeness)


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
    """Print the figures as tables; a peer ahead of Haechi bears a mark, and so does its edit."""
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
        reported = [row for row in rows if (row.media, row.half) == (media, "reported")]
        if reported:  # a small set's half may hold no copy
            console.print(_by_edit(reported))


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
        ours = rows[0].by_edit[edit]
        peers = [row.by_edit.get(edit, 0.0) for row in rows if not row.method.startswith("haechi")]
        table.add_row(
            edit + (" *" if max(peers, default=0.0) > ours else ""),
            *("-" if one is None else f"{100 * one:.0f}" for one in cells),
        )
    return table
