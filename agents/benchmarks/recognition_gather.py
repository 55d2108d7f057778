"""Look at every reference and every post the product's own way; what was found is kept in a file.

Everything goes through the sandboxed decoder, the engine children, the gallery and the examiner
that the stream uses, thoroughly: no step is left out because another decided already.
"""

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from contextvars import ContextVar
from pathlib import Path
from typing import TypeAlias

import gpu_kernels
from agents.benchmarks.recognition_records import Record, Seen, from_record, to_record
from agents.benchmarks.recognition_set import KindSet, Post
from agents.examined import Known
from agents.examining import Examiner
from agents.steps.triaging import KeywordIndex
from gpu_kernels.arrays import pack
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.search import FilmCandidate, FrameGallery
from monitors.deriving import derive
from monitors.gallery import Gallery, Owner
from monitors.recognition import Recogniser
from monitors.shelf import Shelf
from streams.errors import MediaError
from streams.types import CaseId, ContentId, ReferenceId

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many of how many are done."""

AT_ONCE = 5
"""Media under way for each engine child."""
SEED = 20
"""Of every dense look: what is measured can be measured again."""
_NO_LIMIT = 1e6
_CODE = (
    "gpu_kernels/*.py",
    "streams/media/*.py",
    "monitors/deriving.py",
    "monitors/shelf.py",
    "agents/examining.py",
    "agents/steps/examining.py",
    "agents/steps/matching.py",
    "agents/steps/seen.py",
    "alerts/policy.py",
    "alerts/calibration.json",
)
"""What findings depend on; the shipped calibration says after which look another is taken."""


_nearest: ContextVar[dict[int, float]] = ContextVar("nearest")
"""Of the post that is looked at: see `Seen.nearest`."""


class _NotingFrames(FrameGallery):
    """Notes how alike a film's likest frames are: what order in time is held against."""

    def search_film(
        self, queries: Sequence[ImageFingerprint], limit: int, *, below: int | None = None
    ) -> list[FilmCandidate]:
        found = super().search_film(queries, limit, below=below)
        noted = _nearest.get()
        noted.clear()
        noted.update({one.ordinal: one.nearest.similarity for one in found if one.nearest})
        return found


async def gather(
    media: KindSet,
    recogniser: Recogniser,
    *,
    cache: Path,
    jobs: int,
    progress: Progress = lambda _done, _all: None,
) -> list[Seen]:
    """Look at every post, or take from the cache what the same code found before.

    Args:
        media: one kind of a set.
        recogniser: started.
        cache: folder of what was found.
        jobs: engine children.
        progress: see `Progress`.
    """
    ids = [one.id for one in media.references]
    version = await asyncio.to_thread(_version, media)
    await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
    with closing(sqlite3.connect(cache / "recognition.db", check_same_thread=False)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS found (key TEXT PRIMARY KEY, record TEXT)")
        keys = [f"{version}|{_hash(media.folder / post.file)}" for post in media.posts]
        kept = dict(database.execute("SELECT key, record FROM found").fetchall())
        missing = [i for i, key in enumerate(keys) if key not in kept]
        if missing:
            examiner = Examiner(recogniser, thorough=True, draw=lambda: SEED)
            gallery = await build_gallery(media, recogniser, jobs * AT_ONCE)
            look = _Looker(media.folder, examiner, gallery, ids)
            slots = asyncio.Semaphore(jobs * AT_ONCE)
            done = 0

            async def work(place: int) -> None:
                nonlocal done
                async with slots:
                    record = json.dumps(await look(media.posts[place]))
                kept[keys[place]] = record
                database.execute(
                    "INSERT OR REPLACE INTO found VALUES (?, ?)", (keys[place], record)
                )
                database.commit()
                done += 1
                progress(done, len(missing))

            async with asyncio.TaskGroup() as group:
                for place in missing:
                    group.create_task(work(place))
        ordinals = {name: ordinal for ordinal, name in enumerate(ids)}
        return [from_record(json.loads(kept[key]), ordinals) for key in keys]


async def build_gallery(media: KindSet, recogniser: Recogniser, at_once: int) -> Gallery:
    """Enrol every reference, as `case reference add` does, into memory alone."""
    slots = asyncio.Semaphore(at_once)

    async def features(file: str) -> dict[str, list[bytes]]:
        async with slots:
            body = await asyncio.to_thread((media.folder / file).read_bytes)
            derived = await derive(recogniser, body)
        return {space: [pack(one) for one in prints] for space, prints in derived.features.items()}

    found = await asyncio.gather(*(features(one.file) for one in media.references))
    shelf, owners = Shelf(), []
    shelf.frames = _NotingFrames()
    for ordinal, (one, packed) in enumerate(zip(media.references, found, strict=True)):
        shelf.add(ordinal, packed, frame_space=recogniser.space)
        name = ReferenceId(one.id)
        owners.append(Owner(case=CaseId(one.id), reference=name, content=ContentId(one.id)))
    return Gallery(version=1, owners=tuple(owners), shelf=shelf, keywords=())


class _Looker:
    """Looks at one post; whatever it does gives a record."""

    def __init__(
        self, folder: Path, examiner: Examiner, gallery: Gallery, ids: Sequence[str]
    ) -> None:
        self._folder = folder
        self._examiner = examiner
        self._known = Known(gallery=gallery, index=KeywordIndex(()))
        self._ids = ids

    async def __call__(self, post: Post) -> Record:
        body = await asyncio.to_thread((self._folder / post.file).read_bytes)
        nearest: dict[int, float] = {}
        _nearest.set(nearest)
        try:
            examined = await self._examiner.examine(body, self._known, lambda: _NO_LIMIT)
        except MediaError as error:
            return {"error": error.reason}
        return to_record(examined, self._ids, nearest)


def _version(media: KindSet) -> str:
    """Name the code and the references that findings depend on."""
    root = Path(gpu_kernels.__file__).parent.parent
    named = hashlib.sha256()
    for pattern in _CODE:
        for path in sorted(root.glob(pattern)):
            named.update(path.read_bytes())
    for one in media.references:
        named.update(_hash(media.folder / one.file).encode())
    return named.hexdigest()[:24]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
