"""What was found in one post, as plain numbers that a file keeps, and back again.

The numbers come before any calibration, so that fitting again costs no looking again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.examined import Examined
from agents.steps.findings import FilmFound, Findings, StillFound
from alerts.policy import Points
from gpu_kernels.alignment import Alignment
from gpu_kernels.search import Candidate
from gpu_kernels.sound_line import SoundMatch

Record = dict[str, Any]
"""JSON: `references` by id, `looked`, or `error`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one post gave.

    Args:
        findings: by the ordinal in the set's order of references.
        nearest: cosine of the most alike frames of a film, whatever their order, by ordinal.
        seconds: of the medium.
        error: the reason where it could not be looked at.
    """

    findings: Findings
    nearest: Mapping[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None


def to_record(
    examined: Examined, ids: Sequence[str], nearest: Mapping[int, float] | None = None
) -> Record:
    """Write down what was found.

    Args:
        examined: the post.
        ids: of the gallery's references, in order.
        nearest: see `Seen`.
    """
    findings = examined.findings
    looked = examined.looked
    return {
        "space": findings.space,
        "references": {
            ids[ordinal]: {
                "still": _still(findings.stills.get(ordinal)),
                "film": _film(findings.films.get(ordinal)),
                "sound": _sound(findings.sounds.get(ordinal)),
                "nearest": (nearest or {}).get(ordinal),
            }
            for ordinal in findings.ordinals
        },
        "looked": {
            "kind": looked.kind,
            "seconds": looked.seconds,
            "until_seconds": looked.until_seconds,
            "frames": looked.frames,
        },
    }


def from_record(record: Record, ordinals: Mapping[str, int]) -> Seen:
    """Read what `to_record` wrote.

    Args:
        record: of one post.
        ordinals: by the references' ids.
    """
    findings, nearest = Findings(space=record.get("space", "")), dict[int, float]()
    for name, found in record.get("references", {}).items():
        ordinal = ordinals[name]
        if found["still"] is not None:
            findings.stills[ordinal] = _to_still(ordinal, found["still"])
        if found["film"] is not None:
            findings.films[ordinal] = _to_film(found["film"])
        if found["sound"] is not None:
            findings.sounds[ordinal] = _to_sound(found["sound"])
        if found.get("nearest") is not None:
            nearest[ordinal] = found["nearest"]
    seconds = float(record.get("looked", {}).get("seconds", 0.0))
    return Seen(findings=findings, nearest=nearest, seconds=seconds, error=record.get("error"))


def _points(points: Points | None) -> list[float] | None:
    return None if points is None else [points.count, points.share]


def _to_points(found: Any) -> Points | None:
    return None if found is None else Points(count=int(found[0]), share=float(found[1]))


def _still(found: StillFound | None) -> Record | None:
    if found is None:
        return None
    return {
        "similarity": found.candidate.similarity,
        "pdq_distance": found.candidate.pdq_distance,
        "query_box": found.candidate.query_box,
        "detail": found.candidate.detail,
        "reference_seconds": found.candidate.reference_seconds,
        "frame": found.frame,
        "at_seconds": found.at_seconds,
        "points": _points(found.points),
    }


def _to_still(ordinal: int, found: Record) -> StillFound:
    x0, y0, x1, y1 = found["query_box"]
    candidate = Candidate(
        ordinal=ordinal,
        similarity=found["similarity"],
        pdq_distance=found["pdq_distance"],
        query_box=(x0, y0, x1, y1),
        detail=found["detail"],
        reference_seconds=found["reference_seconds"],
    )
    return StillFound(
        candidate=candidate,
        frame=found["frame"],
        at_seconds=found["at_seconds"],
        points=_to_points(found["points"]),
    )


def _film(found: FilmFound | None) -> Record | None:
    if found is None:
        return None
    line = found.alignment
    return {
        "similarity": line.similarity,
        "frames": line.frames,
        "speed": line.speed,
        "query": line.query_span_seconds,
        "reference": line.reference_span_seconds,
        "pattern": line.pattern,
        "points": _points(found.points),
    }


def _to_film(found: Record) -> FilmFound:
    alignment = Alignment(
        similarity=found["similarity"],
        frames=found["frames"],
        speed=found["speed"],
        query_span_seconds=_span(found["query"]),
        reference_span_seconds=_span(found["reference"]),
        pattern=found["pattern"],
        pairs=(),
    )
    return FilmFound(alignment=alignment, points=_to_points(found["points"]))


def _sound(found: SoundMatch | None) -> Record | None:
    if found is None:
        return None
    return {
        "similarity": found.similarity,
        "query": found.query_span_seconds,
        "reference": found.reference_span_seconds,
        "speed": found.speed,
        "pitch": found.pitch_semitones,
    }


def _to_sound(found: Record) -> SoundMatch:
    return SoundMatch(
        similarity=found["similarity"],
        query_span_seconds=_span(found["query"]),
        reference_span_seconds=_span(found["reference"]),
        speed=found["speed"],
        pitch_semitones=found["pitch"],
    )


def _span(found: Sequence[float]) -> tuple[float, float]:
    start, end = found
    return float(start), float(end)
