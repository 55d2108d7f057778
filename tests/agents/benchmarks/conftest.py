"""A toy network, and a tiny built set of pictures and sounds."""

import hashlib
import io
import json
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpu_kernels.models import LocatedModel
from tests.contracts.test_engines import TOY, toy_network
from tests.fakes import a_melody
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


def save_sound(folder: Path, name: str, seed: int) -> str:
    """Write eight seconds of a melody."""
    path = folder / f"{name}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((a_melody(seed, 8.0) * 20_000).astype("<i2").tobytes())
    path.write_bytes(content.getvalue())
    return f"{name}.wav"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures and two sounds, each re-uploaded as it is; others of each kind."""
    folder = tmp_path_factory.mktemp("toyset")
    sources = [hashlib.sha256(bytes([n])).hexdigest()[:16] for n in range(12)]

    def part(kind: str, count: int) -> dict[str, object]:
        def write(name: str, n: int) -> str:
            make = save_sound if kind == "audio" else save
            return make(folder, f"{name}", n)

        names = sources[:count]
        return {
            "refs": [{"id": s, "file": write(f"refs/{kind}/{s}", n)} for n, s in enumerate(names)],
            "queries": [
                {"file": write(f"queries/{kind}/same/{s}", n), "ref": s, "attack": "same"}
                for n, s in enumerate(names)
            ],
            "distractors": [
                {"file": write(f"distractors/{kind}/{s}", n + count), "attack": None}
                for n, s in enumerate(sources[count : 2 * count])
            ],
        }

    labels = {"set": "toy", "image": part("image", 4), "audio": part("audio", 2)}
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder
