"""`gpu_kernels.weights`: what is not the very file is refused, with the way out."""

import hashlib
from pathlib import Path

import pytest

from gpu_kernels.errors import ModelError
from gpu_kernels.weights import Part, WeightFile, Weights, locate_weights, read_weights


def weights(**contents: bytes) -> Weights:
    files = tuple(
        WeightFile(
            name=name,
            parts=(Part(package="toy", package_version="1", file=f"toy/{name}"),),
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        for name, content in contents.items()
    )
    return Weights(name="toy", version="1", purpose="tests", licence="MIT", files=files)


TWO = weights(one=b"1", two=b"22")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = TWO.folder_in(tmp_path)
    folder.mkdir()
    (folder / "one").write_bytes(b"1")
    (folder / "two").write_bytes(b"22")
    return tmp_path


def test_all_files_are_read_by_name(cache: Path) -> None:
    assert read_weights(TWO, cache) == {"one": b"1", "two": b"22"}
    assert locate_weights(TWO, cache) == cache / "toy-1"
    assert TWO.size_bytes == 3
    assert TWO.requirements == ("toy==1",)


def test_one_altered_file_spoils_the_folder(cache: Path) -> None:
    (cache / "toy-1" / "two").write_bytes(b"23")
    with pytest.raises(ModelError, match="two is altered"):
        read_weights(TWO, cache)
    with pytest.raises(ModelError, match="two is altered"):
        locate_weights(TWO, cache)


def test_one_missing_file_names_the_way_out(cache: Path) -> None:
    (cache / "toy-1" / "one").unlink()
    with pytest.raises(ModelError, match="haechi models pull"):
        read_weights(TWO, cache)
    with pytest.raises(ModelError, match="haechi models pull"):
        locate_weights(TWO, cache)
