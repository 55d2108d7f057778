"""A case's keywords in very many texts: several at once, since hardly any text holds one."""

from collections.abc import Sequence

from agents.steps.triaging import URGENT_SIMILARITY, KeywordIndex
from streams.types import PostKey

AT_ONCE = 16
"""Posts whose texts are read as one: nearly four times as quick as one by one (35,000 posts/s of
twelve words, with three keywords). Few, for of the places in a text where a near-miss turns out to
be none only so many are looked at (`triaging.MAX_NEAR_TRIES`)."""

MAX_JOINED = 20_000
"""Characters from which texts are read one by one: a fifth of what is searched of one text."""

_PARTING = "\n\u16a0\n"
"""Stands between texts: a rune, which no keyword holds. A gap alone would let loose letters of two
texts run together, and hide initials."""

Texts = tuple[PostKey, tuple[str, ...]]


def that_hold(index: KeywordIndex, posts: Sequence[Texts]) -> list[PostKey]:
    """Tell which posts hold a keyword well enough to be urgent, in their order."""
    if not posts or not _hold(index, posts):
        return []
    if len(posts) == 1:
        return [posts[0][0]]
    half = len(posts) // 2
    return that_hold(index, posts[:half]) + that_hold(index, posts[half:])


def _hold(index: KeywordIndex, posts: Sequence[Texts]) -> bool:
    """Tell whether any of them may hold one: what spans two texts is found to be none later."""
    texts = [text for _, some in posts for text in some]
    if len(posts) > 1:
        if sum(map(len, texts)) > MAX_JOINED:
            return True
        texts = [_PARTING.join(texts)]
    return any(hit.similarity >= URGENT_SIMILARITY for hit in index.find(texts))
