"""Recipes of pictures, small enough to hand to another process, and the bytes that they give."""

import asyncio
import io
import random
import signal
from collections.abc import AsyncGenerator, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from agents.demo.edits import EDITS
from agents.demo.photographs import open_picture
from agents.demo.scenes import draw

PHOTOGRAPH = "photograph"
"""The kind of picture that is read, not drawn."""


class Renderable(Protocol):
    """A recipe of a file; equal ones give equal bytes on one machine."""

    @property
    def file(self) -> str:
        """Its name on the host."""
        ...

    def to_bytes(self, photographs: Mapping[str, Path]) -> bytes:
        """Make the file out of the photographs at hand, by name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An original.

    Args:
        kind: `PHOTOGRAPH`, or a key of `agents.demo.scenes.SCENES`.
        name: of the photograph.
        seed: of the drawing.
    """

    kind: str
    name: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One medium: an original, perhaps edited, saved in a format.

    Args:
        file: its name on the host.
        picture: what it shows.
        edit: a key of `agents.demo.edits.EDITS`, or None.
        other: the unrelated picture, for the edits that need one.
        tinted_like: a picture whose colours it takes over before it is edited.
        seed: of the edit's chance.
        format: Pillow's name: JPEG, PNG or WEBP.
        quality: 1 to 95, for JPEG and WEBP.
        keep: share of the bytes that is served; under 1 the file is cut off.
    """

    file: str
    picture: Picture
    edit: str | None = None
    other: Picture | None = None
    tinted_like: Picture | None = None
    seed: int = 0
    format: str = "JPEG"
    quality: int = 85
    keep: float = 1.0

    def to_bytes(self, photographs: Mapping[str, Path]) -> bytes:
        """Make the file; see `render`."""
        return render(self, photographs)


def render(recipe: Recipe, photographs: Mapping[str, Path]) -> bytes:
    """Make the bytes of a medium; equal recipes give equal bytes on one machine."""
    picture = original(recipe.picture, photographs)
    if recipe.tinted_like is not None:
        picture = tint(picture, original(recipe.tinted_like, photographs))
    if recipe.edit is not None:
        other = picture if recipe.other is None else original(recipe.other, photographs)
        chance = random.Random(recipe.seed)  # noqa: S311 - a picture's edit, not a secret
        picture = EDITS[recipe.edit](picture, chance, other)
    saved = io.BytesIO()
    picture.save(saved, recipe.format, quality=recipe.quality, method=2)
    content = saved.getvalue()
    return content[: max(1, int(len(content) * recipe.keep))]


def tint(picture: Image.Image, like: Image.Image) -> Image.Image:
    """Give a picture the mean and the spread of each of another's colours."""
    own, wanted = (np.asarray(one, np.float32).reshape(-1, 3) for one in (picture, like))
    moved = (own - own.mean(axis=0)) / (own.std(axis=0) + 1) * wanted.std(axis=0)
    colours = np.clip(moved + wanted.mean(axis=0), 0, 255).astype(np.uint8)
    return Image.fromarray(colours.reshape(picture.height, picture.width, 3))


async def render_all(
    recipes: Iterable[Renderable], photographs: Mapping[str, Path], folder: Path, *, processes: int
) -> AsyncGenerator[str, None]:
    """Write every medium into a folder, several at once; yield each file's name when written.

    Closing it early leaves what was not begun.
    """
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - once, before anything runs
    loop = asyncio.get_running_loop()
    pool = ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),
        initializer=signal.signal,  # Ctrl-C is for us: we close the pool
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        jobs = [(recipe, dict(photographs), folder) for recipe in recipes]
        for written in asyncio.as_completed(
            [loop.run_in_executor(pool, _write, job) for job in jobs]
        ):
            yield await written
    finally:
        pool.shutdown(cancel_futures=True)


def _write(job: tuple[Renderable, dict[str, Path], Path]) -> str:
    recipe, photographs, folder = job
    (folder / recipe.file).write_bytes(recipe.to_bytes(photographs))
    return recipe.file


def original(picture: Picture, photographs: Mapping[str, Path]) -> Image.Image:
    """Read a photograph, or draw."""
    if picture.kind == PHOTOGRAPH:
        return open_picture(photographs[picture.name])
    return draw(picture.kind, picture.seed)
