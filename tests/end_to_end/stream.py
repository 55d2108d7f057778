"""A stream with planted copies, drawn from a seed, for tests that kill processes under it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.schemas import post_key
from tests.end_to_end.instance import Instance, jpeg, scene

HOSTS = ("one.example", "two.example", "three.example")
REFERENCES = ("landscape", "city", "planets", "flowers")
DISTRACTORS = ("shapes", "marble", "shore")
"""Kinds of `agents.demo.scenes`: what looks alike is not told apart by drawing it twice."""

DISTRACTOR_FILES = 60
MEDIA_SHARE = 0.3


@dataclass(slots=True)
class PlantedStream:
    """What is played and what must come of it.

    Args:
        files: what the media host serves, by path.
        references: what is enrolled, one case each two.
        posts: what is played, in order; media URLs as paths until `played_from`.
        planted: the key of each planted post, and which reference it shows where.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    references: list[bytes] = field(default_factory=list)
    posts: list[dict[str, Any]] = field(default_factory=list)
    planted: dict[str, tuple[int, str]] = field(default_factory=dict)

    def played_from(self, origin: str) -> list[dict[str, Any]]:
        """Give the posts with media on this host."""
        return [
            post | {"media": [{"url": origin + path} for path in post.get("media", ())]}
            for post in self.posts
        ]

    @property
    def tasks(self) -> set[tuple[int, str]]:
        """The tasks that must open: reference and host."""
        return set(self.planted.values())

    def enrol(self, instance: Instance, folder: Path) -> Mapping[str, int]:
        """Open the cases and add the references; give each reference's number by its id."""
        numbers: dict[str, int] = {}
        for first in range(0, len(self.references), 2):
            words = ("--age-class", "adult", "--basis", "victim_request")
            [case] = instance.haechi("case", "open", "--alias", f"case-{first}", *words)
            paths = []
            for number, content in enumerate(self.references[first : first + 2], first):
                path = folder / f"reference-{number}.jpg"
                path.write_bytes(content)
                paths.append(str(path))
            found = instance.haechi("case", "reference", "add", case["case"], *paths)
            assert [one["outcome"] for one in found] == ["enrolled"] * len(paths)
            numbers |= {one["reference"]: first + i for i, one in enumerate(found)}
        return numbers


def planted_stream(seed: int, posts: int, planted: int) -> PlantedStream:
    """Draw a stream.

    Args:
        seed: of everything.
        posts: how many.
        planted: how many of them show a copy of a reference.
    """
    chance = random.Random(seed)
    stream = PlantedStream()
    for number in range(DISTRACTOR_FILES):
        kind = DISTRACTORS[number % len(DISTRACTORS)]
        stream.files[f"/d{number}.jpg"] = jpeg(scene(kind, number))
    for number, kind in enumerate(REFERENCES):
        picture = scene(kind, 1000 + number)
        width, height = picture.size
        copy = picture.crop((8, 6, width - 8, height - 6)).resize((320, 240))
        stream.references.append(jpeg(picture, 95))
        stream.files[f"/p{number}.jpg"] = jpeg(copy, 60)
    chosen = set(chance.sample(range(posts), planted))
    for index in range(posts):
        host = chance.choice(HOSTS)
        post: dict[str, Any] = {
            "id": str(index),
            "url": f"https://{host}/{index}",
            "text": f"post number {index}",
        }
        if index in chosen:
            number = chance.randrange(len(REFERENCES))
            post["media"] = [f"/p{number}.jpg"]
            stream.planted[post_key("replay", str(index))] = (number, host)
        elif chance.random() < MEDIA_SHARE:
            post["media"] = [f"/d{chance.randrange(DISTRACTOR_FILES)}.jpg"]
        stream.posts.append(post)
    return stream
