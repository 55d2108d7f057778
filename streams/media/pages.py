"""The media that a web page names. Pure; made for pages whose author wants us to fail.

Nothing here fetches: what a page names is fetched by the guarded fetcher, like any medium.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urldefrag, urljoin

from w3lib.encoding import html_to_unicode

from streams.media.markup import Tag, tags
from streams.types import MediaItem, MediaKind

MAX_PAGE_BYTES = 2 * 2**20
"""Of a page, its first ones. What names its media stands in its head or among its first pictures;
the median page of the HTTP Archive's Web Almanac 2024 has 33 kB of HTML, its 90th percentile
150 kB."""

MAX_PAGE_MEDIA = 20
"""Media taken of one page: what it says of itself first, then its pictures, largest first."""

MAX_ADDRESSES = 5_000
"""Of a page, looked at before the best are chosen."""

MIN_PIXELS = 100
"""A picture whose own attributes say that it is narrower or lower is an icon or a spacer."""

UNKNOWN_AREA = 90_000
"""Square pixels that a picture without a size counts for: 300 by 300."""

MAX_URL_CHARACTERS = 4096
MAX_DATA_CHARACTERS = 200_000
MAX_DATA_NODES = 2_000
"""Of JSON-LD: one block's length, and what is looked at of all blocks."""

SNIFFED_BYTES = 512

LAZY = ("data-original", "data-src", "data-lazy-src", "data-url", "src")
"""Where pages put a picture's address, the true one first: `src` is then a placeholder."""

_WANTED = frozenset({"base", "meta", "link", "video", "source", "audio", "img", "a", "script"})
_SPACE = re.compile(r"\s")
_DROPPED = re.compile(r"[\t\r\n]")
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_HTML = re.compile(
    rb"\s*(?:<!--.{0,400}?-->\s*)*"
    rb"<(?:!doctype\s+html|html|head|body|title|meta|script|link|style|div|table|iframe)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_HTML_TYPES = ("text/html", "application/xhtml+xml")
_PLAYLISTS = (".m3u8", ".mpd")
_ENDINGS = {
    MediaKind.IMAGE: (".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".bmp"),
    MediaKind.VIDEO: (".mp4", ".webm", ".mov", ".m4v", ".mkv", ".avi"),
    MediaKind.AUDIO: (".mp3", ".m4a", ".ogg", ".wav", ".opus"),
}
_META = {
    "og:image": MediaKind.IMAGE,
    "og:image:url": MediaKind.IMAGE,
    "og:image:secure_url": MediaKind.IMAGE,
    "twitter:image": MediaKind.IMAGE,
    "twitter:image:src": MediaKind.IMAGE,
    "og:video": MediaKind.VIDEO,
    "og:video:url": MediaKind.VIDEO,
    "og:video:secure_url": MediaKind.VIDEO,
    "twitter:player:stream": MediaKind.VIDEO,
    "og:audio": MediaKind.AUDIO,
}
"""The Open Graph protocol (ogp.me) and Twitter's cards."""

_DATA = {"videoobject": MediaKind.VIDEO, "audioobject": MediaKind.AUDIO}


def looks_like_page(body: bytes, content_type: str | None) -> bool:
    """Say whether bytes are an HTML page, by what they are before what their host calls them."""
    head = body[:SNIFFED_BYTES].removeprefix(b"\xef\xbb\xbf")
    if _BINARY.search(head) and not head.startswith(_WIDE):
        return False
    claimed = (content_type or "").partition(";")[0].strip().lower()
    if _HTML.match(head):
        return True
    return claimed in _HTML_TYPES and not head.startswith((b"GIF8", b"\xff\xd8", b"\x89PNG"))


def media_in_page(body: bytes, content_type: str | None, base_url: str) -> list[MediaItem]:
    """Give the media that a page names, the likeliest first; never raises.

    Args:
        body: of the page; its first `MAX_PAGE_BYTES` are read.
        content_type: as its host claims; may name the character set.
        base_url: where the page was found, after redirects.
    """
    return media_in_markup(_text(body[:MAX_PAGE_BYTES], content_type), base_url)


def _text(body: bytes, content_type: str | None) -> str:
    """Read a page in its character set; in UTF-8 where it names one that Python has for no text."""
    try:
        return html_to_unicode(content_type, body)[1]
    except (LookupError, ValueError):
        return body.decode("utf-8", "replace")


def media_in_markup(text: str, base_url: str) -> list[MediaItem]:
    """Give the media that HTML names, or a fragment of it; see `media_in_page`."""
    reader = _Reader(base_url, base_url)
    for tag in tags(text[:MAX_PAGE_BYTES], _WANTED):
        reader.take(tag)
    return reader.found()


def resolved(url: str, base_url: str) -> str | None:
    """Resolve an address as browsers do; None where it is not http(s), or no address at all."""
    cleaned = _DROPPED.sub("", url.strip())[: MAX_URL_CHARACTERS + 1]
    try:
        whole = urldefrag(urljoin(base_url, cleaned)).url
    except ValueError:
        return None
    whole = _SPACE.sub(lambda space: quote(space[0]), whole)
    fits = whole.isprintable() and len(whole) <= MAX_URL_CHARACTERS
    scheme, _, rest = whole.partition("://")
    return whole if fits and scheme.lower() in {"http", "https"} and rest.strip("/") else None


def kind_by_ending(url: str) -> MediaKind | None:
    """Tell what an address names by its path's ending; None where it has no medium's."""
    path = url.partition("?")[0].lower()
    return next((kind for kind, ends in _ENDINGS.items() if path.endswith(ends)), None)


@dataclass(slots=True)
class _Reader:
    """Gathers what a page names, by how likely it is the page's subject."""

    base: str
    page: str
    own: list[MediaItem] = field(default_factory=list)
    played: list[MediaItem] = field(default_factory=list)
    described: list[MediaItem] = field(default_factory=list)
    linked: list[MediaItem] = field(default_factory=list)
    pictures: list[tuple[int, MediaItem]] = field(default_factory=list)
    playing: MediaKind = MediaKind.VIDEO
    nodes: int = MAX_DATA_NODES
    addresses: int = MAX_ADDRESSES

    def take(self, tag: Tag) -> None:
        read = {
            "base": self._base,
            "meta": self._meta,
            "link": self._link,
            "img": self._img,
            "a": self._a,
            "script": self._script,
        }.get(tag.name, self._played)
        read(tag)

    def found(self) -> list[MediaItem]:
        largest = sorted(self.pictures, key=lambda one: -one[0])
        ranked = [*self.own, *self.played, *self.described, *self.linked]
        ranked += [item for _, item in largest]
        seen: dict[str, MediaItem] = {}
        for item in ranked:
            seen.setdefault(item.url, item)
        return list(seen.values())[:MAX_PAGE_MEDIA]

    def _item(self, url: str | None, kind: MediaKind, alt: str = "") -> list[MediaItem]:
        self.addresses -= 1
        whole = resolved(url, self.base) if url and self.addresses >= 0 else None
        if whole is None or whole == self.page or _is_playlist(whole):
            return []
        return [MediaItem(url=whole, kind=kind, alt_text=alt[:1000])]

    def _base(self, tag: Tag) -> None:
        if self.base == self.page:  # browsers heed the first alone
            self.base = resolved(tag.attributes.get("href", ""), self.base) or self.base

    def _meta(self, tag: Tag) -> None:
        of = tag.attributes
        name = (of.get("property") or of.get("name") or "").strip().lower()
        content = of.get("content", "")
        if name in _META:
            self.own += self._item(content, _META[name])
        elif name == "og:video:type" and "html" in content.lower():  # a player, not a film
            self.own = [one for one in self.own if one.kind is not MediaKind.VIDEO]

    def _link(self, tag: Tag) -> None:
        relations = tag.attributes.get("rel", "").lower().split()
        if "image_src" in relations:
            self.own += self._item(tag.attributes.get("href"), MediaKind.IMAGE)

    def _played(self, tag: Tag) -> None:
        of = tag.attributes
        if tag.name != "source":
            self.playing = MediaKind.AUDIO if tag.name == "audio" else MediaKind.VIDEO
        self.played += self._item(of.get("src") or of.get("data-src"), self.playing)
        self.played += self._item(of.get("poster"), MediaKind.IMAGE)
        if tag.name == "source":
            self.played += self._item(_first_of(of.get("srcset", "")), MediaKind.IMAGE)

    def _img(self, tag: Tag) -> None:
        of = tag.attributes
        width, height = _pixels(of.get("width")), _pixels(of.get("height"))
        if any(side is not None and side < MIN_PIXELS for side in (width, height)):
            return
        addresses = [of[name] for name in LAZY if of.get(name, "data:")[:5].lower() != "data:"]
        addresses += [_first_of(of.get("srcset", ""))]
        area = width * height if width and height else UNKNOWN_AREA
        alt = of.get("alt", "")
        self.pictures += [
            (area, item)
            for url in dict.fromkeys(addresses)
            for item in self._item(url, MediaKind.IMAGE, alt)
        ]

    def _a(self, tag: Tag) -> None:
        url = tag.attributes.get("href", "")
        kind = kind_by_ending(url.partition("#")[0].strip())
        if kind is not None and len(self.linked) < MAX_PAGE_MEDIA:
            self.linked += self._item(url, kind)

    def _script(self, tag: Tag) -> None:
        if tag.attributes.get("type", "").partition(";")[0].strip().lower() != (
            "application/ld+json"
        ):
            return
        for node in self._nodes(_read_json(tag.content)):
            kind = _DATA.get(_type_of(node), MediaKind.IMAGE)
            for url in _strings(node.get("contentUrl")):
                self.described += self._item(url, kind)
            for url in _strings(node.get("thumbnailUrl")):
                self.described += self._item(url, MediaKind.IMAGE)

    def _nodes(self, document: Any) -> Iterator[dict[str, Any]]:
        waiting = [document]
        while waiting and self.nodes > 0:
            self.nodes -= 1
            one = waiting.pop()
            if isinstance(one, dict):
                yield one
                waiting += list(one.values())[:MAX_DATA_NODES]
            elif isinstance(one, list):
                waiting += one[:MAX_DATA_NODES]


def _read_json(text: str) -> Any:
    try:
        return json.loads(text) if len(text) <= MAX_DATA_CHARACTERS else None
    except (ValueError, RecursionError):
        return None


def _type_of(node: dict[str, Any]) -> str:
    return next(iter(_strings(node.get("@type"))), "").lower()


def _strings(value: Any) -> Sequence[str]:
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed[:MAX_PAGE_MEDIA] if isinstance(one, str)]


def _pixels(value: str | None) -> int | None:
    digits = (value or "").strip().lower().removesuffix("px")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else None


def _is_playlist(url: str) -> bool:
    return url.partition("?")[0].lower().endswith(_PLAYLISTS)


def _first_of(srcset: str) -> str:
    """Take a picture's first address of several; the decoder does not need the largest."""
    return next(iter(srcset.split()), "").rstrip(",")
