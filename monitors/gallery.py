"""What may be matched right now: the references and keywords of all lawful cases, seconds fresh."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from math import inf
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.keypoints import SPACE as KEYPOINT_SPACE
from gpu_kernels.sound import SOUND_SPACE, SoundFingerprint
from monitors.cases import lawful, subject_consented
from monitors.database import Database
from monitors.deriving import FACE_SPACE, VOICE_SPACE
from monitors.keystore import KeyStore
from monitors.keywords import WatchedKeyword
from monitors.negatives import load_negatives
from monitors.references import has_its_space, open_features
from monitors.register import open_keyword
from monitors.shelf import NegativeBank, Shelf
from monitors.spelling_changes import with_changes
from monitors.tables import cases, features, gallery_version, keywords, references
from streams.clock import Clock
from streams.errors import ConfigurationError, GalleryStaleError, KeyDestroyedError, SealError
from streams.types import CaseId, ContentId, KeywordId, ReferenceId

STALE_SECONDS = 30.0
"""A gallery that was not confirmed for so long matches nothing (design.md)."""

_ROWS_AT_ONCE = 100
"""References whose features are read in one query: some 10 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose the frames of one ordinal are.

    Args:
        case: the case.
        reference: its reference.
        content: the reference's group.
    """

    case: CaseId
    reference: ReferenceId
    content: ContentId


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gallery:
    """One snapshot. It never changes, though a later one may share its `frames` and add to them.

    Args:
        version: of the database; -1 for a gallery that was never loaded.
        owners: by the ordinal on the shelf, one for each reference.
        shelf: the searchable fingerprints; search below `len(owners)`, for what is above may be a
            later snapshot's.
        keywords: to look for.
        negatives: what was wrongly taken for footage.
        cases: how many may lawfully be matched, with references or without.
        unreadable_references: of lawful cases, whose key is gone or whose row was altered.
        unreadable_keywords: likewise.
    """

    version: int
    owners: tuple[Owner, ...]
    shelf: Shelf
    keywords: tuple[WatchedKeyword, ...]
    negatives: NegativeBank = field(default_factory=NegativeBank)
    cases: int = 0
    unreadable_references: int = 0
    unreadable_keywords: int = 0

    @property
    def references(self) -> int:
        """How many references can be matched."""
        return len(self.owners)


class GalleryKeeper:
    """Keeps the snapshot. One thread calls `refresh`; any may call the rest.

    Args:
        database: migrated.
        keystore: opens the features.
        clock: tells what has expired, and what is stale.
        space: the vector space that this process compares in.
        stale_seconds: see `STALE_SECONDS`.
    """

    def __init__(
        self,
        database: Database,
        keystore: KeyStore,
        clock: Clock,
        space: str,
        *,
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        self._database = database
        self._keystore = keystore
        self._clock = clock
        self._space = space
        self._stale_seconds = stale_seconds
        self._kept: tuple[Gallery, float] = (_empty(), -inf)
        self._changes_at: datetime | None = None
        self._readable: dict[ReferenceId, Owner] = {}
        self._is_whole = True

    def refresh(self) -> Gallery:
        """Confirm the snapshot, or make the next one: one small query where nothing changed.

        Raises:
            DatabaseUnavailableError: the snapshot was not confirmed, and grows stale.
            ConfigurationError: the key store is unusable; likewise.
        """
        asked_at, now = self._clock.monotonic(), self._clock.now()
        gallery = self._kept[0]
        with self._database.read() as connection:
            version = connection.execute(sa.select(gallery_version.c.version)).scalar_one()
            expired = self._changes_at is not None and now >= self._changes_at
            if version != gallery.version or expired:
                gallery = self._load(connection, version, now)
        self._kept = (gallery, asked_at)
        return gallery

    def fresh(self) -> Gallery:
        """Return the snapshot.

        Raises:
            GalleryStaleError: it was not confirmed for too long, or never.
        """
        gallery, confirmed_at = self._kept
        if self._clock.monotonic() - confirmed_at > self._stale_seconds:
            raise GalleryStaleError("the gallery was not confirmed lately")
        return gallery

    def current(self) -> Gallery:
        """Return the snapshot, or an empty one where it was not confirmed for too long."""
        try:
            return self.fresh()
        except GalleryStaleError:
            return _empty()

    def age_seconds(self) -> float:
        """Tell how long ago the snapshot was confirmed; infinite before the first time."""
        return self._clock.monotonic() - self._kept[1]

    def _load(self, connection: Connection, version: int, now: datetime) -> Gallery:
        wanted = _lawful_owners(connection, self._space, now)
        before = self._kept[0]
        grows = self._is_whole and all(
            wanted.get(owner.reference) == owner for owner in self._readable.values()
        )
        shelf = before.shelf if grows else Shelf()
        owners = list(before.owners) if grows else []
        readable = dict(self._readable) if grows else {}
        self._is_whole = False  # until every frame has its owner: the next try starts anew
        new = [owner for reference, owner in wanted.items() if reference not in readable]
        for owner, prints in self._open(connection, new):
            try:
                shelf.add(len(owners), prints, frame_space=self._space)
            except SealError:
                continue
            owners.append(owner)
            readable[owner.reference] = owner
        words, unreadable = self._keywords(connection, now)
        self._readable, self._is_whole = readable, True
        count, self._changes_at = _lawful_cases(connection, now)
        return Gallery(
            version=version,
            owners=tuple(owners),
            shelf=shelf,
            keywords=words,
            negatives=self._negatives(connection),
            cases=count,
            unreadable_references=len(wanted) - len(readable),
            unreadable_keywords=unreadable,
        )

    def _open(
        self, connection: Connection, owners: Iterable[Owner]
    ) -> Iterator[tuple[Owner, dict[str, list[bytes]]]]:
        """Read and decrypt references' features; leave out a reference that cannot be opened."""
        for some in _in_groups(owners):
            by_id = {owner.reference: owner for owner in some}
            query = (
                sa.select(features)
                .where(features.c.reference_id.in_(by_id), features.c.space.in_(self._spaces()))
                .order_by(features.c.reference_id)
            )
            for name, rows in groupby(connection.execute(query), lambda row: row.reference_id):
                owner = by_id[ReferenceId(name)]
                try:
                    yield owner, {row.space: self._opened(owner, row) for row in rows}
                except (KeyDestroyedError, SealError):
                    continue

    def _opened(self, owner: Owner, row: Any) -> list[bytes]:
        return open_features(self._keystore, owner.case, owner.reference, row.space, row.sealed)

    def _spaces(self) -> tuple[str, ...]:
        return (self._space, KEYPOINT_SPACE, SOUND_SPACE, FACE_SPACE, VOICE_SPACE)

    def _negatives(self, connection: Connection) -> NegativeBank:
        """Read the negatives; one of another version keeps nothing else from being read."""
        bank = NegativeBank()
        for one in load_negatives(connection, self._space):
            with contextlib.suppress(ValueError):
                frames = [ImageFingerprint.from_arrays(part) for part in one.fingerprints]
                bank.add_frames(one, [part for part in frames if part.space == self._space])
        for one in load_negatives(connection, SOUND_SPACE):
            with contextlib.suppress(ValueError):
                sounds = [SoundFingerprint.from_arrays(part) for part in one.fingerprints]
                bank.add_sounds(one, sounds)
        return bank

    def _keywords(
        self, connection: Connection, now: datetime
    ) -> tuple[tuple[WatchedKeyword, ...], int]:
        rows = connection.execute(
            sa.select(keywords.c.id, keywords.c.case_id, keywords.c.sealed)
            .join_from(keywords, cases)
            .where(lawful(now))
            .order_by(keywords.c.added_at, keywords.c.id)
        ).all()
        found = []
        for row in rows:
            case, keyword = CaseId(row.case_id), KeywordId(row.id)
            try:
                text = open_keyword(self._keystore, case, keyword, row.sealed)
            except (KeyDestroyedError, SealError):
                continue
            found.append(WatchedKeyword(case=case, keyword=keyword, text=text))
        return with_changes(connection, self._keystore, found), len(rows) - len(found)


def check_spaces(connection: Connection, space: str, now: datetime) -> None:
    """Refuse to work while a lawful reference could not be found in this vector space.

    Raises:
        ConfigurationError: some cannot; references cannot be recomputed, so the message says the
            two ways out.
    """
    has = sa.exists().where(features.c.reference_id == references.c.id, has_its_space(space))
    lacking = (
        sa.select(references.c.id)
        .join_from(references, cases)
        .where(lawful(now), subject_consented(), ~has)
        .subquery()
    )
    count = connection.execute(sa.select(sa.func.count()).select_from(lacking)).scalar_one()
    if count:
        spaces = connection.scalars(
            sa.select(features.c.space).where(features.c.reference_id.in_(sa.select(lacking.c.id)))
        )
        theirs = ", ".join(sorted(set(spaces))) or "none"
        raise ConfigurationError(
            f"{count} references of active cases have no features in {space} (theirs: {theirs}): "
            "choose the engine and model that they were enrolled with, or add their files again"
        )


def _lawful_owners(
    connection: Connection, space: str, now: datetime
) -> Mapping[ReferenceId, Owner]:
    """List whatever may be matched in the space, in the order of enrolment."""
    rows = connection.execute(
        sa.select(references.c.id, references.c.case_id, references.c.content_id)
        .join_from(references, cases)
        .join(features, features.c.reference_id == references.c.id)
        .where(lawful(now), subject_consented(), has_its_space(space))
        .order_by(references.c.added_at, references.c.id)
    )
    return {
        ReferenceId(row.id): Owner(
            case=CaseId(row.case_id),
            reference=ReferenceId(row.id),
            content=ContentId(row.content_id),
        )
        for row in rows
    }


def _lawful_cases(connection: Connection, now: datetime) -> tuple[int, datetime | None]:
    """Count the lawful cases, and tell when the first of them expires."""
    query = sa.select(sa.func.count(), sa.func.min(cases.c.expires_at)).where(lawful(now))
    row = connection.execute(query).one()
    return int(row[0]), row[1]


def _in_groups(owners: Iterable[Owner]) -> Iterator[list[Owner]]:
    rest = iter(owners)
    while group := list(islice(rest, _ROWS_AT_ONCE)):
        yield group


def _empty() -> Gallery:
    return Gallery(version=-1, owners=(), shelf=Shelf(), keywords=())
