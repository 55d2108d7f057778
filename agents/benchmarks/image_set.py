"""A built image set: references, edited copies of them, and unrelated posts.

Layout: `labels.json` with `image` holding `refs` {id, file}, `queries` {file, ref, attack} and
`distractors` {file, attack}; files are named after the hash of their source.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.errors import ConfigurationError

_SOURCE_DIGITS = 16
"""A file's name begins with so many digits of its source's hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One picture that is looked at.

    Args:
        file: below the set's folder.
        reference: index of the reference that it copies; -1 for an unrelated picture.
        edit: what was done to it; None for a raw one.
        source: of what it was made.
    """

    file: str
    reference: int
    edit: str | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageSet:
    """A set, or a part of one.

    Args:
        name: of the set.
        folder: where its files are.
        references: their files; ids are the files' sources.
        posts: copies and unrelated pictures.
        ignored: bool (posts, references): pairs that share content without being copies; they are
            neither finds nor false alarms.
    """

    name: str
    folder: Path
    references: list[str]
    posts: list[Post]
    ignored: NDArray[np.bool_]

    @property
    def truth(self) -> NDArray[np.intp]:
        """Each post's reference, or -1."""
        return np.array([post.reference for post in self.posts], np.intp)

    @property
    def edits(self) -> list[str]:
        """Each post's edit; empty for a raw one."""
        return [post.edit or "" for post in self.posts]

    def half(self, which: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Give the posts and the references of one half, 0 or 1, split by the hash of the source.

        Copies go with their reference; nothing of one half's sources is in the other.
        """
        references = [i for i, file in enumerate(self.references) if _half(_source(file)) == which]
        mine = set(references)
        posts = [
            i
            for i, post in enumerate(self.posts)
            if (post.reference in mine if post.reference >= 0 else _half(post.source) == which)
        ]
        return np.array(posts, np.intp), np.array(references, np.intp)


def _source(file: str) -> str:
    return Path(file).stem[:_SOURCE_DIGITS]


def _half(source: str) -> int:
    return hashlib.sha256(source.encode()).digest()[0] & 1


def load_image_set(folder: Path, same_content: Path | None = None) -> ImageSet:
    """Read a built set.

    Args:
        folder: with `labels.json`.
        same_content: groups of sources that share content, by set; default: the file of that name
            in the folder, where there is one.

    Raises:
        ConfigurationError: there is no such set.
    """
    try:
        labels = json.loads((folder / "labels.json").read_text())
        images = labels["image"]
        references = [item["file"] for item in images["refs"]]
        index = {item["id"]: i for i, item in enumerate(images["refs"])}
        posts = [
            Post(
                file=item["file"],
                reference=index[item["ref"]] if "ref" in item else -1,
                edit=item.get("attack"),
                source=_source(item["file"]),
            )
            for item in [*images["queries"], *images["distractors"]]
        ]
        groups = _groups(same_content or folder / "same_content.json", labels["set"])
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"no built image set in {folder}") from error
    ignored = [[_is_ignored(post, ref, groups) for ref in references] for post in posts]
    return ImageSet(
        name=labels["set"],
        folder=folder,
        references=references,
        posts=posts,
        ignored=np.array(ignored, bool),
    )


def _groups(path: Path, name: str) -> list[set[str]]:
    if not path.is_file():
        return []
    return [set(group) for group in json.loads(path.read_text()).get(name, [])]


def _is_ignored(post: Post, reference: str, groups: list[set[str]]) -> bool:
    pair = {post.source, _source(reference)}
    return len(pair) == 2 and any(pair <= group for group in groups)
