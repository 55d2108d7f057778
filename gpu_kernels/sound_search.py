"""The references' sounds, searchable: a sound in, what it is made of out."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from gpu_kernels.sound import SoundFingerprint
from gpu_kernels.sound_align import PreparedSound, match_prepared, prepare
from gpu_kernels.sound_line import Frames, SoundMatch

_BATCH_SEGMENTS = 32
"""Transforms that are compared at once: about 22 MB while it lasts."""
_KEPT_SEGMENTS = 2_048
"""Transforms that are kept, 130 kB each, of those used last; others are made again when needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundCandidate:
    """A reference that a sound may be made of.

    Args:
        ordinal: as it was added.
        match: how, where and how surely.
    """

    ordinal: int
    match: SoundMatch


class SoundGallery:
    """Reference sounds of one space, by an integer that the owner chooses.

    Any thread may call anything at any time; searches do not wait for one another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[tuple[int, SoundFingerprint]] = []
        self._prepared: OrderedDict[int, PreparedSound] = OrderedDict()
        self._segments = 0

    def __len__(self) -> int:
        """Count the ordinals."""
        with self._lock:
            return len({ordinal for ordinal, _ in self._kept})

    @property
    def space(self) -> str | None:
        """The space of all of them; None while there is none."""
        return self._kept[0][1].space if self._kept else None

    def add(self, ordinal: int, fingerprint: SoundFingerprint) -> None:
        """Append a reference's fingerprint; several may share an ordinal.

        Raises:
            ValueError: it is of another space.
        """
        with self._lock:
            self._check(fingerprint)
            self._kept.append((ordinal, fingerprint))

    def without(self, ordinals: Collection[int]) -> "SoundGallery":
        """Build a gallery that lacks some; this one stays as it is."""
        rest = SoundGallery()
        with self._lock:
            kept = list(self._kept)
        for ordinal, fingerprint in kept:
            if ordinal not in ordinals:
                rest.add(ordinal, fingerprint)
        return rest

    def search(
        self,
        query: SoundFingerprint,
        limit: int,
        *,
        below: int | None = None,
        thorough: bool = False,
    ) -> list[SoundCandidate]:
        """Find what a sound may be made of, most similar first, each ordinal once.

        Args:
            query: of `fingerprint_sound`.
            limit: how many at most.
            below: leave out this ordinal and all above.
            thorough: try other speeds and pitches with all that have no clear match.

        Raises:
            ValueError: it is of another space.
        """
        with self._lock:
            self._check(query)
            rows = [
                row
                for row, (ordinal, one) in enumerate(self._kept)
                if one.usable_seconds and (below is None or ordinal < below)
            ]
        frames = query.frames()
        best: dict[int, SoundMatch] = {}
        for row, match in self._match(frames, rows, thorough=thorough):
            ordinal = self._kept[row][0]
            if ordinal not in best or match.similarity > best[ordinal].similarity:
                best[ordinal] = match
        ranked = sorted(best.items(), key=lambda item: (-item[1].similarity, item[0]))
        return [SoundCandidate(ordinal=ordinal, match=match) for ordinal, match in ranked[:limit]]

    def _check(self, fingerprint: SoundFingerprint) -> None:
        if self.space not in {None, fingerprint.space}:
            raise ValueError(f"space {fingerprint.space} in a gallery of {self.space}")

    def _match(
        self, query: Frames, rows: list[int], *, thorough: bool
    ) -> Iterator[tuple[int, SoundMatch]]:
        for batch in self._batches(rows):
            matches = match_prepared(query, [one for _, one in batch], thorough=thorough)
            for (row, _), match in zip(batch, matches, strict=True):
                if match is not None:
                    yield row, match

    def _batches(self, rows: list[int]) -> Iterator[list[tuple[int, PreparedSound]]]:
        batch: list[tuple[int, PreparedSound]] = []
        for row in rows:
            batch.append((row, self._prepare(row)))
            if sum(len(one.spectra) for _, one in batch) >= _BATCH_SEGMENTS:
                yield batch
                batch = []
        if batch:
            yield batch

    def _prepare(self, row: int) -> PreparedSound:
        """Give a reference's transforms, and forget those that were used longest ago."""
        with self._lock:
            if row in self._prepared:
                self._prepared.move_to_end(row)
                return self._prepared[row]
        made = prepare(self._kept[row][1])
        with self._lock:
            if row not in self._prepared:
                self._prepared[row] = made
                self._segments += len(made.spectra)
            while self._segments > _KEPT_SEGMENTS and len(self._prepared) > 1:
                _, forgotten = self._prepared.popitem(last=False)
                self._segments -= len(forgotten.spectra)
        return made
