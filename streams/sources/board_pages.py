"""What a board's pages say, by an operator's selectors. Pure; the HTML is anybody's.

A page that would keep the parser busy is refused before it is parsed (`page_shape`).
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError
from w3lib.encoding import html_to_unicode

from streams.errors import InvalidMessageError
from streams.media.markup import plain_text
from streams.media.pages import kind_by_ending, resolved
from streams.sources.fields import clean, parse_time
from streams.sources.page_shape import check_shape
from streams.types import MediaItem, MediaKind

MAX_HTML_BYTES = 2 * 2**20
"""Of a page, its first ones; as of pages that posts link to."""

MAX_DEPTH = 128
MAX_LOOSE = 2
"""Elements within one another, and a selector's combinators that look at any ancestor. Finding
takes the depth to the power of these for each element: with three, 250 deep, 250 pictures took 7 s;
at these bounds 19,000 take 0.8 s."""

MAX_ROWS = 1_000
MAX_TEXT = 20_000
MAX_TITLE = 500
MAX_AUTHOR = 200
MAX_MEDIA = 100
MAX_MEDIA_BYTES = 150_000
"""Of one post's addresses and descriptions together: with its text it stays below what a post may
have (`streams.schemas.MAX_POST_BYTES`)."""

NUMBER_DIGITS = 18
"""Of a post's number, and so of a cursor; what is longer is none."""

KOREA = timezone(timedelta(hours=9))

_DATA = re.compile(r"data:[\w/+;=,.-]{256,}+")
_DEEP = " > ".join(["*"] * (MAX_DEPTH + 1))
_QUOTED = re.compile(r"\[[^\]]*\]")
_COSTLY = re.compile(r":(?:has|is|where)\b", re.IGNORECASE)
_LOOSE = re.compile(r"(?<![\s>+])\s+(?![\s>+])")
_DIGITS = re.compile(rf"[0-9]{{1,{NUMBER_DIGITS}}}")
_TIME = re.compile(
    r"(20[0-9]{2})[-./년]\s?([0-9]{1,2})[-./월]\s?([0-9]{1,2})일?\.?"
    r"(?:[\sT]{1,3}([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?"
)
_KINDS = {
    "img": MediaKind.IMAGE,
    "video": MediaKind.VIDEO,
    "audio": MediaKind.AUDIO,
    "iframe": MediaKind.PAGE,
}


def _check_selector(selector: str) -> str:
    try:
        LexborHTMLParser("<p>").css(selector)
    except SelectolaxError:
        raise ValueError("not a CSS selector") from None
    bare = _QUOTED.sub("", selector)
    if "~" in bare or _COSTLY.search(bare):
        raise ValueError("without ~, :has(), :is() and :where(), please")
    if any(len(_LOOSE.findall(one.strip())) > MAX_LOOSE for one in bare.split(",")):
        raise ValueError(f"at most {MAX_LOOSE} descendants; write > for a child")
    return selector


def _check_pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error:
        raise ValueError("not a regular expression") from None
    if groups != 1:
        raise ValueError("one group must hold the number")
    return pattern


Selector = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_check_selector)]
Pattern = Annotated[str, Field(max_length=200), AfterValidator(_check_pattern)]
Attribute = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_:-]{0,63}$")]


class ListFields(BaseModel):
    """Where a list page holds what; all but `row` is looked for within a row."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: Selector = Field(description="Each post's row.")
    link: Selector = Field(description="The link to the post.")
    title: Selector | None = Field(default=None, description="Else the link's own words.")
    number: Selector | None = Field(
        default=None, description="What holds the number, in its words; else the row itself."
    )
    number_attribute: Attribute | None = Field(default=None, description="Or in this attribute.")
    number_pattern: Pattern | None = Field(
        default=None, description="Or in the link's address; one group holds it."
    )


class PostFields(BaseModel):
    """Where a post's page holds what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Selector
    author: Selector | None = None
    time: Selector | None = Field(default=None, description="Read as Korea's where it has no zone.")
    media: Sequence[Selector] = Field(min_length=1, max_length=20, description="img, video, a…")
    media_attributes: Sequence[Attribute] = Field(
        default=("data-original", "data-src", "data-lazy-src", "src", "href"),
        min_length=1,
        max_length=10,
        description="Where their address is: the first that one has.",
    )
    deleted: Selector | None = Field(default=None, description="What a deleted post's page has.")
    deleted_text: str | None = Field(
        default=None, min_length=2, max_length=200, description="What a deleted post's page says."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A post as its list names it.

    Args:
        number: the board's own; rises.
        url: of its page, on the list's host.
        title: as shown.
    """

    number: int
    url: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """A list page.

    Args:
        rows: as they stand.
        foreign: how many rows lead to another host.
        unread: how many have no number, or no link: notices and advertisements.
    """

    rows: Sequence[Row] = ()
    foreign: int = 0
    unread: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether not even a row was found."""
        return not (self.rows or self.foreign or self.unread)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostPage:
    """A post's page.

    Args:
        found: whether the text's element is there.
        deleted: whether it says that the post was.
        text: of the post.
        media: in the page's order, each once.
        author: as shown.
        published_at: as claimed.
    """

    found: bool = True
    deleted: bool = False
    text: str = ""
    media: Sequence[MediaItem] = ()
    author: str | None = None
    published_at: datetime | None = None

    @property
    def revision(self) -> str:
        """Name this state of the post. Titles are left out: lists count comments in them."""
        parts = (self.text, *(item.url for item in self.media))
        whole = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hashlib.sha256(whole).hexdigest()[:32]


def decoded(body: bytes, content_type: str, encoding: str | None) -> str:
    """Give a page's text: in the operator's encoding, else the page's own, else UTF-8 or CP949."""
    body = body[:MAX_HTML_BYTES]
    if encoding is not None:
        return body.decode(encoding, "replace")
    return html_to_unicode(content_type, body, auto_detect_fun=_guess)[1]


def _guess(body: bytes) -> str:
    # The end may be cut within a character.
    head = body[: MAX_HTML_BYTES - 4] if len(body) == MAX_HTML_BYTES else body
    try:
        head.decode("utf-8")
    except UnicodeDecodeError:
        return "cp949"
    return "utf-8"


def read_list(html: str, url: str, fields: ListFields) -> ListPage:
    """Read a list page.

    Args:
        html: decoded.
        url: of the page: links are resolved by it, and must stay on its host.
        fields: where it holds what.

    Raises:
        InvalidMessageError: the page is not to be parsed.
    """
    rows: dict[int, Row] = {}
    foreign = unread = 0
    for node in _parsed(html).css(fields.row)[:MAX_ROWS]:
        link = node.css_first(fields.link)
        target = resolved(_attribute(link, "href"), url) if link is not None else None
        number = None if target is None else _number(node, target, fields)
        if link is None or target is None or number is None:
            unread += 1
        elif not same_host(target, url):
            foreign += 1
        else:
            shown = node.css_first(fields.title) if fields.title else link
            title = _line(shown.text() if shown is not None else "", MAX_TITLE)
            rows.setdefault(number, Row(number=number, url=target, title=title))
    return ListPage(rows=tuple(rows.values()), foreign=foreign, unread=unread)


def read_post(html: str, url: str, fields: PostFields) -> PostPage:
    """Read a post's page; see `read_list`.

    A page with media is never taken for a deleted post's, and its words alone make none where the
    post's text is there: anybody can write them.

    Raises:
        InvalidMessageError: the page is not to be parsed.
    """
    tree = _parsed(html)
    body = tree.css_first(fields.text)
    media = tuple(_media(tree, url, fields))
    marked = fields.deleted is not None and tree.css_first(fields.deleted) is not None
    said = fields.deleted_text is not None and body is None and fields.deleted_text in html
    return PostPage(
        found=body is not None or bool(media),
        deleted=not media and (marked or said),
        text=clean(plain_text(body.html or "") if body is not None else "", MAX_TEXT),
        media=media,
        author=_shown(tree, fields.author) or None,
        published_at=_time(_shown(tree, fields.time)),
    )


def same_host(url: str, other: str) -> bool:
    """Say whether two addresses are of one host and port."""
    try:
        one, two = urlsplit(url), urlsplit(other)
        return (one.hostname, one.port) == (two.hostname, two.port) and "@" not in one.netloc
    except ValueError:
        return False


def to_number(digits: str) -> int | None:
    """Read a post's number; None where it is none."""
    return int(digits) if _DIGITS.fullmatch(digits) else None


def _parsed(html: str) -> LexborHTMLParser:
    html = _DATA.sub("data:", html)  # pictures written into their address make endless tags
    check_shape(html)
    tree = LexborHTMLParser(html)
    if tree.css_first(_DEEP) is not None:
        raise InvalidMessageError(f"a page of more than {MAX_DEPTH} elements in one another")
    return tree


def _attribute(node: LexborNode, name: str) -> str:
    return node.attributes.get(name) or ""


def _line(text: str, most: int) -> str:
    words = clean(" ".join(text[: most * 4].split()), most)
    return "".join(one for one in words if one.isprintable())


def _shown(tree: LexborHTMLParser, selector: str | None) -> str:
    node = tree.css_first(selector) if selector else None
    return _line(node.text(), MAX_AUTHOR) if node is not None else ""


def _number(row: LexborNode, target: str, fields: ListFields) -> int | None:
    if fields.number_pattern is not None:
        found = re.search(fields.number_pattern, target)
        held = (found[1] or "") if found else ""
    else:
        node = row if fields.number is None else row.css_first(fields.number)
        if node is None:
            return None
        named = fields.number_attribute
        held = node.text() if named is None else _attribute(node, named)
    return to_number(held.strip().replace(",", ""))


def _media(tree: LexborHTMLParser, url: str, fields: PostFields) -> Iterator[MediaItem]:
    seen: set[str] = set()
    left = MAX_MEDIA_BYTES
    for node in (one for selector in fields.media for one in tree.css(selector)):
        named = (_attribute(node, name) for name in fields.media_attributes)
        address = next((one for one in named if one and one[:5].lower() != "data:"), "")
        target = resolved(address, url) if address else None
        if target is None or target in seen:
            continue
        alt = _line(_attribute(node, "alt"), MAX_TITLE)
        left -= len(target.encode()) + len(alt.encode("utf-8", "replace"))
        if left < 0 or len(seen) == MAX_MEDIA:
            return
        seen.add(target)
        yield MediaItem(url=target, kind=_kind(node, target), alt_text=alt)


def _kind(node: LexborNode, url: str) -> MediaKind:
    tag = (node.tag or "").lower()
    if tag == "source" and node.parent is not None:
        tag = (node.parent.tag or "").lower()
    return _KINDS.get(tag) or kind_by_ending(url) or MediaKind.UNKNOWN


def _time(shown: str) -> datetime | None:
    """Read what is shown as a time; a board in Korea names no zone."""
    whole = parse_time(shown)
    found = _TIME.search(shown)
    if whole is not None or found is None:
        return whole
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=KOREA)
    except ValueError:
        return None
