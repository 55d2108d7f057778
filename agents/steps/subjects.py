"""Faces and voices of a medium, compared with those of the consenting subjects: no I/O."""

from collections.abc import Mapping, Sequence

from agents.steps.findings import SubjectFound
from gpu_kernels.faces import Faces
from gpu_kernels.facetracks import Floats, match_faces, track_faces
from gpu_kernels.voice import Voices, match_voices
from streams.types import Modality


def find_faces(
    seen: Sequence[tuple[float, Faces]], subjects: Mapping[int, Floats], *, below: int
) -> list[SubjectFound]:
    """Compare the faces of a medium's frames; those of strangers go no further.

    Args:
        seen: the frames' seconds and faces, in order of time.
        subjects: the references' faces by ordinal.
        below: ordinals from here on belong to a later snapshot.
    """
    tracks = track_faces(seen)
    found = []
    for ordinal, theirs in list(subjects.items()):
        match = match_faces(tracks, theirs)
        if match is None or ordinal >= below:
            continue
        track = tracks[match.track]
        x0, y0, x1, y1 = (float(one) for one in track.box)
        found.append(
            SubjectFound(
                ordinal=ordinal,
                modality=Modality.FACE,
                similarity=match.similarity,
                query_span=track.span_seconds,
                query_box=(x0, y0, x1, y1),
            )
        )
    return found


def find_voices(heard: Voices, subjects: Mapping[int, Voices], *, below: int) -> list[SubjectFound]:
    """Compare the voices of a medium; see `find_faces`."""
    found = []
    for ordinal, theirs in list(subjects.items()):
        match = match_voices(heard, theirs)
        if match is None or ordinal >= below:
            continue
        found.append(
            SubjectFound(
                ordinal=ordinal,
                modality=Modality.VOICE,
                similarity=match.similarity,
                query_span=match.query_span_seconds,
                reference_span=match.reference_span_seconds,
            )
        )
    return found
