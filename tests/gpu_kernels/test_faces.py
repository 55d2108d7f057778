"""`gpu_kernels.faces`: on NASA's portrait of Eileen Collins, which is in the public domain."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from gpu_kernels import faces
from gpu_kernels.errors import ModelError
from gpu_kernels.faces import (
    MIN_SIDE,
    NO_FACES,
    SIDE,
    FaceEngine,
    Faces,
    load_face_engine,
    similarity_transform,
)
from gpu_kernels.registry import FACES
from gpu_kernels.views import Picture
from tests.weights import pulled_cache

PORTRAIT: Picture = data.astronaut()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def engine() -> FaceEngine:
    return load_face_engine("openvino", pulled_cache(FACES))


@pytest.fixture(scope="module")
def face(engine: FaceEngine) -> Faces:
    return engine.find(PORTRAIT)


@pytest.mark.models
def test_the_one_face_is_found_where_it_is(face: Faces) -> None:
    assert len(face) == 1
    np.testing.assert_allclose(face.boxes[0], [0.35, 0.12, 0.52, 0.345], atol=0.02)
    left, right, nose, *mouth = face.landmarks[0]
    assert left[0] < nose[0] < right[0]
    assert max(left[1], right[1]) < nose[1] < min(corner[1] for corner in mouth)
    np.testing.assert_allclose(np.linalg.norm(face.embeddings, axis=1), 1, atol=1e-5)


def jpeg(picture: Picture) -> Picture:
    _, content = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 20])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR_RGB), np.uint8)


def half(picture: Picture) -> Picture:
    return np.asarray(cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)


def mirrored(picture: Picture) -> Picture:
    return np.ascontiguousarray(picture[:, ::-1])


def turned(picture: Picture) -> Picture:
    turn = cv2.getRotationMatrix2D((256, 256), 15, 1)
    return np.asarray(cv2.warpAffine(picture, turn, (512, 512)), np.uint8)


def darkened(picture: Picture) -> Picture:
    return (picture * 0.3).astype(np.uint8)


def letterboxed(picture: Picture) -> Picture:
    return cv2.copyMakeBorder(picture, 0, 0, 384, 384, cv2.BORDER_CONSTANT).astype(np.uint8)


@pytest.mark.models
@pytest.mark.parametrize("edit", [jpeg, half, mirrored, turned, darkened, letterboxed])
def test_the_same_face_stays_alike(
    engine: FaceEngine, face: Faces, edit: Callable[[Picture], Picture]
) -> None:
    found = engine.find(edit(PORTRAIT))
    assert len(found) == 1
    assert found.embeddings[0] @ face.embeddings[0] > 0.85


@pytest.mark.models
def test_every_runtime_finds_and_embeds_the_same(face: Faces) -> None:
    other = load_face_engine("onnxruntime", pulled_cache(FACES)).find(PORTRAIT)
    np.testing.assert_allclose(other.boxes, face.boxes, atol=1e-4)
    assert other.embeddings[0] @ face.embeddings[0] > 0.9999


@pytest.mark.models
def test_small_and_black_faces_are_left_out(engine: FaceEngine) -> None:
    scale = (MIN_SIDE - 3) / (0.1765 * 512)
    small = cv2.resize(PORTRAIT, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert engine.find(np.asarray(small, np.uint8)) is NO_FACES
    assert engine.find((PORTRAIT * 0.05).astype(np.uint8)) is NO_FACES


@pytest.mark.models
@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket"])
def test_a_cup_a_cat_and_a_rocket_have_no_face(engine: FaceEngine, name: str) -> None:
    assert len(engine.find(getattr(data, name)())) == 0


@pytest.mark.models
@pytest.mark.parametrize("size", [(1, 1), (1, 900), (700, 3), (33, 65)])
def test_a_picture_of_any_size_is_looked_at(engine: FaceEngine, size: tuple[int, int]) -> None:
    assert len(engine.find(np.full((*size, 3), 128, np.uint8))) == 0


@pytest.mark.models
def test_what_is_no_picture_is_refused(engine: FaceEngine) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        engine.find(np.zeros((9, 9), np.uint8))


def test_missing_weights_name_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="haechi models pull"):
        load_face_engine("openvino", tmp_path)


@pytest.mark.parametrize(("angle", "scale"), [(0, 1), (25, 3.5), (-80, 0.2), (180, 2)])
def test_the_transform_undoes_any_turn_scale_and_shift(angle: float, scale: float) -> None:
    turn = cv2.getRotationMatrix2D((10, 40), angle, scale)
    landmarks = faces._TEMPLATE @ turn[:, :2].T + turn[:, 2]
    back = similarity_transform(landmarks.astype(np.float32))
    np.testing.assert_allclose(landmarks @ back[:, :2].T + back[:, 2], faces._TEMPLATE, atol=0.01)


def test_the_transform_of_one_point_is_still_numbers() -> None:
    assert np.isfinite(similarity_transform(np.full((5, 2), 7, np.float32))).all()


def some(count: int) -> Faces:
    generator = np.random.default_rng(count)
    rows = generator.standard_normal((count, 128))
    return Faces(
        boxes=generator.uniform(0, 1, (count, 4)).astype(np.float32),
        confidence=generator.uniform(0.7, 1, count).astype(np.float32),
        landmarks=generator.uniform(0, 1, (count, 5, 2)).astype(np.float32),
        embeddings=(rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32),
    )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_faces_survive_as_arrays(count: int) -> None:
    arrays = some(count).to_arrays()
    again = Faces.from_arrays(arrays).to_arrays()
    assert set(again) == set(arrays)
    for name in arrays:
        np.testing.assert_array_equal(again[name], arrays[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("boxes", np.zeros((2, 3), np.float32)),
        ("boxes", np.full((2, 4), np.nan, np.float32)),
        ("boxes", np.full((2, 4), 1.5, np.float32)),
        ("confidence", np.ones(3, np.float32)),
        ("confidence", np.full(2, -1, np.float32)),
        ("landmarks", np.full((2, 5, 2), np.inf, np.float32)),
        ("embeddings", np.ones((2, 128), np.float32)),
        ("embeddings", np.full((2, 128), np.nan, np.float32)),
        ("embeddings", np.zeros((2, 128), np.float64)),
    ],
)
def test_malformed_arrays_are_refused(name: str, value: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Faces.from_arrays(some(2).to_arrays() | {name: value})


def test_an_upright_face_is_of_the_networks_size() -> None:
    upright = faces.set_upright(PORTRAIT, faces._TEMPLATE.astype(np.float32))
    np.testing.assert_array_equal(upright, PORTRAIT[:SIDE, :SIDE])
