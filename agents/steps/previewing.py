"""What each spelling of a keyword hits in texts, with excerpts; searched as triage does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agents.steps.seeking import Texts, that_hold
from agents.steps.triaging import MAX_TEXT, URGENT_SIMILARITY, KeywordIndex
from monitors.keywords import WatchedKeyword
from monitors.spelling_changes import ListedSpelling, SpellingState, listed
from monitors.spellings import Found, Spelling, SpellingKind, in_force
from streams.types import KeywordHit, KeywordId

MAX_EXCERPTS = 3
MAX_EXCERPT = 80
"""Characters of an excerpt: one line of a terminal."""

_BEHIND = 20
"""Of them behind the end of what was found; the rest stands before it and is it."""

_READ, _NEAR = 0, 1
"""Rows of the keyword itself; its spellings follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """What one spelling hits.

    Args:
        listed: the spelling; the keyword itself stands for all that are read as it, and once more
            for its near-hits.
        hits: posts; of those of the keyword itself, none is a near-hit as well.
        excerpts: of the first ones.
    """

    listed: ListedSpelling
    hits: int
    excerpts: tuple[str, ...]


class Preview:
    """Counts what a keyword's spellings hit, those included that are switched off.

    Args:
        watched: the keyword.
    """

    def __init__(self, watched: WatchedKeyword) -> None:
        own = [one for one in listed(watched) if one.spelling.found is Found.OWN]
        self._rows = [_itself(watched, Found.READ), _itself(watched, Found.NEAR), *own]
        self._hits = [0] * len(self._rows)
        self._excerpts: list[list[str]] = [[] for _ in self._rows]
        self._index = KeywordIndex(
            [_alone(watched), *(_only(watched, row, one) for row, one in enumerate(own, _NEAR + 1))]
        )

    def look(self, posts: Sequence[Texts]) -> None:
        """Search some posts' texts; give few at once, see `seeking.AT_ONCE`."""
        cut = {key: tuple(text[:MAX_TEXT] for text in texts) for key, texts in posts}
        for key in that_hold(self._index, list(cut.items())):
            for row in self._found(cut[key]):
                self._hits[row] += 1
                if len(self._excerpts[row]) < MAX_EXCERPTS:
                    self._excerpts[row].append(self._excerpt(cut[key], row))

    def rows(self) -> list[Previewed]:
        """Give what was found: of the keyword itself, then of what is looked for beside it."""
        found = zip(self._rows, self._hits, self._excerpts, strict=True)
        return [Previewed(listed=one, hits=hits, excerpts=tuple(some)) for one, hits, some in found]

    def _found(self, texts: Sequence[str]) -> list[int]:
        hits = self._index.find(texts)
        return [_row_of(hit) for hit in hits if hit.similarity >= URGENT_SIMILARITY]

    def _excerpt(self, texts: Sequence[str], row: int) -> str:
        def holds(text: str) -> bool:
            return row in self._found([text])

        return excerpt_of(next(filter(holds, texts), ""), holds)


def _itself(watched: WatchedKeyword, found: Found) -> ListedSpelling:
    kind = SpellingKind.MISSPELT if found is Found.NEAR else SpellingKind.SPACED
    spelling = Spelling(text=watched.text, kind=kind, found=found)
    return ListedSpelling(spelling=spelling, state=SpellingState.IN_FORCE)


def _alone(watched: WatchedKeyword) -> WatchedKeyword:
    """Give the keyword without what is looked for beside it."""
    bare = replace(watched, keyword=KeywordId(str(_READ)), added=(), off=())
    return replace(bare, off=tuple(one.text for one in in_force(bare)))


def _only(watched: WatchedKeyword, row: int, one: ListedSpelling) -> WatchedKeyword:
    """Give a keyword of nothing but a spelling; it is added, so that its hits are whole ones."""
    added, name = (one.spelling.text,), KeywordId(str(row))
    return WatchedKeyword(case=watched.case, keyword=name, text="", added=added)


def _row_of(hit: KeywordHit) -> int:
    row = int(hit.keyword)
    return _NEAR if row == _READ and hit.similarity < 1.0 else row


def excerpt_of(text: str, holds: Callable[[str], bool]) -> str:
    """Give one line about what a text holds, with nothing in it that could steer a terminal.

    Args:
        text: holds it.
        holds: tells whether the beginning of the text does.
    """
    none, end = 0, len(text)
    while end - none > 1:  # the shortest beginning that holds it ends where it ends
        middle = (none + end) // 2
        if holds(text[:middle]):
            end = middle
        else:
            none = middle
    last = min(len(text), end + _BEHIND)
    line = " ".join(text[max(0, last - MAX_EXCERPT) : last].split())
    return "".join(char if char.isprintable() else "\ufffd" for char in line)
