"""Entries of RSS and Atom feeds as posts. Pure; what they say is a stranger's word.

`feedparser` reads what a feed means; here is decided what of it is a post.
"""

import calendar
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import feedparser
from pydantic import ValidationError

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

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PERIODS = {"hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000}

Entry = Mapping[str, Any]


def parse_feed(body: bytes, content_type: str) -> Any:
    """Read a feed; blocks. What cannot be read has no entries.

    Args:
        body: at most `MAX_FEED_BYTES`.
        content_type: its host's claim; may name the character set.
    """
    headers = {"content-type": content_type} if content_type else {}
    return feedparser.parse(
        io.BytesIO(body),
        response_headers=headers,
        sanitize_html=False,  # only words and addresses are taken out of it
        resolve_relative_uris=False,
    )


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
    return min(float(_PERIODS.get(str(about.get("sy_updateperiod", "")).strip(), 0)), 86_400.0)


def hub_of(feed: Any) -> str | None:
    """Give the address of the hub that a feed names."""
    links = (feed.get("feed") or {}).get("links") or []
    return next((one.get("href") for one in links if one.get("rel") == "hub"), None)


def topic_of(feed: Any) -> str | None:
    """Give the address under which a feed's hub knows it."""
    links = (feed.get("feed") or {}).get("links") or []
    return next((one.get("href") for one in links if one.get("rel") == "self"), None)


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
            published_at=_time(entry.get("published_parsed") or entry.get("updated_parsed")),
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


def _time(parsed: Any) -> datetime | None:
    try:
        return None if parsed is None else datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    except (ValueError, OverflowError, TypeError, OSError):
        return None
