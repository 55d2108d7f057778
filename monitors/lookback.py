"""What was seen lately, as numbers: so that a new case finds what was posted before it existed.

Kept are copy embeddings and hashes of posts' media: no media, no face, no voice. One table a vector
space, for vectors of two spaces cannot be compared. Calls block: coroutines run them in a thread.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streams.types import PostKey

Vectors = NDArray[np.float32]
"""Shape (n, dimensions), rows of unit length."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenFingerprint:
    """One view of one medium of one post.

    Args:
        post: which.
        medium: position in the post's media.
        at_seconds: position in the medium; 0 of a still picture.
        vector: float32 (dimensions,), of unit length.
        pdq: 32 bytes; None where the view has no hash of sufficient quality.
        observed_at: when the post was, aware UTC: what its age is counted from.
    """

    post: PostKey
    medium: int
    at_seconds: float
    vector: NDArray[np.float32]
    pdq: bytes | None
    observed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How like a medium is to what was asked about.

    Args:
        post: which.
        medium: position in the post's media.
        query: the row that was asked about and is most like it.
        similarity: cosine of the two.
        at_seconds: position in the medium.
    """

    post: PostKey
    medium: int
    query: int
    similarity: float
    at_seconds: float


class LookBack(Protocol):
    """What was seen in one vector space. Any thread, and any number of processes at once."""

    def add(self, seen: Sequence[SeenFingerprint], /) -> None:
        """Keep fingerprints of one number of dimensions: all of them or none.

        What is added twice is kept twice, and found once.

        Raises:
            ValueError: the store holds vectors of another length.
            DatabaseUnavailableError: the store cannot be written; nothing of these is kept.
        """
        ...

    def search(
        self, vectors: Vectors, at_least: float, limit: int, since: datetime | None = None
    ) -> list[Likeness]:
        """Find the posts most like any of the vectors, exactly; most similar first, each once.

        Each by its best medium: a post of a hundred must not take the place of others.

        Args:
            vectors: see `Vectors`.
            at_least: the least cosine.
            limit: how many at most.
            since: leave out what was observed before.

        Raises:
            DatabaseUnavailableError: the store cannot be read.
        """
        ...

    def forget(self, before: datetime, /) -> int:
        """Remove what was observed before that; give how many fingerprints.

        Raises:
            DatabaseUnavailableError: the store cannot be written.
        """
        ...

    def compact(self) -> None:
        """Join what was added piece by piece, where that is worth it. Others may add meanwhile.

        Raises:
            DatabaseUnavailableError: the store cannot be written.
        """
        ...

    def count(self) -> int:
        """Count the fingerprints.

        Raises:
            DatabaseUnavailableError: the store cannot be read.
        """
        ...

    def close(self) -> None:
        """Let go of it. Idempotent."""
        ...


class LookBackStore(Protocol):
    """All spaces of one place."""

    def of(self, space: str, /) -> LookBack:
        """Give what was seen in a vector space; empty where nothing was added yet."""
        ...

    def spaces(self) -> list[str]:
        """List the spaces that something was added in.

        Raises:
            DatabaseUnavailableError: the store cannot be read.
        """
        ...

    def close(self) -> None:
        """Let go of all of them. Idempotent."""
        ...


def _memory(_place: str) -> LookBackStore:
    return MemoryLookBackStore()


def _lance(place: str) -> LookBackStore:
    from monitors.lance_lookback import LanceLookBackStore

    return LanceLookBackStore(place)


LOOKBACKS: Mapping[str, Callable[[str], LookBackStore]] = {"lance": _lance, "memory": _memory}
"""By name; each takes the place. Each loader imports its library when it is called."""

DEFAULT_LOOKBACK = "lance"


def load_lookback(name: str, place: str) -> LookBackStore:
    """Open a store, made where there is none.

    Args:
        name: a key of `LOOKBACKS`.
        place: a directory, or what else the store takes (docs/lookback.md).

    Raises:
        DatabaseUnavailableError: the place cannot be read or made.
    """
    return LOOKBACKS[name](place)


def place_of(home: Path, url: str | None) -> str:
    """Say where fingerprints are kept: the setting's place, or `lookback` below the home."""
    return url or str(home / "lookback")


def may_hold(place: str) -> bool:
    """Say whether something may be kept there: a local directory that is missing holds nothing."""
    return "://" in place or Path(place).exists()


def check_dimensions(seen: Iterable[SeenFingerprint], dimensions: int) -> None:
    """Refuse vectors of another length.

    Raises:
        ValueError: one is.
    """
    if any(one.vector.shape != (dimensions,) for one in seen):
        raise ValueError("vectors of several lengths")


class MemoryLookBack:
    """One list, one product: what other stores answer to. Of this process alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[SeenFingerprint] = []

    def add(self, seen: Sequence[SeenFingerprint], /) -> None:
        with self._lock:
            for first in (*self._seen[:1], *seen[:1]):
                check_dimensions(seen, len(first.vector))
            self._seen.extend(seen)

    def search(
        self, vectors: Vectors, at_least: float, limit: int, since: datetime | None = None
    ) -> list[Likeness]:
        with self._lock:
            seen = [one for one in self._seen if since is None or one.observed_at >= since]
        if not seen or not len(vectors):
            return []
        similarities = np.stack([one.vector for one in seen]) @ vectors.T
        found = [
            Likeness(
                post=one.post,
                medium=one.medium,
                query=int(row.argmax()),
                similarity=float(row.max()),
                at_seconds=one.at_seconds,
            )
            for one, row in zip(seen, similarities, strict=True)
            if row.max() >= at_least
        ]
        rising = sorted(found, key=lambda one: one.similarity)
        best = {one.post: one for one in rising}
        return sorted(best.values(), key=lambda one: -one.similarity)[:limit]

    def forget(self, before: datetime, /) -> int:
        with self._lock:
            kept = [one for one in self._seen if one.observed_at >= before]
            gone = len(self._seen) - len(kept)
            self._seen = kept
        return gone

    def compact(self) -> None:
        pass

    def count(self) -> int:
        return len(self._seen)

    def close(self) -> None:
        pass


class MemoryLookBackStore:
    """Spaces in this process's memory."""

    def __init__(self) -> None:
        self._spaces: dict[str, MemoryLookBack] = {}

    def of(self, space: str, /) -> LookBack:
        return self._spaces.setdefault(space, MemoryLookBack())

    def spaces(self) -> list[str]:
        return sorted(space for space, kept in self._spaces.items() if kept.count())

    def close(self) -> None:
        self._spaces.clear()
