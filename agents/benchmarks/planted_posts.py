"""What was seen before a case existed, drawn: posts, their fingerprints, and planted copies."""

import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from agents.benchmarks.drawn_keywords import draw_keyword
from agents.demo.edits import EDITS
from agents.demo.scenes import draw
from agents.steps.remembering import seen_of, views_of
from monitors import seen
from monitors.database import Database
from monitors.lookback import LookBackStore, SeenFingerprint
from monitors.recognition import Recogniser
from streams.schemas import post_key
from streams.types import MediaItem, MediaKind, Post

SOURCE = "bench"
BATCH = 5_000
SPREAD_SECONDS = 6 * 86_400.0
"""What was seen is spread over six of the seven days that are kept."""

KINDS = ("landscape", "city", "planets", "flowers")
"""Of `agents.demo.scenes`: pictures of the first kinds do not look alike to SSCD."""

EDITED = ("crop", "recompress", "caption", "mirror", "colour", "meme")
"""Edits that the shipped thresholds find: what a search misses is then the search's own."""

WORDS = (
    "오늘 날씨 커피 산책 여행 사진 친구 저녁 영화 음악 고양이 주말 바다 하늘 정말 좋다 맛집".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One case to come, and what shows its footage.

    Args:
        reference: a JPEG's bytes.
        keyword: that half of its posts hold.
        alike: posts that are remembered by their fingerprints.
        spoken: posts that are remembered by their text alone.
    """

    reference: bytes
    keyword: str
    alike: tuple[Post, ...]
    spoken: tuple[Post, ...]


def fill(
    database: Database,
    store: LookBackStore,
    space: str,
    dimensions: int,
    count: int,
    now: datetime,
) -> None:
    """Remember so many posts of one picture each, with random vectors and texts of random words."""
    chance, numbers = random.Random(1), np.random.default_rng(1)  # noqa: S311 - repeatable
    for start in range(0, count, BATCH):
        posts = [
            _post(f"drawn/{number}", " ".join(chance.choices(WORDS, k=12)), "", _at(now, chance))
            for number in range(start, min(count, start + BATCH))
        ]
        vectors = numbers.standard_normal((len(posts), dimensions)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        store.of(space).add(
            [
                SeenFingerprint(
                    post=post.key,
                    medium=0,
                    at_seconds=0.0,
                    vector=vector,
                    pdq=None,
                    observed_at=post.observed_at,
                )
                for post, vector in zip(posts, vectors, strict=True)
            ]
        )
        remember(database, posts)


def remember(database: Database, posts: Sequence[Post]) -> None:
    """Keep posts as an inspection does."""
    with database.write() as connection:
        seen.remember(connection, [(post, seen.compressed(post)) for post in posts])


async def plant(
    recogniser: Recogniser, folder: Path, origin: str, *, runs: int, each: int, now: datetime
) -> tuple[list[Planted], list[SeenFingerprint]]:
    """Draw what will be registered, and write edited copies of it where a host serves them.

    Args:
        recogniser: started.
        folder: that the host serves.
        origin: of the host.
        runs: cases.
        each: posts of each; half are remembered by fingerprints, half by their text.
        now: the latest time of a post.
    """
    planted, prints = [], []
    for run in range(runs):
        chance = random.Random(run)  # noqa: S311 - repeatable
        picture = draw(KINDS[run % len(KINDS)], 500_000 + run)
        keyword = draw_keyword(chance)
        posts = []
        for number, body in enumerate(_copies(picture, chance, each)):
            name = f"planted-{run}-{number}.jpg"
            (folder / name).write_bytes(body)
            words = " ".join(chance.choices(WORDS, k=6))
            is_spoken = number % 2 == 1
            text = f"{words} {keyword} {chance.choice(WORDS)}" if is_spoken else words
            post = _post(f"planted/{run}/{number}", text, f"{origin}/m/{name}", _at(now, chance))
            posts.append(post)
            if not is_spoken:
                decoded = await recogniser.decode(body)
                found = await recogniser.fingerprint_frames(decoded.frames)
                prints += seen_of(post, 0, views_of(found, MediaKind.IMAGE))
        planted.append(
            Planted(
                reference=_jpeg(picture, 92),
                keyword=keyword,
                alike=tuple(posts[::2]),
                spoken=tuple(posts[1::2]),
            )
        )
    return planted, prints


def _copies(picture: Image.Image, chance: random.Random, count: int) -> Iterator[bytes]:
    other = draw("marble", chance.randrange(1_000_000))
    for number in range(count):
        edit = EDITS[EDITED[number % len(EDITED)]]
        yield _jpeg(edit(picture, chance, other), chance.randint(60, 85))


def _post(name: str, text: str, media: str, at: datetime) -> Post:
    url = f"https://board.example/{name}"
    return Post(
        key=post_key(SOURCE, name),
        source=SOURCE,
        id=name,
        url=url,
        text=text,
        media=(MediaItem(url=media or f"{url}.jpg", kind=MediaKind.IMAGE),),
        observed_at=at,
    )


def _at(now: datetime, chance: random.Random) -> datetime:
    return now - timedelta(seconds=chance.uniform(60, SPREAD_SECONDS))


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    content = io.BytesIO()
    picture.convert("RGB").save(content, "JPEG", quality=quality)
    return content.getvalue()
