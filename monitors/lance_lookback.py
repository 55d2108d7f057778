"""Fingerprints in LanceDB: files that several processes append to. The only file that knows it.

Decided in docs/adr/0015-lancedb-looks-back.md. Each batch is one file and one new version of the
table: whatever kills its writer, the version before stands. Lance's own search takes one query at
a time; with several it is quicker to read all vectors once and multiply, which is exact besides.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.table import Table

from monitors.lookback import Likeness, LookBack, SeenFingerprint, Vectors, check_dimensions
from streams.errors import DatabaseUnavailableError
from streams.types import PostKey

COMPACT_PIECES = 256
"""Small files from which a table is rewritten. With so many, of a batch each, reading it takes
twice as long as with one, and the versions' lists take 3 MB; with 2,048, 190 MB (measured)."""

KEPT_FOR = timedelta(minutes=2)
"""How long the files of earlier versions stay: for whoever is reading them. A search of a million
takes seconds."""

_READ_ROWS = 8192
"""Vectors that are multiplied at once: 16 MB."""
_SPARE = 4096
"""Hits kept beyond the limit before the lesser ones are dropped."""
_TRIES = 5
"""Of making a table that another process may be making, too."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PREFIX = "seen-"


class LanceLookBackStore:
    """A LanceDB database.

    Args:
        place: a directory, or an object store's address.
    """

    def __init__(self, place: str) -> None:
        with _translated():
            if "://" not in place:
                Path(place).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = lancedb.connect(place, read_consistency_interval=timedelta(0))
        self._opened: dict[str, LanceLookBack] = {}

    def of(self, space: str, /) -> LookBack:
        return self._opened.setdefault(space, LanceLookBack(self._db, space))

    def spaces(self) -> list[str]:
        with _translated():
            return sorted(_space_of(self._db.open_table(name)) for name in self._names())

    def _names(self) -> Iterator[str]:
        page: str | None = None
        while True:
            found = self._db.list_tables(page_token=page)
            yield from (name for name in found.tables if name.startswith(_PREFIX))
            page = found.page_token
            if not page:
                return

    def close(self) -> None:
        for one in self._opened.values():
            one.close()
        self._opened.clear()


class LanceLookBack:
    """One table. Vectors are kept in half precision: cosines are off by 0.0005 at most.

    Args:
        db: connected, and reading the newest version each time.
        space: whose vectors.
    """

    def __init__(self, db: Any, space: str) -> None:
        self._db = db
        self._space = space
        self._name = _name_of(space)
        self._kept: Table | None = None

    def add(self, seen: Sequence[SeenFingerprint], /) -> None:
        if not seen:
            return
        table = self._table() or self._made(len(seen[0].vector))
        dimensions = table.schema.field("vector").type.list_size
        check_dimensions(seen, dimensions)
        with _translated():
            table.add(_rows_of(seen, dimensions, table.schema))

    def search(
        self, vectors: Vectors, at_least: float, limit: int, since: datetime | None = None
    ) -> list[Likeness]:
        table = self._table()
        if table is None or not len(vectors):
            return []
        best = _Best(at_least, limit)
        query = table.search().select(["post", "medium", "at_seconds", "vector"])
        if since is not None:
            query = query.where(f"observed_at >= {_microseconds(since)}")
        with _translated():
            for batch in query.to_batches(_READ_ROWS):
                best.take(batch, vectors)
        return best.found()

    def forget(self, before: datetime, /) -> int:
        table = self._table()
        if table is None:
            return 0
        with _translated():
            done: Any = table.delete(f"observed_at < {_microseconds(before)}")
        return int(done.num_deleted_rows)

    def compact(self) -> None:
        table = self._table()
        if table is None:
            return
        with _translated():
            stats: Any = table.stats()  # a mapping, whatever its type says
            if stats["fragment_stats"]["num_small_fragments"] >= COMPACT_PIECES:
                table.optimize(cleanup_older_than=KEPT_FOR)

    def count(self) -> int:
        table = self._table()
        if table is None:
            return 0
        with _translated():
            return int(table.count_rows())

    def close(self) -> None:
        self._kept = None

    def _table(self) -> Table | None:
        """Open the table once; None while there is none."""
        if self._kept is None:
            with _translated():
                try:
                    self._kept = self._db.open_table(self._name)
                except ValueError as error:
                    if "not found" not in str(error):
                        raise
        return self._kept

    def _made(self, dimensions: int) -> Table:
        """Make the table, or open the one that another process made at the same moment."""
        for _ in range(_TRIES):
            with _translated():
                try:
                    self._kept = self._db.create_table(
                        self._name, schema=_schema(dimensions, self._space)
                    )
                except ValueError as error:
                    if "already exists" not in str(error):
                        raise
            table = self._table()
            if table is not None:
                return table
        raise DatabaseUnavailableError("the look-back's table cannot be made")


class _Best:
    """The best view of each post, of those read so far.

    Args:
        at_least: the least cosine.
        limit: of posts.
    """

    def __init__(self, at_least: float, limit: int) -> None:
        self._least = at_least
        self._limit = limit
        self._kept: dict[str, Likeness] = {}

    def take(self, batch: pa.RecordBatch, queries: Vectors) -> None:
        """Compare a batch of rows with the queries."""
        column = batch.column("vector")
        rows = np.asarray(column.flatten()).reshape(len(column), -1).astype(np.float32)
        similarities = rows @ queries.T
        nearest = similarities.argmax(axis=1)
        best = similarities[np.arange(len(rows)), nearest]
        for row in np.flatnonzero(best >= self._least).tolist():
            self._keep(
                Likeness(
                    post=PostKey(batch["post"][row].as_py()),
                    medium=batch["medium"][row].as_py(),
                    query=int(nearest[row]),
                    similarity=float(best[row]),
                    at_seconds=batch["at_seconds"][row].as_py(),
                )
            )

    def _keep(self, one: Likeness) -> None:
        known = self._kept.get(one.post)
        if one.similarity >= self._least and (known is None or one.similarity > known.similarity):
            self._kept[one.post] = one
        if len(self._kept) > self._limit + _SPARE:  # whoever asks for everything gets the best
            found = self.found()
            self._kept = {best.post: best for best in found}
            self._least = max(self._least, found[-1].similarity) if found else self._least

    def found(self) -> list[Likeness]:
        """Give them, most similar first."""
        return sorted(self._kept.values(), key=lambda one: -one.similarity)[: self._limit]


def _name_of(space: str) -> str:
    """Name a space's table: its words for a reader, its hash because they may coincide."""
    words = re.sub(r"[^a-z0-9]+", "-", space.lower())[:64]
    return f"{_PREFIX}{words}-{hashlib.sha256(space.encode()).hexdigest()[:8]}"


def _space_of(table: Table) -> str:
    return str((table.schema.metadata or {})[b"space"].decode())


def _schema(dimensions: int, space: str) -> pa.Schema:
    return pa.schema(
        [
            pa.field("post", pa.string(), nullable=False),
            pa.field("medium", pa.int32(), nullable=False),
            pa.field("at_seconds", pa.float32(), nullable=False),
            pa.field("observed_at", pa.int64(), nullable=False),  # microseconds since 1970
            pa.field("pdq", pa.binary()),
            pa.field("vector", pa.list_(pa.float16(), dimensions), nullable=False),
        ],
        metadata={"space": space},
    )


def _rows_of(seen: Sequence[SeenFingerprint], dimensions: int, schema: pa.Schema) -> pa.Table:
    vectors = np.stack([one.vector for one in seen]).astype(np.float16)
    columns = [
        pa.array([str(one.post) for one in seen], pa.string()),
        pa.array([one.medium for one in seen], pa.int32()),
        pa.array([one.at_seconds for one in seen], pa.float32()),
        pa.array([_microseconds(one.observed_at) for one in seen], pa.int64()),
        pa.array([one.pdq for one in seen], pa.binary()),
        pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dimensions),
    ]
    return pa.table(columns, schema=schema)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


@contextmanager
def _translated() -> Iterator[None]:
    """Say of what Lance cannot do now that it may be done later: a disk, a lock, a network."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise DatabaseUnavailableError("the look-back's store cannot be used now") from error
