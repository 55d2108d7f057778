"""What every engine must do: on a toy network everywhere, on SSCD where it was pulled."""

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gpu_kernels.engine import ENGINES, Engine, PictureBatch, load_engine
from gpu_kernels.errors import ModelError
from gpu_kernels.models import MODELS, Model
from tests.weights import pulled

TOY = Model(
    name="toy",
    version="1",
    package="none",
    package_version="0",
    file="toy.onnx",
    size_bytes=0,
    sha256="",
    licence="ours",
    licence_notes="",
    side=16,
    dimensions=8,
)


def toy_network() -> bytes:
    """Build uint8 NHWC -> mean colour -> 8 numbers; deliberately not at unit length."""
    weights = np.random.default_rng(5).standard_normal((3, 8)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats"], ["mean"], axes=[1, 2], keepdims=0),
            helper.make_node("Gemm", ["mean", "weights"], ["embedding"]),
        ],
        "toy",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 8])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Model]:
    path, content = tmp_path_factory.mktemp("toy") / "toy.onnx", toy_network()
    path.write_bytes(content)
    return path, replace(TOY, sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture(params=sorted(ENGINES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(name: str, toy: tuple[Path, Model]) -> Engine:
    path, model = toy
    return load_engine(name, path, model=model)


def pictures(count: int, side: int = 16, seed: int = 0) -> PictureBatch:
    generator = np.random.default_rng(seed)
    rough = [generator.integers(0, 256, (3 + 2 * i, 3 + 2 * i, 3), np.uint8) for i in range(count)]
    soft = [cv2.resize(one, (side, side), interpolation=cv2.INTER_CUBIC) for one in rough]
    return np.array(soft, np.uint8).reshape(count, side, side, 3)


def test_embeddings_are_rows_of_unit_length(engine: Engine) -> None:
    rows = engine.infer(pictures(5))
    assert rows.shape == (5, 8)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_a_batch_equals_its_pictures_one_by_one(engine: Engine) -> None:
    batch = pictures(4)
    one_by_one = np.concatenate([engine.infer(batch[i : i + 1]) for i in range(4)])
    np.testing.assert_allclose(engine.infer(batch), one_by_one, atol=1e-6)


def test_an_empty_batch_is_an_empty_answer(engine: Engine) -> None:
    assert engine.infer(pictures(0)).shape == (0, 8)


def test_answers_are_the_callers_own(engine: Engine) -> None:
    first = engine.infer(pictures(2))
    kept = first.copy()
    engine.infer(pictures(2, seed=9))
    np.testing.assert_array_equal(first, kept)


def test_the_space_names_model_version_runtime_and_precision(engine: Engine, name: str) -> None:
    assert engine.space == f"toy/1/{name}/f32"
    assert engine.side == 16


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((1, 16, 16, 3), np.float32),
        np.zeros((16, 16, 3), np.uint8),
    ],
    ids=["size", "dtype", "rank"],
)
def test_what_is_no_batch_is_refused(engine: Engine, batch: PictureBatch) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        engine.infer(batch)


def test_closing_twice_is_fine(engine: Engine) -> None:
    engine.close()
    engine.close()


def test_it_agrees_with_the_numpy_reference(engine: Engine, toy: tuple[Path, Model]) -> None:
    path, model = toy
    reference = load_engine("numpy", path, model=model)
    np.testing.assert_allclose(engine.infer(pictures(6)), reference.infer(pictures(6)), atol=1e-5)


@pytest.mark.parametrize("content", [b"", b"no network at all" * 9], ids=["empty", "junk"])
def test_a_file_that_is_no_network_is_a_model_error(
    name: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "junk.onnx"
    path.write_bytes(content)
    model = replace(TOY, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(ModelError, match="cannot load"):
        load_engine(name, path, model=model)


def test_an_altered_file_is_never_loaded(name: str, toy: tuple[Path, Model]) -> None:
    path, model = toy
    with pytest.raises(ModelError, match="is altered"):
        load_engine(name, path, model=replace(model, sha256="0" * 64))


def test_a_missing_file_names_the_way_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="haechi models pull"):
        load_engine(name, tmp_path / "none.onnx", model=TOY)


def test_an_unknown_engine_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no engine 'abacus'"):
        load_engine("abacus", tmp_path, model=TOY)


@pytest.mark.models
def test_sscd_embeds_alike_on_every_engine(name: str) -> None:
    """Int8 kernels differ: cosine .974 at least between runtimes (shared research, models, a)."""
    sscd = pulled()
    small = replace(sscd.model, side=96)  # the reference takes a second at this size
    batch = pictures(3, side=96)
    ours = load_engine(name, sscd.path, model=small).infer(batch)
    reference = load_engine("numpy", sscd.path, model=small).infer(batch)
    assert (ours * reference).sum(axis=1).min() > 0.97


@pytest.mark.models
def test_sscd_tells_a_mirrored_picture_from_another() -> None:
    sscd = pulled()
    engine = load_engine("openvino", sscd.path, model=sscd.model)
    one, other = pictures(2, side=engine.side)
    copy = np.ascontiguousarray(one[:, ::-1])
    rows = engine.infer(np.stack([one, copy, other]))
    assert rows[0] @ rows[1] > 0.75
    assert rows[0] @ rows[2] < 0.5


def test_the_registered_models_expect_what_engines_feed() -> None:
    assert {(model.side, model.dimensions) for model in MODELS.values()} == {(224, 512)}
