"""Keywords of a case, and the skeleton in which they are looked for."""

from dataclasses import dataclass

from streams.types import CaseId, KeywordId


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedKeyword:
    """One keyword of one case.

    Args:
        case: whose.
        keyword: which.
        text: as the officer typed it.
    """

    case: CaseId
    keyword: KeywordId
    text: str
