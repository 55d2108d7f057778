"""What officers change of a keyword's spellings: added ones, and generated ones switched off.

A spelling is sealed like its keyword, and goes with it. The audit log says how many were changed.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.audit import Detail
from monitors.cases import find_case, raise_gallery_version, require_active
from monitors.keystore import KeyStore
from monitors.keywords import WatchedKeyword
from monitors.register import MAX_KEYWORD, CaseRegister, open_keyword
from monitors.spellings import (
    Found,
    Spelling,
    SpellingKind,
    is_searchable,
    same_spelling,
    spellings_of,
)
from monitors.tables import keyword_spellings, keywords
from streams.errors import CaseError, KeyDestroyedError, SealError, UnknownKeywordError
from streams.types import CaseId, KeywordId

MAX_ADDED = 100
"""Spellings that may be added to one keyword: more are keywords."""

_MAX_NAMED = 500
"""Keywords that a query names; for more, the changes of all are read."""


class SpellingState(StrEnum):
    """Whether a spelling is looked for: generated, switched off, or added by an officer."""

    IN_FORCE = "in_force"
    OFF = "off"
    ADDED = "added"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSpelling:
    """A spelling as an officer sees it.

    Args:
        spelling: with its kind, and how it is found.
        state: whether it is looked for.
    """

    spelling: Spelling
    state: SpellingState


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What officers changed of one keyword.

    Args:
        added: spellings, the oldest first.
        off: generated spellings that are looked for no longer.
    """

    added: tuple[str, ...] = ()
    off: tuple[str, ...] = ()


class SpellingEditor:
    """Shows and changes the spellings of keywords. Thread-safe; its calls block.

    Args:
        register: of the cases.
    """

    def __init__(self, register: CaseRegister) -> None:
        self._register = register

    def watched(self, name: str, keyword: str) -> WatchedKeyword:
        """Give a keyword with what was changed of it.

        Raises:
            UnknownCaseError: there is no such case.
            UnknownKeywordError: it has no such keyword.
            KeyDestroyedError: the case's key is gone.
        """
        with self._register.database.read() as connection:
            return self._watched(connection, find_case(connection, name).id, keyword)

    def list_all(self, name: str, keyword: str) -> list[ListedSpelling]:
        """List a keyword's spellings: added ones, then generated ones. Raises as `watched`."""
        return listed(self.watched(name, keyword))

    def add(self, name: str, keyword: str, texts: Sequence[str]) -> list[ListedSpelling]:
        """Look for these, too; what was switched off is switched on again. All of them, or none.

        Returns:
            Each as it is then listed.

        Raises:
            CaseError: one is too short or too long, or there are too many; the message names it.
            CaseNotActiveError: the case has no active legal basis.
            KeyDestroyedError, UnknownCaseError, UnknownKeywordError: as `watched`.
        """
        words = [check_spelling(text) for text in texts]
        with self._register.database.write() as connection:
            case = require_active(connection, name, self._register.clock.now()).id
            watched = self._watched(connection, case, keyword)
            known = {same_spelling(one.text) for one in spellings_of(watched.text)}
            self._delete(connection, watched, SpellingState.OFF, words)
            have = known | set(map(same_spelling, watched.added))
            new = {same_spelling(word): word for word in reversed(words)}
            fresh = [word for same, word in reversed(new.items()) if same not in have]
            if len(watched.added) + len(fresh) > MAX_ADDED:
                raise CaseError(f"a keyword has {MAX_ADDED} added spellings at most")
            self._insert(connection, watched, SpellingState.ADDED, fresh)
            self._record(connection, watched, "keyword.spell", len(words))
            return _of(listed(self._watched(connection, case, keyword)), words)

    def switch_off(self, name: str, keyword: str, texts: Sequence[str]) -> None:
        """Look for these no longer: added ones are deleted, generated ones switched off.

        Raises:
            CaseError: one is no spelling of the keyword, or is found by the way in which texts are
                read, which has no switch; the message names it. Then none is changed.
            KeyDestroyedError, UnknownCaseError, UnknownKeywordError: as `watched`.
        """
        with self._register.database.write() as connection:
            case = find_case(connection, name, lock=True).id
            watched = self._watched(connection, case, keyword)
            by_form = {same_spelling(one.spelling.text): one for one in listed(watched)}
            chosen = [_switchable(text, by_form) for text in texts]
            words = [one.spelling.text for one in chosen]
            self._delete(connection, watched, SpellingState.ADDED, words)
            generated = {
                one.spelling.text: None for one in chosen if one.state is SpellingState.IN_FORCE
            }
            self._insert(connection, watched, SpellingState.OFF, generated)
            self._record(connection, watched, "keyword.unspell", len(words))

    def _watched(self, connection: Connection, case: CaseId, keyword: str) -> WatchedKeyword:
        own = (keywords.c.id == keyword, keywords.c.case_id == case)
        sealed = connection.execute(sa.select(keywords.c.sealed).where(*own)).scalar()
        if sealed is None:
            raise UnknownKeywordError("the case has no such keyword")
        name, keystore = KeywordId(keyword), self._register.keystore
        text = open_keyword(keystore, case, name, sealed)
        bare = WatchedKeyword(case=case, keyword=name, text=text)
        (watched,) = with_changes(connection, keystore, [bare])
        return watched

    def _insert(
        self,
        connection: Connection,
        watched: WatchedKeyword,
        state: SpellingState,
        texts: Iterable[str],
    ) -> None:
        now, seal = self._register.clock.now(), self._register.keystore.seal
        for text in texts:
            name = uuid4().hex
            sealed = seal(watched.case, text.encode(), context=_context(name))
            connection.execute(
                sa.insert(keyword_spellings).values(
                    id=name,
                    keyword_id=watched.keyword,
                    state=state,
                    sealed=sealed,
                    changed_at=now,
                )
            )

    def _delete(
        self,
        connection: Connection,
        watched: WatchedKeyword,
        state: SpellingState,
        texts: Iterable[str],
    ) -> None:
        gone = set(map(same_spelling, texts))
        rows = connection.execute(
            sa.select(keyword_spellings).where(
                keyword_spellings.c.keyword_id == watched.keyword,
                keyword_spellings.c.state == state,
            )
        ).all()
        for row in rows:
            text = _opened(self._register.keystore, watched.case, row.id, row.sealed)
            if text is None or same_spelling(text) in gone:
                connection.execute(
                    sa.delete(keyword_spellings).where(keyword_spellings.c.id == row.id)
                )

    def _record(
        self, connection: Connection, watched: WatchedKeyword, action: str, count: int
    ) -> None:
        raise_gallery_version(connection)
        detail: Detail = {"keyword": watched.keyword, "spellings": count}
        self._register.record(connection, action, watched.case, detail)


def listed(watched: WatchedKeyword) -> list[ListedSpelling]:
    """List the spellings of a keyword: added ones, then generated ones."""
    off = set(map(same_spelling, watched.off))
    added = [
        ListedSpelling(
            spelling=Spelling(text=text, kind=SpellingKind.ADDED, found=Found.OWN),
            state=SpellingState.ADDED,
        )
        for text in watched.added
    ]
    return added + [
        ListedSpelling(
            spelling=one,
            state=SpellingState.OFF if _is_off(one, off) else SpellingState.IN_FORCE,
        )
        for one in spellings_of(watched.text)
    ]


def _is_off(spelling: Spelling, off: set[str]) -> bool:
    return spelling.found is Found.OWN and same_spelling(spelling.text) in off


def check_spelling(text: str) -> str:
    """Give a spelling in the form in which it is kept.

    Raises:
        CaseError: it is empty, too short to be looked for, or too long; the message names it.
    """
    word = unicodedata.normalize("NFC", text).strip()
    if not word or len(word) > MAX_KEYWORD:
        raise CaseError(f"spelling {word[:20]!r}: a spelling has 1 to {MAX_KEYWORD} characters")
    if not is_searchable(word):
        raise CaseError(f"spelling {word!r}: so few letters are in every text")
    return word


def watched_keywords(register: CaseRegister, case: CaseId) -> tuple[WatchedKeyword, ...]:
    """Give a case's keywords with what was changed of them; none where its key is destroyed.

    Raises:
        SealError: a keyword's row was altered.
    """
    found = [
        WatchedKeyword(case=case, keyword=keyword, text=text)
        for keyword, text in register.list_keywords(case)
    ]
    with register.database.read() as connection:
        return with_changes(connection, register.keystore, found)


def with_changes(
    connection: Connection, keystore: KeyStore, bare: Sequence[WatchedKeyword]
) -> tuple[WatchedKeyword, ...]:
    """Give keywords, in their order, with what was changed of them."""
    if not bare:
        return ()
    changes = read_changes(connection, keystore, {one.keyword: one.case for one in bare})
    none = Changes()
    return tuple(
        replace(one, added=own.added, off=own.off)
        for one in bare
        for own in (changes.get(one.keyword, none),)
    )


def read_changes(
    connection: Connection, keystore: KeyStore, owners: Mapping[KeywordId, CaseId]
) -> dict[KeywordId, Changes]:
    """Read what was changed of keywords; a spelling that cannot be opened is left out.

    Args:
        connection: of the database.
        keystore: with the cases' keys.
        owners: each keyword's case.
    """
    query = sa.select(keyword_spellings).order_by(
        keyword_spellings.c.changed_at, keyword_spellings.c.id
    )
    if len(owners) <= _MAX_NAMED:
        query = query.where(keyword_spellings.c.keyword_id.in_(owners))
    texts: defaultdict[KeywordId, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in connection.execute(query):
        keyword = KeywordId(row.keyword_id)
        case = owners.get(keyword)
        text = None if case is None else _opened(keystore, case, row.id, row.sealed)
        if text is not None:
            texts[keyword][row.state].append(text)
    return {
        keyword: Changes(
            added=tuple(by_state[SpellingState.ADDED]), off=tuple(by_state[SpellingState.OFF])
        )
        for keyword, by_state in texts.items()
    }


def _opened(keystore: KeyStore, case: CaseId, name: str, sealed: bytes) -> str | None:
    try:
        return keystore.open_sealed(case, sealed, context=_context(name)).decode()
    except (KeyDestroyedError, SealError):
        return None


def _context(name: str) -> str:
    return f"spelling/{name}"


def _of(found: Iterable[ListedSpelling], words: Iterable[str]) -> list[ListedSpelling]:
    by_form = {same_spelling(one.spelling.text): one for one in found}
    return [by_form[same] for same in dict.fromkeys(map(same_spelling, words))]


def _switchable(text: str, by_form: Mapping[str, ListedSpelling]) -> ListedSpelling:
    one = by_form.get(same_spelling(text))
    if one is None:
        raise CaseError(f"spelling {text!r}: the keyword has none like it")
    if one.spelling.found is not Found.OWN:
        raise CaseError(
            f"spelling {text!r} is found by the way in which texts are read: it has no switch"
        )
    return one
