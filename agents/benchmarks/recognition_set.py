"""A built set: references, edited copies of them, and unrelated posts, of each kind of medium.

Layout: `labels.json` with a part for each kind holding `refs` {id, file}, `queries` {file, ref,
attack, seg} and `distractors` {file, attack}; `seg` is [from, to] of the post, [from, to] of the
reference. Pictures and sounds are named after 16 digits of their source's hash, videos after film
and part.
"""

import hashlib
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.errors import ConfigurationError

KINDS = ("image", "video", "audio")
FITTED_HALF, REPORTED_HALF = 0, 1
TOGETHER = "together"
UNSEEN = "audio_kept"
"""The edit that keeps the sound alone: nothing is to be seen of the reference."""

_SOURCE_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A registered medium.

    Args:
        id: of its source.
        file: below the set's folder.
    """

    id: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One medium that is looked at.

    Args:
        file: below the set's folder.
        reference: index of the reference that it copies; -1 for an unrelated one.
        edit: what was done to it; None for a raw one.
        source: of what it was made.
        segment: of a video's copy: seconds from, to in the post, and from, to in the reference.
    """

    file: str
    reference: int
    edit: str | None
    source: str
    segment: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KindSet:
    """A set's media of one kind, or of all.

    Args:
        kind: one of `KINDS`, or `TOGETHER`.
        folder: where the files are.
        references: the registered ones.
        posts: copies and unrelated ones.
        ignored: bool (posts, references): pairs that share content without being copies; they are
            neither finds nor false alarms.
    """

    kind: str
    folder: Path
    references: tuple[Reference, ...]
    posts: tuple[Post, ...]
    ignored: NDArray[np.bool_]

    @property
    def truth(self) -> NDArray[np.intp]:
        """Each post's reference, or -1."""
        return np.array([post.reference for post in self.posts], np.intp)

    @property
    def edits(self) -> list[str]:
        """Each post's edit; empty for a raw one."""
        return [post.edit or "" for post in self.posts]

    def part(self, half: int | None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Give the posts and the references of one half, or all of them.

        Copies go with their reference; nothing of one half's sources is in the other.
        """
        if half is None:
            return np.arange(len(self.posts)), np.arange(len(self.references))
        references = [i for i, one in enumerate(self.references) if half_of(one.id) == half]
        mine = set(references)
        posts = [
            i
            for i, post in enumerate(self.posts)
            if (post.reference in mine if post.reference >= 0 else half_of(post.source) == half)
        ]
        return np.array(posts, np.intp), np.array(references, np.intp)

    def sample(self, count: int) -> "KindSet":
        """Choose so many copies and so many unrelated posts, the same ones each time."""
        chooser = random.Random(f"{self.kind} {count}")  # noqa: S311 - no secret
        copies = [i for i, post in enumerate(self.posts) if post.reference >= 0]
        others = [i for i, post in enumerate(self.posts) if post.reference < 0]
        chosen = sorted(
            i for some in (copies, others) for i in chooser.sample(some, min(count, len(some)))
        )
        return KindSet(
            kind=self.kind,
            folder=self.folder,
            references=self.references,
            posts=tuple(self.posts[i] for i in chosen),
            ignored=self.ignored[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSet:
    """A built set.

    Args:
        name: its folder's.
        folder: where it is.
        kinds: its media.
    """

    name: str
    folder: Path
    kinds: dict[str, KindSet]


def together(sets: Sequence[KindSet]) -> KindSet:
    """Put all kinds into one: every post is looked for among every reference."""
    references = [reference for one in sets for reference in one.references]
    posts = [post for one in sets for post in one.posts]
    ignored = np.zeros((len(posts), len(references)), bool)
    moved: list[Post] = []
    column = 0
    for one in sets:
        rows, width = slice(len(moved), len(moved) + len(one.posts)), len(one.references)
        ignored[rows, column : column + width] = one.ignored
        moved += [
            replace(post, reference=post.reference + column if post.reference >= 0 else -1)
            for post in one.posts
        ]
        column += width
    return KindSet(
        kind=TOGETHER,
        folder=sets[0].folder,
        references=tuple(references),
        posts=tuple(moved),
        ignored=ignored,
    )


def half_of(source: str) -> int:
    """Say which half a source belongs to, 0 or 1."""
    return hashlib.sha256(source.encode()).digest()[0] & 1


def load_set(
    folder: Path, same_content: Path | None = None, kinds: Sequence[str] = KINDS
) -> MediaSet:
    """Read a built set.

    Args:
        folder: with `labels.json`.
        same_content: groups of sources that share content, by set; default: the file of that name
            in the folder, where there is one.
        kinds: which of `KINDS`; those that the set lacks are left out.

    Raises:
        ConfigurationError: there is no such set.
    """
    try:
        labels = json.loads((folder / "labels.json").read_text())
        groups = _groups(same_content or folder / "same_content.json", labels["set"])
        found = {
            kind: _kind(folder, kind, labels[kind], groups)
            for kind in kinds
            if labels.get(kind, {}).get("refs")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"no built set in {folder}") from error
    if not found:
        raise ConfigurationError(f"nothing of {', '.join(kinds)} in {folder}")
    return MediaSet(name=folder.resolve().name, folder=folder, kinds=found)


def _kind(folder: Path, kind: str, labels: Any, groups: Sequence[set[str]]) -> KindSet:
    references = tuple(Reference(id=one["id"], file=one["file"]) for one in labels["refs"])
    index = {one.id: i for i, one in enumerate(references)}
    posts = tuple(
        Post(
            file=one["file"],
            reference=index[one["ref"]] if "ref" in one else -1,
            edit=one.get("attack"),
            source=one.get("ref") or _source(kind, one["file"], one.get("attack")),
            segment=_segment(one.get("seg")),
        )
        for one in [*labels["queries"], *labels["distractors"]]
    )
    ignored = [
        [_is_ignored(kind, post, i, one.id, groups) for i, one in enumerate(references)]
        for post in posts
    ]
    return KindSet(
        kind=kind,
        folder=folder,
        references=references,
        posts=posts,
        ignored=np.array(ignored, bool).reshape(len(posts), len(references)),
    )


def _source(kind: str, file: str, edit: str | None) -> str:
    stem = Path(file).stem
    return stem.removesuffix(f"_{edit}") if kind == "video" else stem[:_SOURCE_DIGITS]


def _segment(found: Any) -> tuple[float, float, float, float] | None:
    if found is None:
        return None
    a, b, c, d = (float(value) for value in found)
    return a, b, c, d


def film_of(source: str) -> str:
    """Name the film that a video's source is a part of."""
    return re.sub(r"-\d+$", "", source)


def _is_ignored(
    kind: str, post: Post, place: int, reference: str, groups: Sequence[set[str]]
) -> bool:
    if post.reference == place:
        return False
    if kind == "video" and film_of(post.source) == film_of(reference):
        return True
    pair = {post.source, reference}
    return len(pair) == 2 and any(pair <= group for group in groups)


def _groups(path: Path, name: str) -> list[set[str]]:
    if not path.is_file():
        return []
    return [set(group) for group in json.loads(path.read_text()).get(name, [])]
