"""Fingerprint every picture of a set once; kept in a file, so that later runs are quick."""

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import gpu_kernels
from agents.benchmarks.image_set import ImageSet
from gpu_kernels.engine import Engine, load_engine
from gpu_kernels.fingerprint import (
    ImageFingerprint,
    fingerprint_query,
    fingerprint_reference,
    from_bytes,
    to_bytes,
)
from gpu_kernels.lifeline import die_with
from gpu_kernels.models import LocatedModel
from gpu_kernels.pdq import pdq

Progress = Callable[[int, int], None]
"""Told how many of how many pictures are done."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """One picture, looked at.

    Args:
        fingerprint: as Haechi keeps it.
        pdq: of the whole picture at full size, packed (32,): the baseline.
        seconds: of one core that the fingerprint took.
    """

    fingerprint: ImageFingerprint
    pdq: NDArray[np.uint8]
    seconds: float


class _Job(NamedTuple):
    key: str
    path: Path
    reference: bool


class _Done(NamedTuple):
    key: str
    fingerprint: bytes
    pdq: bytes
    seconds: float


_loaded: list[Engine] = []
"""A worker process's engine, and nothing in any other."""


def compute_features(
    images: ImageSet,
    located: LocatedModel,
    engine: str,
    *,
    cache: Path,
    jobs: int,
    progress: Progress = lambda _done, _all: None,
) -> tuple[list[Features], list[Features]]:
    """Fingerprint references and posts, or take them from the cache.

    Args:
        images: the set.
        located: the model.
        engine: its runtime.
        cache: folder of the kept features; what the code or a file changed is computed anew.
        jobs: worker processes.
        progress: see `Progress`.
    """
    version = f"{_code_version()}|{engine}|{located.model.sha256}"
    wanted = [_job(images.folder, file, version, reference=True) for file in images.references]
    wanted += [_job(images.folder, post.file, version, reference=False) for post in images.posts]
    cache.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(cache / "image_features.db")) as database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS features"
            " (key TEXT PRIMARY KEY, fingerprint BLOB, pdq BLOB, seconds REAL)"
        )
        kept = {row[0] for row in database.execute("SELECT key FROM features")}
        missing = [job for job in wanted if job.key not in kept]
        for count, done in enumerate(_work(missing, located, engine, jobs), 1):
            database.execute("INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?)", done)
            if count % 50 == 0:
                database.commit()
            progress(count, len(missing))
        database.commit()
        found = {row[0]: _Done(*row) for row in database.execute("SELECT * FROM features")}
    everything = [_features(found[job.key]) for job in wanted]
    return everything[: len(images.references)], everything[len(images.references) :]


def _job(folder: Path, file: str, version: str, *, reference: bool) -> _Job:
    path = folder / file
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return _Job(f"{content}|{reference}|{version}", path, reference)


def _code_version() -> str:
    """Hash the code that fingerprints depend on."""
    folder = Path(gpu_kernels.__file__).parent
    names = ("views.py", "fingerprint.py", "pdq.py", "engine.py", "openvino_engine.py")
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in names)).hexdigest()[:16]


def _work(jobs: list[_Job], located: LocatedModel, engine: str, count: int) -> Iterator[_Done]:
    if not jobs:
        return
    with ProcessPoolExecutor(
        count, get_context("spawn"), initializer=_load, initargs=(located, engine, os.getpid())
    ) as pool:
        yield from pool.map(_look, jobs, chunksize=4)


def _load(located: LocatedModel, engine: str, parent: int) -> None:
    die_with(parent)
    cv2.setNumThreads(1)
    _loaded.append(load_engine(engine, located.path, model=located.model))


def _look(job: _Job) -> _Done:
    with Image.open(job.path) as opened:
        picture = np.asarray(opened.convert("RGB"))
    started = time.process_time()
    make = fingerprint_reference if job.reference else fingerprint_query
    fingerprint = make(picture, _loaded[0])
    seconds = time.process_time() - started
    return _Done(job.key, to_bytes(fingerprint), pdq(picture)[0].tobytes(), seconds)


def _features(done: _Done) -> Features:
    return Features(
        fingerprint=from_bytes(done.fingerprint),
        pdq=np.frombuffer(done.pdq, np.uint8),
        seconds=done.seconds,
    )


def mean_views(features: Iterable[Features]) -> float:
    """Average the embeddings of a picture."""
    return float(np.mean([len(one.fingerprint.embeddings) for one in features]))
