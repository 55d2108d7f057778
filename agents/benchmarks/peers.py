"""The peers' likenesses of a built set, by the evaluation kit's own program in the same run."""

import io
import os
import pickle  # noqa: TID251 - see `_video`
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.benchmarks.recognition_set import UNSEEN, KindSet
from streams.errors import ConfigurationError

Likeness = NDArray[np.float64]

IMAGE_PEERS = ("pdq", "pdq_8way", "sscd_int8", "sscd_distilled")
"""Of the kit's thirteen, those that stand for the rest: the others lie between the first two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeersProgram:
    """How the kit's `baselines.py` is run.

    Args:
        python: interpreter of an environment with the kit's requirements.
        folder: of the kit.
        models: `sscd.onnx` and `sscd_distilled.onnx`, wherever they are.
    """

    python: Path
    folder: Path
    models: tuple[Path, ...]


def run_peers(program: PeersProgram, media: KindSet) -> None:
    """Run the kit's baselines on one kind of a set; it keeps what it computed in the set's folder.

    Raises:
        ConfigurationError: they failed; their standard error was shown.
    """
    command = [str(program.python), str(program.folder / "baselines.py"), str(media.folder)]
    with tempfile.TemporaryDirectory() as together:
        for model in program.models:
            (Path(together) / model.name).symlink_to(model)
        environment = os.environ | {"SSCD_DIR": together}  # noqa: TID251 - a child's
        done = subprocess.run(  # noqa: S603 - named by the user
            [*command, media.kind],
            env=environment,
            cwd=program.folder,
            stdout=sys.stderr,  # its progress; standard output is ours
            check=False,
        )
    if done.returncode != 0:
        raise ConfigurationError(f"the peers' program failed on {media.folder.name}")


def read_peers(media: KindSet) -> Mapping[str, Likeness]:
    """Read what the peers found: (posts, references), rising with likeness; NaN where left out.

    Raises:
        ConfigurationError: they were not run on this set.
    """
    try:
        return _READERS[media.kind](media)
    except (OSError, KeyError, ValueError) as error:
        raise ConfigurationError(f"no peers' results in {media.folder}: give --peers") from error


def _image(media: KindSet) -> Mapping[str, Likeness]:
    count = len(media.references)
    with np.load(media.folder / "feat_image.npz", allow_pickle=False) as kept:
        features = {name: kept[name] for name in IMAGE_PEERS if name in kept.files}
    return {name: _likeness(rows[count:], rows[:count]) for name, rows in features.items()}


def _likeness(posts: NDArray[Any], references: NDArray[Any]) -> Likeness:
    """Inner product; of hashes, the share of equal bits at the best of a post's turns."""
    if posts.dtype != bool:
        cosines: Likeness = (posts @ references.T).astype(np.float64)
        return cosines
    signs = (references[:, 0] if references.ndim == 3 else references).astype(np.float32) * 2 - 1
    turns = posts if posts.ndim == 3 else posts[:, None]
    shares = [
        ((turns[:, i].astype(np.float32) * 2 - 1) @ signs.T / signs.shape[1] + 1) / 2
        for i in range(turns.shape[1])
    ]
    best: Likeness = np.max(shares, axis=0).astype(np.float64)
    return best


def _video(media: KindSet) -> Mapping[str, Likeness]:
    """Read the tables of this very run's own program; it leaves out copies of the sound alone."""
    content = (media.folder / "S_video.pkl").read_bytes()
    tables, _, _ = _Arrays(io.BytesIO(content)).load()
    seen = np.array([edit != UNSEEN for edit in media.edits])
    found = {}
    for name, table in tables.items():
        whole = np.full((len(media.posts), len(media.references)), np.nan)
        whole[seen] = table
        found[name] = whole
    return found


class _Arrays(pickle.Unpickler):
    """Reads NumPy arrays and plain containers, and nothing that could run."""

    def find_class(self, module: str, name: str) -> object:
        """Allow what arrays are made of."""
        allowed = module.startswith(("numpy.core.multiarray", "numpy._core.multiarray"))
        if (allowed and name in {"_reconstruct", "scalar"}) or (module, name) in {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        }:
            return super().find_class(module, name)
        raise ValueError(f"not an array: {module}.{name}")


def _audio(media: KindSet) -> Mapping[str, Likeness]:
    table = np.load(media.folder / "S_audio.npy", allow_pickle=False)
    return {"chromaprint": table.astype(np.float64)}


_READERS: Mapping[str, Callable[[KindSet], Mapping[str, Likeness]]] = {
    "image": _image,
    "video": _video,
    "audio": _audio,
}
