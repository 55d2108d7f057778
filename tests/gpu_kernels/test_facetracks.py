"""`gpu_kernels.facetracks`: made-up people who walk about."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.faces import NO_FACES, Faces
from gpu_kernels.facetracks import (
    match_faces,
    track_faces,
    tracks_from_arrays,
    tracks_to_arrays,
)

PEOPLE = np.eye(128, dtype=np.float32)
LEFT, RIGHT = (0.1, 0.1, 0.3, 0.5), (0.6, 0.1, 0.8, 0.5)

Seen = tuple[NDArray[np.float32], tuple[float, float, float, float], float]


def like(person: int, cosine: float, other: int = 100) -> NDArray[np.float32]:
    """Return an embedding at a cosine from a person's."""
    mixed = cosine * PEOPLE[person] + np.sqrt(1 - cosine**2) * PEOPLE[other]
    return np.asarray(mixed, np.float32)


def frame(*seen: Seen) -> Faces:
    return Faces(
        boxes=np.array([box for _, box, _ in seen], np.float32),
        confidence=np.array([confidence for _, _, confidence in seen], np.float32),
        landmarks=np.zeros((len(seen), 5, 2), np.float32),
        embeddings=np.array([embedding for embedding, _, _ in seen], np.float32),
    )


def test_a_face_that_returns_elsewhere_is_one_track() -> None:
    frames = [
        (0.0, frame((PEOPLE[0], LEFT, 0.8))),
        (1.0, NO_FACES),
        (2.0, frame((like(0, 0.7), RIGHT, 0.9))),
    ]
    (track,) = track_faces(frames)
    assert track.span_seconds == (0.0, 2.0)
    assert track.frames == 2
    assert track.box_at_seconds == 2.0
    np.testing.assert_allclose(track.box, RIGHT)


def test_two_people_who_swap_places_keep_their_tracks() -> None:
    frames = [
        (0.0, frame((PEOPLE[0], LEFT, 0.9), (PEOPLE[1], RIGHT, 0.9))),
        (1.0, frame((like(1, 0.8), LEFT, 0.9), (like(0, 0.8), RIGHT, 0.9))),
    ]
    first, second = track_faces(frames)
    assert first.embedding @ PEOPLE[0] > 0.9
    assert second.embedding @ PEOPLE[1] > 0.9


def test_a_blurred_face_in_its_place_stays_its_track() -> None:
    blurred = like(0, 0.3)
    here = [(0.0, frame((PEOPLE[0], LEFT, 0.9))), (1.0, frame((blurred, LEFT, 0.7)))]
    there = [(0.0, frame((PEOPLE[0], LEFT, 0.9))), (1.0, frame((blurred, RIGHT, 0.7)))]
    assert len(track_faces(here)) == 1
    assert len(track_faces(there)) == 2


def test_a_stranger_in_the_same_place_is_a_track_of_their_own() -> None:
    frames = [(0.0, frame((PEOPLE[0], LEFT, 0.9))), (1.0, frame((PEOPLE[1], LEFT, 0.9)))]
    assert [track.frames for track in track_faces(frames)] == [1, 1]


def test_two_faces_of_one_frame_never_share_a_track() -> None:
    twins = frame((PEOPLE[0], LEFT, 0.9), (PEOPLE[0], RIGHT, 0.9))
    assert [track.frames for track in track_faces([(0.0, twins), (1.0, twins)])] == [2, 2]


def test_after_a_long_gap_a_face_begins_anew() -> None:
    frames = [(0.0, frame((PEOPLE[0], LEFT, 0.9))), (9.0, frame((PEOPLE[0], LEFT, 0.9)))]
    assert len(track_faces(frames, max_gap_seconds=9)) == 1
    assert len(track_faces(frames, max_gap_seconds=8)) == 2


def test_the_embedding_is_the_mean_weighted_by_confidence() -> None:
    views = like(0, 0.8, 10), like(0, 0.8, 11)
    frames = [(float(i), frame((view, LEFT, 0.3 + 0.6 * i))) for i, view in enumerate(views)]
    (track,) = track_faces(frames)
    mean = 0.3 * views[0] + 0.9 * views[1]
    np.testing.assert_allclose(track.embedding, mean / np.linalg.norm(mean), atol=1e-6)


def test_the_likest_pair_is_the_match() -> None:
    frames = [(0.0, frame((PEOPLE[0], LEFT, 0.9), (like(2, 0.6), RIGHT, 0.9)))]
    match = match_faces(track_faces(frames), PEOPLE[1:4])
    assert match is not None
    assert (match.track, match.reference) == (1, 1)
    assert match.similarity == pytest.approx(0.6, abs=1e-6)


def test_what_is_opposed_is_merely_unlike() -> None:
    tracks = track_faces([(0.0, frame((PEOPLE[0], LEFT, 0.9)))])
    match = match_faces(tracks, -PEOPLE[:1])
    assert match is not None
    assert match.similarity == 0


def test_without_a_face_on_either_side_there_is_no_match() -> None:
    tracks = track_faces([(0.0, frame((PEOPLE[0], LEFT, 0.9)))])
    assert match_faces([], PEOPLE[:1]) is None
    assert match_faces(tracks, PEOPLE[:0]) is None
    assert track_faces([(0.0, NO_FACES)]) == []


TRACKS = track_faces(
    [
        (0.0, frame((PEOPLE[0], LEFT, 0.9), (PEOPLE[1], RIGHT, 0.8))),
        (2.5, frame((PEOPLE[0], LEFT, 0.95))),
    ]
)


@pytest.mark.parametrize("tracks", [[], TRACKS])
def test_tracks_survive_as_arrays(tracks: list[Any]) -> None:
    again = tracks_from_arrays(tracks_to_arrays(tracks))
    assert [(track.span_seconds, track.frames, track.box_at_seconds) for track in again] == [
        (track.span_seconds, track.frames, track.box_at_seconds) for track in tracks
    ]
    for one, other in zip(again, tracks, strict=True):
        np.testing.assert_array_equal(one.embedding, other.embedding)
        np.testing.assert_array_equal(one.box, other.box)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spans", np.full((2, 2), np.nan)),
        ("embeddings", np.zeros((2, 128), np.float32)),
        ("frames", np.zeros(2, np.int32)),
        ("boxes", np.full((2, 4), 2, np.float32)),
        ("box_seconds", np.full(2, np.inf)),
        ("box_seconds", np.zeros(3)),
    ],
)
def test_malformed_arrays_are_refused(name: str, value: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        tracks_from_arrays(tracks_to_arrays(TRACKS) | {name: value})
