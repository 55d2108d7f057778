"""`gpu_kernels.models`: the embedders of pictures."""

import hashlib
from pathlib import Path

import pytest

from gpu_kernels.errors import ModelError
from gpu_kernels.models import MODELS, Model, is_verified, locate

CONTENT = b"weights"
MODEL = Model(
    name="toy",
    version="3",
    package="toy-weights",
    package_version="1.2",
    file="toy_weights/toy.onnx",
    size_bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="MIT",
    licence_notes="",
    side=32,
)


def test_a_missing_file_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="haechi models pull"):
        locate(MODEL, tmp_path)


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    path = MODEL.path_in(tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"evil")
    with pytest.raises(ModelError, match="is altered"):
        locate(MODEL, tmp_path)


def test_a_verified_file_is_the_registered_model(tmp_path: Path) -> None:
    path = MODEL.path_in(tmp_path)
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    assert is_verified(MODEL, tmp_path)
    located = locate(MODEL, tmp_path)
    assert (located.model, located.path) == (MODEL, path)


def test_an_operators_own_file_is_a_version_of_its_own(tmp_path: Path) -> None:
    own = tmp_path / "export.onnx"
    own.write_bytes(b"their export")
    located = locate(MODEL, tmp_path, override=own)
    sha256 = hashlib.sha256(b"their export").hexdigest()
    assert located.path == own
    assert located.model.version == f"own-{sha256[:12]}"
    assert located.model.sha256 == sha256


def test_an_operators_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        locate(MODEL, tmp_path, override=tmp_path / "none.onnx")


def test_every_registered_model_says_its_licence() -> None:
    for name, model in MODELS.items():
        assert model.name == name
        assert model.licence
        assert "unmodified" in model.licence
        assert len(model.sha256) == 64
