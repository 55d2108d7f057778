"""Tags and words out of hostile HTML, in time that grows with its length alone.

The standard library's `html.parser` does not: 60 kB of `<a ` keep it busy for 32 s on one core
(measured on Python 3.11.7), and some input ends it with an AssertionError. This reads no tree,
which what looks for media needs not.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_TAG_CHARACTERS = 65_536
"""Of one tag; pictures that are written into their address (`data:`) make long ones."""

MAX_ATTRIBUTES = 40
"""Of one tag; what stands behind is passed over."""

MAX_ATTRIBUTES_READ = 50_000
"""Of one page: below 0.4 s. Then reading stops."""

_SCRIPTED = ("script", "style", "textarea", "title")
"""Elements whose content is text, whatever it looks like."""

_OPENING = re.compile(r"<(?:!--|([a-zA-Z][a-zA-Z0-9]{0,15})(?=[\s/>]))")
_COMMENT_END = re.compile(r"--!?>")
"""From the opening's own dashes on: `<!-->` and `<!--->` are whole comments to browsers."""

_ATTRIBUTE = re.compile(
    r"""[\s/]*(?:(?P<end>>)|(?P<name>[^\s/>][^\s/>=]*)"""
    r"""(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s>]+)))?)"""
)
_CLOSING = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _SCRIPTED}
_TAG = re.compile(r"<(?=[a-zA-Z/!?])[^<>]*>")
_BREAK = re.compile(r"(?i)<(?:br|/?(?:p|div|li|tr|h[1-6]|blockquote))\b[^<>]*>")
_UNSEEN = re.compile(r"(?i)<(?:script|style)\b")
_SEEN_AGAIN = re.compile(r"(?i)</(?:script|style)[^<>]*>")
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*")


@dataclass(frozen=True, slots=True)
class Tag:
    """An opening tag.

    Args:
        name: in lower case.
        attributes: names in lower case; the first of each name, unescaped.
        content: of an element whose content is text; otherwise empty.
    """

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    content: str = ""


def tags(text: str, wanted: frozenset[str]) -> Iterator[Tag]:
    """Give the opening tags of these names, in their order; never raises."""
    at = 0
    budget = MAX_ATTRIBUTES_READ
    while budget > 0 and (opening := _OPENING.search(text, at)) is not None:
        if opening[1] is None:
            closing = _COMMENT_END.search(text, opening.end() - 2)
            if closing is None:
                return
            at = closing.end()
            continue
        name, at = opening[1].lower(), opening.end()
        attributes: dict[str, str] = {}
        if name in wanted:
            attributes, at = _attributes(text, at)
            budget -= 1 + len(attributes)
        content = ""
        if name in _CLOSING:
            closing = _CLOSING[name].search(text, at)
            end = len(text) if closing is None else closing.start()
            content, at = text[at:end], end
        if name in wanted:
            yield Tag(name, attributes, content)


def _attributes(text: str, at: int) -> tuple[dict[str, str], int]:
    """Read a tag's attributes; tell where it ends."""
    found: dict[str, str] = {}
    limit = at + MAX_TAG_CHARACTERS
    for _ in range(MAX_ATTRIBUTES):
        one = _ATTRIBUTE.match(text, at, limit)
        if one is None:
            return found, min(limit, len(text))
        at = one.end()
        if one["end"]:
            return found, at
        value = one["double"] or one["single"] or one["bare"] or ""
        found.setdefault(one["name"].lower(), unescape(value))
    end = text.find(">", at, limit)
    return found, min(limit, len(text)) if end < 0 else end + 1


def unescape(text: str) -> str:
    """Resolve entities; a number with thousands of digits stays as it is."""
    try:
        return html.unescape(text)
    except ValueError:  # Python's limit on digits, which `html.unescape` does not expect
        return text


def _without_comments(markup: str) -> str:
    parts: list[str] = []
    at = 0
    while (start := markup.find("<!--", at)) >= 0:
        parts.append(markup[at:start])
        closing = _COMMENT_END.search(markup, start + 2)
        if closing is None:
            return "".join(parts)
        at = closing.end()
    return "".join([*parts, markup[at:]])


def plain_text(markup: str) -> str:
    """Give the words of an HTML fragment, one line a paragraph."""
    text = _without_comments(markup)
    first, *hidden = _UNSEEN.split(text)
    for part in hidden:
        again = _SEEN_AGAIN.search(part)
        first += part[again.end() :] if again is not None else ""
    text = unescape(_TAG.sub("", _BREAK.sub("\n", first.replace("\n", " "))))
    return _LINES.sub("\n", _SPACES.sub(" ", text)).strip()
