"""`agents.steps.subjects`: whose face and voice a medium has, and nobody else's."""

from agents.steps.subjects import find_faces, find_voices
from streams.types import Modality
from tests.fakes import faces_of, unit_rows, voices_of


def test_a_subjects_face_is_found_where_and_when_it_shows() -> None:
    seen = [(float(at), faces_of(1, 2)) for at in range(3)]
    subjects = {0: unit_rows(9, 1, 128), 1: unit_rows(2, 1, 128), 5: unit_rows(1, 1, 128)}
    _, found = find_faces(seen, subjects, below=2)
    assert (found.ordinal, found.modality, found.query_span) == (1, Modality.FACE, (0, 2))
    assert found.similarity > 0.99
    assert found.query_box == (0.5, 0, 0.75, 0.5)


def test_a_subjects_voice_is_found_in_both_recordings() -> None:
    subjects = {0: voices_of(9), 1: voices_of(2), 5: voices_of(1)}
    stranger, found = find_voices(voices_of(1, 2), subjects, below=2)
    assert (found.ordinal, found.modality) == (1, Modality.VOICE)
    assert found.similarity > max(0.99, stranger.similarity)
    assert found.reference_span is not None
