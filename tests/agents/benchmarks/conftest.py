"""A tiny image set, a toy network and what the benchmark gathers from them."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agents.benchmarks.image_set import load_image_set
from agents.benchmarks.images import Evidence, gather
from gpu_kernels.models import LocatedModel
from tests.contracts.test_engines import TOY, toy_network
from tests.gpu_kernels.test_views import photo

ENGINE = "onnxruntime"


@pytest.fixture(scope="session")
def located(tmp_path_factory: pytest.TempPathFactory) -> LocatedModel:
    path, content = tmp_path_factory.mktemp("toy") / "toy.onnx", toy_network()
    path.write_bytes(content)
    model = replace(TOY, sha256=hashlib.sha256(content).hexdigest())
    return LocatedModel(model=model, path=path)


def save(folder: Path, name: str, seed: int, *, mirror: bool = False) -> str:
    picture = photo(60, 80, seed=seed)
    path = folder / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(picture[:, ::-1] if mirror else picture)).save(path)
    return f"{name}.png"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight references, each re-uploaded as it is and mirrored; twenty-four other pictures."""
    folder = tmp_path_factory.mktemp("toyset")
    sources = [hashlib.sha256(bytes([n])).hexdigest()[:16] for n in range(32)]
    labels = {
        "set": "toy",
        "image": {
            "refs": [
                {"id": s, "file": save(folder, f"refs/{s}", n)} for n, s in enumerate(sources[:8])
            ],
            "queries": [
                {
                    "file": save(folder, f"queries/{edit}/{s}", n, mirror=edit == "flip"),
                    "ref": s,
                    "attack": edit,
                }
                for n, s in enumerate(sources[:8])
                for edit in ("jpeg15", "flip")
            ],
            "distractors": [
                {"file": save(folder, f"distractors/{s}_raw", n + 8), "attack": None}
                for n, s in enumerate(sources[8:])
            ],
        },
    }
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def evidence(folder: Path, located: LocatedModel, cache: Path) -> Evidence:
    images = load_image_set(folder)
    return gather(images, located, ENGINE, cache=cache, jobs=1, progress=lambda _done, _all: None)
