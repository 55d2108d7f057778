"""Whether HTML can be given to a parser that builds a tree. Pure; linear, made for hostile pages.

A tree's parser in a thread cannot be stopped, and HTML5 lets few bytes cost much. The figures are
of selectolax 1.0.2 (Lexbor) on one core.
"""

import re
from collections.abc import Iterator

from streams.errors import InvalidMessageError

MAX_TAGS = 20_000
"""Opening tags of a page. Time grows with the square of the nesting: 20,000 nested elements take
0.8 s, 200,000 took 107 s."""

MAX_TAG_CHARACTERS = 65_536
MAX_ATTRIBUTES = 1_000
"""Of one tag. Time grows with their square, too: 60,000 took 19 s."""

MAX_REOPENED = 400_000
"""Kinds of formatting tag, times tags. HTML5 opens what was left open again in each later
paragraph, up to three of a kind: 1,000 kinds and 1,000 paragraphs made 450 MB of nodes."""

_OPENING = re.compile(r"<[a-zA-Z]")
_TAG = re.compile(
    r"<[a-zA-Z][^\s/>]*+(?:[\s/]*+[^\s/>=][^\s/>=]*+"
    r"(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|(?![\"'])[^\s>]*+))?+)"
    rf"{{0,{MAX_ATTRIBUTES}}}+[\s/]*+(?:>|\Z)"
)
_FORMAT = re.compile(r"<(?:b|big|code|em|font|i|s|small|strike|strong|tt|u)[\s/]", re.IGNORECASE)
_PLAIN = re.compile(
    r"<[a-zA-Z]+(?:\s++[\w:-]++(?:=(?:\"[^\"<>]*+\"|'[^'<>]*+'|[^\s\"'<>=`]++))?+)*+\s*+>"
)
MAX_PLAIN_CHARACTERS = 400


def check_shape(html: str) -> None:
    """Refuse what would keep a parser busy for more than a few seconds.

    Raises:
        InvalidMessageError: too many tags, attributes or open formats.
    """
    starts = [found.start() for found in _OPENING.finditer(html)]
    if len(starts) > MAX_TAGS:
        raise InvalidMessageError(f"a page of more than {MAX_TAGS} tags")
    if len(set(_formats(html))) * len(starts) > MAX_REOPENED:
        raise InvalidMessageError("a page of too many formats")
    # Each place at which the parser might see a tag, even within another: what is a comment or a
    # quotation to one reader is none to the other.
    for at in starts:
        tag = _TAG.match(html, at, at + MAX_TAG_CHARACTERS)
        if tag is None or (html[tag.end() - 1] != ">" and tag.end() < len(html)):
            raise InvalidMessageError("a page with a tag that does not end")


def _formats(html: str) -> Iterator[str]:
    """Name the kind of each formatting tag; one that is oddly written is a kind of its own."""
    for found in _FORMAT.finditer(html):
        plain = _PLAIN.match(html, found.start(), found.start() + MAX_PLAIN_CHARACTERS)
        yield plain[0] if plain is not None else str(found.start())
