"""The references' fingerprints, searchable: a picture in, its best candidates out."""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.alignment import Alignment, Seconds, align
from gpu_kernels.films import MIN_PLAIN_FRAMES, Film, plain_frames
from gpu_kernels.fingerprint import MIN_DETAIL, ImageFingerprint
from gpu_kernels.hamming import hamming
from gpu_kernels.index import DEFAULT_INDEX, Ids, Index, Similarities, Vectors, load_index

MIN_PDQ_QUALITY = 50
"""Hashes of lower quality are not compared (ThreatExchange's floor)."""

NEAR_PDQ_DISTANCE = 31
"""Bits within which a hash alone makes a candidate (ThreatExchange's advice)."""

MIN_ALIGNED = 0.2
"""Cosine of the nearest frames below which two videos are not compared in order of time: all 234
visual copies of the development set have more in their best frame. It spares pairs; hardly any
video is unlike every reference in every frame."""

_ROWS_FOR_EACH = 16
"""Neighbours fetched for each candidate wanted: a reference has about twelve views."""

_Near: TypeAlias = tuple[float, int, float]
"""An ordinal's highest cosine, the picture's row that has it, the reference's seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A reference that a picture may show.

    Args:
        ordinal: as it was added.
        similarity: the highest cosine of any of the picture's views with any of the reference's.
        pdq_distance: the fewest differing bits over views and orientations; None where either
            side has no hash of sufficient quality.
        query_box: the view that is most similar: x0, y0, x1, y1 in 0..1.
        detail: of the reference, bits; see `views.detail`.
        reference_seconds: position in the reference of its frame that is most similar.
    """

    ordinal: int
    similarity: float
    pdq_distance: int | None
    query_box: tuple[float, float, float, float]
    detail: float
    reference_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmCandidate:
    """A reference that several frames of a medium may show, in order.

    Args:
        ordinal: as it was added.
        alignment: of the medium's frames with the reference's.
        nearest: the frame that is most like any of the reference's, as `search` gives it; None
            where all of them are too plain to be compared alone.
        nearest_frame: that frame's place among those that were asked about.
        moves: whether the reference has several frames; one that has not is a picture.
        tells: whether the line says anything: it has a pattern, or a pair of frames that may be
            compared alone. Any black film runs along any other.
    """

    ordinal: int
    alignment: Alignment
    nearest: Candidate | None
    nearest_frame: int
    moves: bool
    tells: bool


class _Hashes:
    """All hashes of sufficient quality, and the ordinal of each addition."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.uint8]] = []
        self._starts: list[int] = []
        self._ordinals: list[int] = []
        self._count = 0

    def add(self, ordinal: int, fingerprint: ImageFingerprint) -> None:
        good = fingerprint.pdq[fingerprint.pdq_quality >= MIN_PDQ_QUALITY]
        if len(good):
            self._parts.append(good)
            self._starts.append(self._count)
            self._ordinals.append(ordinal)
            self._count += len(good)

    def distances(self, queries: NDArray[np.uint8]) -> dict[int, int]:
        """Give each ordinal's least distance to any of the queries."""
        if not self._parts or not len(queries):
            return {}
        if len(self._parts) > 1:  # join what was added since the last time
            self._parts = [np.concatenate(self._parts)]
        bits = np.minimum.reduceat(hamming(queries, self._parts[0]).min(axis=0), self._starts)
        least: dict[int, int] = {}
        for ordinal, distance in zip(self._ordinals, bits.tolist(), strict=True):
            least[ordinal] = min(distance, least.get(ordinal, distance))
        return least


def _align(queries: Sequence[ImageFingerprint], film: Film) -> Alignment:
    seconds = np.array([one.at_seconds for one in queries], np.float64)
    return align(film.affinity(queries), film.itself, seconds, film.seconds)


def _tells(
    alignment: Alignment, plain: NDArray[np.bool_], reference_plain: NDArray[np.bool_]
) -> bool:
    comparable = (not plain[i] and not reference_plain[j] for i, j in alignment.pairs)
    return alignment.pattern is not None or any(comparable)


class FrameGallery:
    """Reference fingerprints of one vector space, by an integer that the owner chooses.

    Any thread may call anything at any time; while one aligns films, the others go on.

    Args:
        index: a key of `gpu_kernels.index.INDEXES`.
    """

    def __init__(self, index: str = DEFAULT_INDEX) -> None:
        self._index_name = index
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._row_ordinals: list[int] = []
        self._row_seconds: list[float] = []
        self._hashes = _Hashes()
        self._kept: dict[int, list[ImageFingerprint]] = {}
        self._films: dict[int, Film] = {}
        self._plain: dict[int, int] = {}

    def __len__(self) -> int:
        """Count the ordinals."""
        return len(self._kept)

    @property
    def space(self) -> str | None:
        """The vector space of all of them; None while there is none."""
        return next((prints[0].space for prints in self._kept.values()), None)

    def add(self, ordinal: int, fingerprint: ImageFingerprint) -> None:
        """Append a reference's fingerprint; several may share an ordinal.

        Raises:
            ValueError: it lives in another vector space.
        """
        with self._lock:
            self._check(fingerprint)
            rows = fingerprint.embeddings[fingerprint.comparable()]
            if self._index is None:
                self._index = load_index(self._index_name, fingerprint.embeddings.shape[1])
            self._index.add(rows)
            self._row_ordinals.extend([ordinal] * len(rows))
            self._row_seconds.extend([fingerprint.at_seconds] * len(rows))
            self._hashes.add(ordinal, fingerprint)
            self._kept.setdefault(ordinal, []).append(fingerprint)
            self._films.pop(ordinal, None)
            if fingerprint.detail < MIN_DETAIL:
                self._plain[ordinal] = self._plain.get(ordinal, 0) + 1

    def without(self, ordinals: Collection[int]) -> "FrameGallery":
        """Build a gallery that lacks some; this one stays as it is."""
        with self._lock:
            kept = {one: list(prints) for one, prints in self._kept.items() if one not in ordinals}
        rest = FrameGallery(self._index_name)
        for ordinal, prints in kept.items():
            for fingerprint in prints:
                rest.add(ordinal, fingerprint)
        return rest

    def search(
        self, query: ImageFingerprint, limit: int, *, below: int | None = None
    ) -> list[Candidate]:
        """Find the references most like a picture, most similar first, each ordinal once.

        A reference whose hash is near is found whatever the embeddings say.

        Args:
            query: of `fingerprint_query`.
            limit: how many at most.
            below: leave out this ordinal and all above.

        Raises:
            ValueError: it lives in another vector space.
        """
        with self._lock:
            self._check(query)
            return self._search([query], limit, below)[0]

    def search_film(
        self, queries: Sequence[ImageFingerprint], limit: int, *, below: int | None = None
    ) -> list[FilmCandidate]:
        """Find the references that a medium's frames run along, the most alike first.

        References of many plain frames, each of which says nothing alone, are found by their order.

        Args:
            queries: of `fingerprint_query`, in order of time, in one space.
            limit: how many at most.
            below: leave out this ordinal and all above.

        Raises:
            ValueError: they live in another vector space.
        """
        nearest: dict[int, tuple[Candidate, int]] = {}
        with self._lock:
            for query in queries:
                self._check(query)
            each = self._search(queries, limit, below)
        for place, found in ((place, one) for place, some in enumerate(each) for one in some):
            known = nearest.get(found.ordinal)
            if known is None or _nearest_first(found) < _nearest_first(known[0]):
                nearest[found.ordinal] = found, place
        near = [one for one, (found, _) in nearest.items() if _is_worth_aligning(found)]
        chosen = sorted(near, key=lambda one: _nearest_first(nearest[one][0]))[:limit]
        with self._lock:
            chosen += [one for one in self._plain_films(below) if one not in chosen]
            films = {one: self._film(one) for one in chosen if queries}
        aligned = {one: _align(queries, film) for one, film in films.items()}  # others may search
        plain = plain_frames(queries)
        found_films = [
            FilmCandidate(
                ordinal=ordinal,
                alignment=alignment,
                nearest=nearest[ordinal][0] if ordinal in nearest else None,
                nearest_frame=nearest[ordinal][1] if ordinal in nearest else 0,
                moves=films[ordinal].moves,
                tells=_tells(alignment, plain, films[ordinal].plain),
            )
            for ordinal, alignment in aligned.items()
        ]
        return sorted(found_films, key=lambda one: -one.alignment.similarity)

    def seconds_of(self, ordinal: int) -> Seconds:
        """Tell when a reference's frames are, in the order of `Alignment.pairs`."""
        with self._lock:
            return self._film(ordinal).seconds

    def prints_of(self, ordinal: int) -> tuple[ImageFingerprint, ...]:
        """Give an ordinal's fingerprints, in the order of their addition; none of an unknown one.

        The arrays are the gallery's own: read them only.
        """
        with self._lock:
            return tuple(self._kept.get(ordinal, ()))

    def _plain_films(self, below: int | None) -> list[int]:
        """List references of many plain frames."""
        return [
            ordinal
            for ordinal, plain in self._plain.items()
            if len(self._kept[ordinal]) >= MIN_PLAIN_FRAMES
            and (below is None or ordinal < below)
            and plain * 2 >= len(self._kept[ordinal])
        ]

    def _film(self, ordinal: int) -> Film:
        film = self._films.get(ordinal)
        if film is None:
            film = self._films[ordinal] = Film(self._kept[ordinal])
        return film

    def _check(self, fingerprint: ImageFingerprint) -> None:
        if self.space not in {None, fingerprint.space}:
            raise ValueError(f"space {fingerprint.space} in a gallery of {self.space}")

    def _search(
        self, queries: Sequence[ImageFingerprint], limit: int, below: int | None
    ) -> list[list[Candidate]]:
        """Search for several pictures at once: an index reads its vectors once for all of them."""
        rows = [query.comparable() for query in queries]
        views = [query.embeddings[chosen] for query, chosen in zip(queries, rows, strict=True)]
        near = self._by_embedding(views, limit, below)
        return [
            self._candidates(query, chosen, best, limit, below)
            for query, chosen, best in zip(queries, rows, near, strict=True)
        ]

    def _candidates(
        self,
        query: ImageFingerprint,
        rows: NDArray[np.intp],
        best: dict[int, _Near],
        limit: int,
        below: int | None,
    ) -> list[Candidate]:
        """Join what is near by embedding with what is near by hash."""
        distances = self._hashes.distances(_good_hashes(query, rows))
        for ordinal, bits in distances.items():
            wanted = below is None or ordinal < below
            if bits <= NEAR_PDQ_DISTANCE and wanted and ordinal not in best:
                best[ordinal] = self._compare(query.embeddings[rows], ordinal)
        found = [
            Candidate(
                ordinal=ordinal,
                similarity=similarity,
                pdq_distance=distances.get(ordinal),
                query_box=_as_box(query, int(rows[row])),
                detail=max(one.detail for one in self._kept[ordinal]),
                reference_seconds=seconds,
            )
            for ordinal, (similarity, row, seconds) in best.items()
        ]
        return sorted(found, key=_nearest_first)[:limit]

    def _by_embedding(
        self, views: Sequence[Vectors], limit: int, below: int | None
    ) -> list[dict[int, _Near]]:
        """Give for each picture, of its views, the near ordinals."""
        near: list[dict[int, _Near]] = [{} for _ in views]
        index, count = self._index, limit * _ROWS_FOR_EACH
        todo = [place for place, some in enumerate(views) if len(some)]
        while index is not None and todo:
            found = index.search(np.concatenate([views[place] for place in todo]), count)
            ends = np.cumsum([len(views[place]) for place in todo])[:-1]
            parts = (np.split(one, ends) for one in found)
            for place, similarities, ids in zip(todo, *parts, strict=True):
                near[place] = self._best(similarities, ids, below)
            # Few references with many views, or many that are left out: look further.
            todo = [one for one in todo if len(near[one]) < limit and count < len(index)]
            count *= 4
        return near

    def _best(self, similarities: Similarities, ids: Ids, below: int | None) -> dict[int, _Near]:
        best: dict[int, _Near] = {}
        width = ids.shape[1]
        for n, (cosine, i) in enumerate(zip(similarities.flat, ids.flat, strict=True)):
            ordinal = self._row_ordinals[i]
            is_best = ordinal not in best or cosine > best[ordinal][0]
            if is_best and (below is None or ordinal < below):
                best[ordinal] = (float(cosine), n // width, self._row_seconds[i])
        return best

    def _compare(self, queries: Vectors, ordinal: int) -> _Near:
        """Give one ordinal's highest cosine, the query's row, the reference's seconds."""
        kept = self._kept[ordinal]
        nearest = [
            (queries @ one.embeddings[one.comparable()].T).max(axis=1, initial=-1.0) for one in kept
        ]
        cosines = np.stack(nearest, axis=1)
        row, frame = (int(i) for i in np.unravel_index(int(cosines.argmax()), cosines.shape))
        return float(cosines[row, frame]), row, kept[frame].at_seconds


def _good_hashes(query: ImageFingerprint, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return a query's hashes that may be compared; it has one for each view."""
    usable = np.isin(np.arange(len(query.pdq)), rows) & (query.pdq_quality >= MIN_PDQ_QUALITY)
    return query.pdq[usable]


def _is_worth_aligning(candidate: Candidate) -> bool:
    distance = 256 if candidate.pdq_distance is None else candidate.pdq_distance
    return candidate.similarity >= MIN_ALIGNED or distance <= NEAR_PDQ_DISTANCE


def _nearest_first(candidate: Candidate) -> tuple[bool, float, int]:
    distance = 256 if candidate.pdq_distance is None else candidate.pdq_distance
    return (distance > NEAR_PDQ_DISTANCE, -candidate.similarity, distance)


def _as_box(query: ImageFingerprint, row: int) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(value) for value in query.boxes[row])
    return (x0, y0, x1, y1)
