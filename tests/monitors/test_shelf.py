"""The searchable features: all of a reference or nothing; negatives apart from them."""

from dataclasses import dataclass

import numpy as np
import pytest

from gpu_kernels.arrays import Arrays, pack
from gpu_kernels.facetracks import track_faces, tracks_to_arrays
from gpu_kernels.fingerprint import to_bytes
from gpu_kernels.keypoints import SPACE as KEYPOINT_SPACE
from gpu_kernels.keypoints import Keypoints
from gpu_kernels.sound import SOUND_SPACE, fingerprint_sound
from monitors.deriving import FACE_SPACE, VOICE_SPACE
from monitors.shelf import NegativeBank, Shelf
from streams.errors import SealError
from streams.types import CaseId, ReferenceId
from tests.fakes import a_melody, faces_of, fingerprint_of, unit_rows, voices_of

SPACE = fingerprint_of(0).space
SOUND = fingerprint_sound(a_melody(1))


def points(at_seconds: float) -> Arrays:
    return Keypoints(
        width=4,
        height=3,
        points=np.ones((2, 2), np.float32),
        descriptors=np.ones((2, 128), np.uint8),
        at_seconds=at_seconds,
    ).to_arrays()


def packed() -> dict[str, list[bytes]]:
    """A reference that has everything."""
    tracks = track_faces([(0.0, faces_of(1))])
    return {
        SPACE: [to_bytes(fingerprint_of(1)), to_bytes(fingerprint_of(2))],
        KEYPOINT_SPACE: [pack(points(0.0)), pack(points(2.0))],
        SOUND_SPACE: [pack(SOUND.to_arrays())],
        FACE_SPACE: [pack(tracks_to_arrays(tracks))],
        VOICE_SPACE: [pack(voices_of(1).to_arrays())],
    }


def test_each_kind_stands_where_it_is_looked_for() -> None:
    shelf = Shelf()
    shelf.add(0, packed(), frame_space=SPACE)
    for number in (1, 2):
        [found] = shelf.frames.search(fingerprint_of(number), 5)
        assert (found.ordinal, round(found.similarity, 3)) == (0, 1)
    [heard] = shelf.sounds.search(SOUND, 5)
    assert heard.ordinal == 0
    assert [one.at_seconds for one in shelf.points[0]] == [0, 2]
    np.testing.assert_allclose(shelf.faces[0], unit_rows(1, 1, 128), atol=1e-6)
    assert len(shelf.voices[0]) == 4


def test_what_nothing_here_compares_is_passed_over() -> None:
    shelf = Shelf()
    shelf.add(0, {"other/1": [pack(fingerprint_of(1).to_arrays())]}, frame_space=SPACE)
    assert (len(shelf.frames), len(shelf.sounds), shelf.points) == (0, 0, {})


@pytest.mark.parametrize("space", [SPACE, KEYPOINT_SPACE, SOUND_SPACE, FACE_SPACE, VOICE_SPACE])
@pytest.mark.parametrize("part", [b"", b"PK", b"hello", pack({"x": np.zeros(3)})])
def test_a_reference_of_a_later_version_is_left_out_whole(space: str, part: bytes) -> None:
    shelf = Shelf()
    with pytest.raises(SealError):
        shelf.add(0, packed() | {space: [part]}, frame_space=SPACE)
    assert (len(shelf.frames), len(shelf.sounds)) == (0, 0)
    assert (shelf.points, shelf.faces, shelf.voices) == ({}, {}, {})


def test_a_frame_that_says_it_is_of_another_space_is_left_out() -> None:
    other = to_bytes(fingerprint_of(1, space="other/1"))
    with pytest.raises(SealError):
        Shelf().add(0, {SPACE: [other]}, frame_space=SPACE)


@dataclass(frozen=True)
class _Negative:
    case: CaseId | None = None
    reference: ReferenceId | None = None


def test_a_negative_is_told_with_how_alike_it_is() -> None:
    bank = NegativeBank()
    assert bank.frame_similarities([fingerprint_of(1)]) == []
    assert bank.sound_matches(SOUND) == []
    one, other = _Negative(CaseId("a")), _Negative(CaseId("b"))
    bank.add_frames(one, [fingerprint_of(1), fingerprint_of(2)])
    bank.add_frames(other, [fingerprint_of(3)])
    bank.add_sounds(other, [SOUND])
    found = dict(bank.frame_similarities([fingerprint_of(2), fingerprint_of(9)]))
    assert found[one][0] == pytest.approx(1, abs=1e-3)
    assert max(found[one][1], *found[other]) < 0.9
    [(owner, match)] = bank.sound_matches(SOUND)
    assert owner is other
    assert match.similarity > 0.6
