"""Entries of RSS and Atom feeds as posts. Pure; what they say is a stranger's word.

`feedparser` reads what a feed means; here is decided what of it is a post.
"""

import calendar
import hashlib
import io
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import feedparser
from pydantic import ValidationError
from w3lib.encoding import html_to_unicode

from streams.errors import InvalidMessageError
from streams.media.markup import plain_text
from streams.media.pages import kind_by_ending, media_in_markup, resolved
from streams.schemas import MediaItemRecord, NewPost, explain
from streams.sources.fields import LANGUAGE, clean, fits
from streams.types import MediaKind

MAX_FEED_BYTES = 2 * 2**20
"""feedparser 6.0.14 takes up to 6 s for so much, where it is hostile: it runs in a thread."""

MAX_ENTRIES = 500
"""Of one reading, the first: feeds list the newest first."""

MAX_TEXT = 50_000
MAX_MEDIA = 50
MAX_ID = 1_000
MAX_ALT = 1_000

_REFERENCE = re.compile(r"&#(?:[xX]0*([0-9a-fA-F]+)|0*([0-9]+));?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PERIODS = {"hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000}

Entry = Mapping[str, Any]


def parse_feed(body: bytes, content_type: str) -> Any:
    """Read a feed; blocks. What cannot be read has no entries; never raises.

    Args:
        body: at most `MAX_FEED_BYTES`.
        content_type: its host's claim; may name the character set.
    """
    found = _parsed(body, content_type)
    if found is None:
        mended = _REFERENCE.sub(_mended, _text(body, content_type)).encode("utf-8", "replace")
        found = _parsed(mended, "application/xml; charset=utf-8")
    return {"entries": [], "bozo": True} if found is None else found


def _parsed(body: bytes, content_type: str) -> Any:
    """Read a feed as it is; None where feedparser fails over it.

    It does: 6.0.14 raises over `&#99999999999;` in XML that is not well-formed, over character sets
    like `undefined`, and over some extensions. One entry would keep all others from being read.
    """
    headers = {"content-type": content_type} if content_type else {}
    try:
        return feedparser.parse(
            io.BytesIO(body),
            response_headers=headers,
            sanitize_html=False,  # only words and addresses are taken out of it
            resolve_relative_uris=False,
        )
    except Exception:  # noqa: BLE001 - whatever a stranger's bytes make of a parser
        return None


def _text(body: bytes, content_type: str) -> str:
    try:
        return html_to_unicode(content_type, body)[1]
    except (LookupError, ValueError):  # codecs that are no character sets: `hex`, `undefined`
        return body.decode("utf-8", "replace")


def _mended(reference: re.Match[str]) -> str:
    """Replace what names no character: half of one, or past the last."""
    digits, base = (reference[1], 16) if reference[1] else (reference[2], 10)
    number = int(digits, base) if len(digits) < 8 else sys.maxunicode + 1
    valid = number <= sys.maxunicode and not 0xD800 <= number <= 0xDFFF
    return reference[0] if valid else "\ufffd"


def entries_of(feed: Any) -> list[Entry]:
    """Give a feed's entries, the newest first as the feed lists them."""
    found = feed.get("entries")
    return list(found[:MAX_ENTRIES]) if isinstance(found, list) else []


def minimum_seconds(feed: Any) -> float:
    """Tell how long a feed asks to be left alone between two readings; 0 where it does not."""
    about = feed.get("feed") or {}
    ttl = str(about.get("ttl", "")).strip()
    if ttl.isascii() and ttl.isdigit():
        return min(int(ttl[:6]) * 60.0, 86_400.0)
    period = _PERIODS.get(str(about.get("sy_updateperiod", "")).strip(), 0)
    times = str(about.get("sy_updatefrequency", "")).strip()
    often = int(times[:6]) if times.isascii() and times.isdigit() else 1
    return min(period / max(often, 1), 86_400.0)


def hub_of(feed: Any) -> str | None:
    """Give the address of the hub that a feed names."""
    return _linked(feed, "hub")


def topic_of(feed: Any) -> str | None:
    """Give the address under which a feed's hub knows it."""
    return _linked(feed, "self")


def _linked(feed: Any, relation: str) -> str | None:
    links = (feed.get("feed") or {}).get("links") or []
    found = [one for one in links if isinstance(one, Mapping) and one.get("rel") == relation]
    return found[0].get("href") if found else None


def identity_of(entry: Entry) -> str:
    """Name an entry: its own identifier, else its address; empty where it has neither."""
    return _CONTROL.sub("", clean(entry.get("id") or entry.get("link"), MAX_ID)).strip()


def to_new_post(entry: Entry, base_url: str) -> NewPost:
    """Make a post of an entry.

    Args:
        entry: as feedparser gives it.
        base_url: of the feed; its entries' addresses may be relative.

    Raises:
        InvalidMessageError: it has no name, or no page.
    """
    name, link = identity_of(entry), _address(entry.get("link"), base_url)
    if not name or link is None:
        raise InvalidMessageError("an entry without a name or a page")
    title, markup = plain_text(clean(entry.get("title"), MAX_TEXT)), _markup(entry)
    text = f"{title}\n{plain_text(markup)}".strip()[:MAX_TEXT]
    media = _media(entry, link, markup)
    try:
        return NewPost(
            id=name,
            url=link,
            revision=_revision(text, media),
            text=text,
            media=tuple(media),
            published_at=_published(entry),
            author=_CONTROL.sub(" ", clean(entry.get("author"), 200)).strip() or None,
            language=_language(entry),
        )
    except ValidationError as error:
        raise InvalidMessageError(explain(error)) from None


def _markup(entry: Entry) -> str:
    parts = [clean(entry.get("summary"), MAX_TEXT)]
    for content in list(entry.get("content") or ())[:5]:
        value = clean(content.get("value"), MAX_TEXT)
        if value not in parts:
            parts.append(value)
    return "\n".join(parts)


def _media(entry: Entry, link: str, markup: str) -> list[MediaItemRecord]:
    found: dict[str, MediaItemRecord] = {}
    for url, kind, alt in _named(entry, link, markup):
        if len(found) < MAX_MEDIA and url not in found and len(url) <= 4096:
            found[url] = MediaItemRecord(url=url, kind=kind, alt_text=alt)
    if link not in found:
        found[link] = MediaItemRecord(url=link, kind=MediaKind.PAGE)
    return list(found.values())


def _named(entry: Entry, link: str, markup: str) -> Iterator[tuple[str, MediaKind, str]]:
    for field in ("media_content", "enclosures", "media_thumbnail"):
        for item in list(entry.get(field) or ())[:MAX_MEDIA]:
            url = _address(item.get("url") or item.get("href"), link)
            if url is not None:
                alt = clean(item.get("title") or item.get("description"), MAX_ALT)
                yield url, _kind(item, url, still=field == "media_thumbnail"), alt
    for one in media_in_markup(markup, link):
        yield one.url, one.kind, one.alt_text[:MAX_ALT]


def _kind(item: Mapping[str, Any], url: str, *, still: bool) -> MediaKind:
    said = str(item.get("medium") or item.get("type") or "").partition("/")[0].lower()
    if said in {"image", "video", "audio"}:
        return MediaKind(said)
    return MediaKind.IMAGE if still else kind_by_ending(url) or MediaKind.UNKNOWN


def _address(url: Any, base_url: str) -> str | None:
    return resolved(url, base_url) if isinstance(url, str) and url.strip() else None


def _revision(text: str, media: list[MediaItemRecord]) -> str:
    """Name an edit by what it shows: a date may move without a change, or not move with one."""
    shown = "\0".join([text, *(item.url for item in media)])
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _language(entry: Entry) -> str | None:
    found = (entry.get("title_detail") or {}).get("language")
    return found if fits(LANGUAGE, found) else None


def _published(entry: Entry) -> datetime | None:
    # asked for a date of change that is not there, feedparser gives the other, and warns
    changed = entry.get("updated_parsed") if "updated_parsed" in entry else None
    return _time(entry.get("published_parsed") or changed)


def _time(parsed: Any) -> datetime | None:
    try:
        return None if parsed is None else datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    except (ValueError, OverflowError, TypeError, OSError):
        return None
