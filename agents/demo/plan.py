"""What a run of the demo shows, and the truth about it."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from agents.demo.rendering import Recipe, Renderable


class Kind(StrEnum):
    """What a medium is."""

    PICTURE = "picture"
    FILM = "film"
    ANIMATION = "animation"
    SOUND = "sound"

    @property
    def claimed(self) -> str:
        """What a board says that it is: an animated picture is a picture there."""
        return {Kind.FILM: "video", Kind.SOUND: "audio"}.get(self, "image")


_STARTS = {"v": Kind.FILM, "a": Kind.ANIMATION, "s": Kind.SOUND}


def kind_of(file: str) -> Kind:
    """Tell a medium's kind by the first letter of its name on the demo's host."""
    return Kind.PICTURE if "://" in file else _STARTS.get(file.rsplit("/", 1)[-1][:1], Kind.PICTURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCase:
    """A case as an officer would open it.

    Args:
        alias: a pseudonym.
        keywords: invented words.
        references: the file name of each picture with its recipe.
        moving: likewise of its films and sounds.
    """

    alias: str
    keywords: tuple[str, ...]
    references: tuple[Recipe, ...]
    moving: tuple[Renderable, ...] = ()

    @property
    def footage(self) -> tuple[Renderable, ...]:
        """All that is enrolled."""
        return (*self.references, *self.moving)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A re-upload.

    Args:
        case: whose.
        reference: of which file.
        edit: what was done to it.
        kind: what it is now.
        also: further files of the case that it shows: a case's film was shot of its pictures.
    """

    case: str
    reference: str
    edit: str
    kind: Kind = Kind.PICTURE
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPost:
    """One post and the truth about it.

    Args:
        id: the board's identifier.
        board: number of the invented board.
        text: as published.
        media: file names on the host, or whole URLs.
        planted: the re-uploads among them; empty for most posts.
    """

    id: str
    board: int
    text: str
    media: tuple[str, ...] = ()
    planted: tuple[Planted, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoStream:
    """Everything that one run shows.

    Args:
        seed: that it was drawn from.
        cases: to be opened.
        posts: in the order of publication.
        recipes: the pictures that the host serves.
        moving: the films, animated pictures and sounds that it serves.
    """

    seed: int
    cases: tuple[DemoCase, ...]
    posts: tuple[PlannedPost, ...]
    recipes: tuple[Recipe, ...]
    moving: tuple[Renderable, ...] = ()

    @property
    def planted(self) -> int:
        """Count the posts that hold a re-upload."""
        return sum(bool(post.planted) for post in self.posts)

    @property
    def media(self) -> tuple[Renderable, ...]:
        """All that the host serves."""
        return (*self.recipes, *self.moving)

    def count_by_kind(self) -> Counter[Kind]:
        """Count what the host serves."""
        return Counter(kind_of(one.file) for one in chain(self.recipes, self.moving))

    def to_lines(self, origin: str) -> Iterator[str]:
        """Write each post as a line of a replay file, its media on the host at `origin`."""
        for post in self.posts:
            media = [
                {
                    "url": file if "://" in file else f"{origin}/{file}",
                    "kind": kind_of(file).claimed,
                }
                for file in post.media
            ]
            yield json.dumps(
                {
                    "id": post.id,
                    "url": f"https://board-{post.board}.example/{post.id}",
                    "text": post.text,
                    "author": f"user{post.board}{post.id[-2:]}",
                    "language": "ko",
                    "media": media,
                },
                ensure_ascii=False,
            )
