"""What may be found in a post, made up, and a set of such posts."""

from pathlib import Path

import numpy as np

from agents.benchmarks.recognition_records import Seen
from agents.benchmarks.recognition_set import KindSet, Post, Reference
from agents.steps.findings import FilmFound, Findings, StillFound
from alerts.policy import Points
from gpu_kernels.alignment import Alignment
from gpu_kernels.search import Candidate
from gpu_kernels.sound_line import SoundMatch


def a_still(ordinal: int, similarity: float, *, points: int = 0) -> StillFound:
    candidate = Candidate(
        ordinal=ordinal,
        similarity=similarity,
        pdq_distance=None,
        query_box=(0.0, 0.0, 1.0, 1.0),
        detail=5.5,
    )
    return StillFound(
        candidate=candidate, frame=0, at_seconds=0.0, points=Points(count=points, share=0.5)
    )


def a_film(similarity: float, *, frames: int, points: int, pattern: float = 0.9) -> FilmFound:
    line = Alignment(
        similarity=similarity,
        frames=frames,
        speed=1.0,
        query_span_seconds=(0.0, 4.0),
        reference_span_seconds=(1.0, 5.0),
        pattern=pattern,
        pairs=(),
    )
    return FilmFound(alignment=line, points=Points(count=points, share=0.5))


def a_sound(similarity: float) -> SoundMatch:
    return SoundMatch(
        similarity=similarity,
        query_span_seconds=(0.0, 4.0),
        reference_span_seconds=(1.0, 5.0),
        speed=1.0,
        pitch_semitones=0,
    )


def a_set(kind: str, copies: int = 40, unrelated: int = 200) -> tuple[KindSet, list[Seen]]:
    """Make posts of which copies are plainly alike and the others by chance, as chance would."""
    chance = np.random.default_rng(len(kind))
    references = tuple(Reference(id=f"{kind}{i}-0", file="") for i in range(8))
    posts, seen = [], []
    for i in range(copies + unrelated):
        is_copy = i < copies
        ordinal = i % 8
        likeness = chance.uniform(0.5, 0.95) if is_copy else chance.uniform(0.2, 0.3)
        points = int(chance.integers(15, 60) if is_copy else chance.integers(3, 5))
        findings = Findings(space="s")
        if kind == "image":
            findings.stills[ordinal] = a_still(ordinal, likeness, points=points)
        elif kind == "video":
            frames = int(chance.integers(4, 30) if is_copy else chance.integers(1, 4))
            findings.films[ordinal] = a_film(likeness, frames=frames, points=points)
        else:
            findings.sounds[ordinal] = a_sound(likeness)
        source = f"{kind}{ordinal}-0" if is_copy else f"other{i}-0"
        segment = (0.0, 4.0, 1.0, 5.5) if is_copy and kind == "video" else None
        posts.append(
            Post(
                file=str(i),
                reference=ordinal if is_copy else -1,
                edit="crop" if is_copy else None,
                source=source,
                segment=segment,
            )
        )
        seen.append(Seen(findings=findings))
    media = KindSet(
        kind=kind,
        folder=Path(),
        references=references,
        posts=tuple(posts),
        ignored=np.zeros((len(posts), len(references)), bool),
    )
    return media, seen
