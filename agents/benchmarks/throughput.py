"""`haechi bench throughput`: the whole pipeline against decode and engine alone, in one run.

The pipeline is the real one: `haechi up` with the embedded broker, one worker, SQLite, the guarded
fetcher and the sandboxed decoder, on posts of one picture each that a local host serves. Both
sides decode the same files and embed the same views.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from agents.benchmarks import bare
from agents.demo import scenes
from agents.demo.host import MediaHost
from agents.demo.instance import Instance, demo_settings
from gpu_kernels.errors import ModelError as KernelModelError
from gpu_kernels.models import DEFAULT_MODEL, MODELS, LocatedModel, locate
from monitors.cases import AgeClass, LegalBasis, NewCase
from monitors.database import Database
from monitors.keystore import KeyStore
from monitors.migrate import open_database
from monitors.recognition import Recognition
from monitors.references import Enroller
from monitors.register import CaseRegister
from monitors.tables import outcomes
from streams.clock import SystemClock
from streams.errors import ConfigurationError, ModelError
from streams.schemas import MediaItemRecord, NewPost
from streams.settings import Settings
from streams.types import MediaKind

Say = Callable[[str], None]

STEADY = 0.1
"""Share of the posts that end before the pipeline's rate is taken: processes are starting."""

REFERENCES = 8
"""Pictures of a case, so that matching is part of the work."""

POSTS_PER_SECOND = 500.0
"""Far more than any machine ends: the pipeline is never short of posts."""

START_SECONDS = 120.0
IMAGE_SECONDS = 3.0
"""Patience for each image on top; a stalled pipeline is an error, not a slow one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """One run's figures.

    Args:
        images: how many.
        views_per_image: embedded, on both sides.
        bare: images a second of decode and engine alone, the mean of a run before and one after.
        pipeline: images a second through the whole pipeline.
        outcomes: how the posts ended.
    """

    images: int
    views_per_image: float
    bare: float
    pipeline: float
    outcomes: dict[str, int]

    @property
    def ratio(self) -> float:
        """Pipeline to bare."""
        return self.pipeline / self.bare

    def to_json(self) -> dict[str, Any]:
        """Give the figures under the names that scripts rely upon."""
        return {
            "images": self.images,
            "views_per_image": self.views_per_image,
            "bare_images_per_second": self.bare,
            "pipeline_images_per_second": self.pipeline,
            "ratio": self.ratio,
            "outcomes": self.outcomes,
        }


def measure(settings: Settings, images: int, folder: Path | None, say: Say) -> Throughput:
    """Run both sides and compare.

    Args:
        settings: engine, children and model cache; their home is not touched.
        images: how many pictures.
        folder: of pictures to use; None: drawn ones.
        say: told what goes on.

    Raises:
        ConfigurationError: the folder holds too few pictures, or the pipeline did not finish.
        ModelError: the model's file is missing or altered.
    """
    located = _located(settings)
    with tempfile.TemporaryDirectory(prefix="haechi-throughput-") as scratch:
        media = Path(scratch, "media")
        media.mkdir()
        say(f"preparing {images} pictures")
        files = _copy(folder, images, media) if folder else _draw(images, media)
        before = _bare(settings, files, located, say)
        say("the whole pipeline")
        ended = asyncio.run(_pipeline(settings, files, Path(scratch)))
        after = _bare(settings, files, located, say)
    return Throughput(
        images=images,
        views_per_image=before.views / before.images,
        bare=(before.images_per_second + after.images_per_second) / 2,
        pipeline=steady_rate([moment for moment, _ in ended]),
        outcomes=_counted([outcome for _, outcome in ended]),
    )


def steady_rate(ends: Sequence[datetime]) -> float:
    """Give posts a second after the first tenth, which ended while processes were starting."""
    ordered = sorted(ends)
    first = max(1, int(len(ordered) * STEADY)) - 1
    seconds = (ordered[-1] - ordered[first]).total_seconds()
    return (len(ordered) - 1 - first) / seconds if seconds > 0 else float("inf")


def _located(settings: Settings) -> LocatedModel:
    try:
        return locate(MODELS[DEFAULT_MODEL], settings.models, settings.sscd_file)
    except KernelModelError as error:
        raise ModelError(str(error)) from error


def _bare(
    settings: Settings, files: Sequence[Path], located: LocatedModel, say: Say
) -> bare.BareRate:
    say(f"decode and engine alone, {settings.engine_children} processes")
    return bare.measure(files, located, engine=settings.engine, processes=settings.engine_children)


def _draw(images: int, media: Path) -> list[Path]:
    kinds = sorted(scenes.SCENES)
    jobs = [(kinds[i % len(kinds)], i, media / f"{i:05}.jpg") for i in range(images)]
    with ProcessPoolExecutor() as pool:
        return list(pool.map(_draw_one, jobs, chunksize=8))


def _draw_one(job: tuple[str, int, Path]) -> Path:
    kind, seed, path = job
    scenes.draw(kind, seed).convert("RGB").save(path, "JPEG", quality=85)
    return path


def _copy(folder: Path, images: int, media: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*.jpg") if path.is_file())
    if len(found) < images:
        raise ConfigurationError(f"{len(found)} JPEG files in the folder; {images} are needed")
    step = len(found) / images
    copies = [media / f"{i:05}.jpg" for i in range(images)]
    for i, copy in enumerate(copies):
        shutil.copyfile(found[int(i * step)], copy)
    return copies


async def _pipeline(
    base: Settings, files: Sequence[Path], scratch: Path
) -> list[tuple[datetime, str]]:
    host = MediaHost(files[0].parent)
    await host.start()
    try:
        own = demo_settings(base, scratch / "home", origin=host.origin, rate=POSTS_PER_SECOND)
        settings = own.model_copy(update={"workers": 1})
        await _open_case(settings, files, scratch)
        _write_posts(files, host.origin, settings.home / "posts.jsonl")
        return await _run_up(settings, len(files))
    finally:
        await host.close()


def _write_posts(files: Sequence[Path], origin: str, path: Path) -> None:
    with path.open("wb") as lines:
        for i, file in enumerate(files):
            item = MediaItemRecord(url=f"{origin}/m/{file.name}", kind=MediaKind.IMAGE)
            post = NewPost(id=str(i), url=f"https://board.example/{i}", media=(item,))
            lines.write(post.to_bytes() + b"\n")


async def _open_case(settings: Settings, files: Sequence[Path], scratch: Path) -> None:
    """Register pictures that the stream does not show."""
    database = await asyncio.to_thread(open_database, settings)
    drawn = scratch / "references"
    drawn.mkdir()
    try:
        register = CaseRegister(database, KeyStore(settings.keys_dir), SystemClock(), actor="bench")
        case = register.open(
            NewCase(alias="bench", age_class=AgeClass.ADULT, legal_basis=LegalBasis.VICTIM_REQUEST)
        )
        async with Recognition.from_settings(settings) as recognition:
            enroller = Enroller(register, recognition)
            for i in range(REFERENCES):
                path = _draw_one(("landscape", 10_000_000 + len(files) + i, drawn / f"{i}.jpg"))
                await enroller.enrol(case.id, path)
    finally:
        database.close()


async def _run_up(settings: Settings, posts: int) -> list[tuple[datetime, str]]:
    with contextlib.closing(open_database(settings)) as database:
        async with Instance(settings) as instance:
            try:
                async with asyncio.timeout(START_SECONDS + posts * IMAGE_SECONDS):
                    return await _all_ended(database, posts, instance)
            except TimeoutError:
                raise ConfigurationError("the pipeline did not end every post in time") from None


async def _all_ended(
    database: Database, posts: int, instance: Instance
) -> list[tuple[datetime, str]]:
    while True:
        ended = await asyncio.to_thread(_ended, database)
        if len(ended) >= posts:
            return ended
        instance.check()
        await asyncio.sleep(0.5)


def _ended(database: Database) -> list[tuple[datetime, str]]:
    with database.read() as connection:
        rows = connection.execute(sa.select(outcomes.c.ended_at, outcomes.c.outcome))
        return [(row.ended_at, row.outcome) for row in rows]


def _counted(names: Sequence[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}
