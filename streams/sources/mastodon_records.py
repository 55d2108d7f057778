"""Statuses and accounts of the Mastodon API as posts. Pure; what they say is a stranger's word.

Facts: https://docs.joinmastodon.org/entities/Status/ and `…/Account/`. What is wrong beside the
point (a language, a date, a picture's address) is left out: to reject the post for it would let
its author choose not to be seen.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from pydantic import ValidationError

from streams.errors import InvalidMessageError
from streams.media.markup import plain_text, tags
from streams.schemas import MediaItemRecord, NewPost, explain
from streams.sources.fields import LANGUAGE, LINK, clean, fits, parse_time
from streams.types import MediaKind

NETWORK = "activitypub"
"""`Post.network` of everything that comes from it."""

STATUS_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Mastodon's are digits; compatible servers' are of other alphabets."""

MAX_HTML = 200_000
"""Characters of a content that are read. Mastodon shows 500, other servers up to 100,000."""

MAX_EDITED = 64
"""Characters of a date."""

MAX_TEXT = 50_000
MAX_SPOILER = 5_000
MAX_ALT = 4_000
"""Characters of one description; Mastodon allows 1,500."""

MAX_ALTS = 40_000
"""Characters of all descriptions of a post. With the other bounds a post stays below
`streams.schemas.MAX_POST_BYTES`, whatever its server sends."""

MAX_ATTACHMENTS = 50
MAX_LINKS = 45
MAX_CHOICES = 20
"""Of a poll; Mastodon allows 4."""

HIDDEN = ("private", "direct")
"""Visibilities of what is not public: an account that searches may be shown such, too."""

KINDS = {
    "image": MediaKind.IMAGE,
    "gifv": MediaKind.VIDEO,
    "video": MediaKind.VIDEO,
    "audio": MediaKind.AUDIO,
}

MARKS = frozenset({"mention", "hashtag"})
"""Classes of links. Mastodon lets them through from anybody's server."""

Medium = tuple[str, MediaKind, Any]
"""Its address, its kind, and what describes it, unchecked."""


def shown(status: Any) -> Mapping[str, Any]:
    """Give the status, or of a boost the status that it shows.

    Raises:
        InvalidMessageError: it is none.
    """
    reblog = status.get("reblog") if isinstance(status, Mapping) else None
    found = status if reblog is None else reblog
    if not isinstance(found, Mapping):
        raise InvalidMessageError("the status is no object")
    return found


def status_id(status: Mapping[str, Any]) -> str:
    """Give the server's own identifier of a status.

    Raises:
        InvalidMessageError: it has none.
    """
    value = status.get("id")
    if fits(STATUS_ID, value):
        return str(value)
    raise InvalidMessageError("the status has no identifier")


def to_new_post(status: Mapping[str, Any]) -> NewPost:
    """Read a status. Its `uri`, which is the same on every server, names the post.

    Args:
        status: of `shown`.

    Raises:
        InvalidMessageError: it is none; the message quotes nothing of it.
    """
    uri, language = status.get("uri"), status.get("language")
    if not isinstance(uri, str):
        raise InvalidMessageError("the status has no name")
    if status.get("visibility") in HIDDEN:
        raise InvalidMessageError("the status is not public")
    edited = status.get("edited_at")
    return _checked(
        id=uri,
        url=_address(status.get("url")) or uri,
        revision=_revision(status, edited) if edited is None or _is_short(edited) else edited,
        text="\n".join(part for part in _parts(status) if part),
        media=tuple(_described(_media(status))),
        published_at=parse_time(status.get("created_at")),
        author=author(status),
        language=language if fits(LANGUAGE, language) else None,
    )


def _is_short(edited: Any) -> bool:
    return isinstance(edited, str) and len(edited) <= MAX_EDITED


def _revision(status: Mapping[str, Any], edited: Any) -> str:
    """Name an edit by its date and by what it shows, as its own server has it.

    An author's server may show each of its followers' servers something else under one name: what
    differs is looked at, whoever gave it first.
    """
    attachments = status.get("media_attachments")
    origins = [
        f"{one.get('remote_url') or one.get('url')}"
        for one in islice(attachments if isinstance(attachments, list) else (), MAX_ATTACHMENTS)
        if isinstance(one, Mapping)
    ]
    shown = "\0".join([*(part for part in _parts(status) if part), *origins])
    digest = hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{clean(edited, MAX_EDITED)}#{digest}"


def author(status: Mapping[str, Any]) -> str | None:
    """Name a status's account as the whole network does; None where it has none."""
    account = status.get("account")
    if not isinstance(account, Mapping):
        return None
    return _address(account.get("uri")) or _address(account.get("url"))


def pictures(status: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the addresses of an account's own avatar and header."""
    account = status.get("account")
    given = account if isinstance(account, Mapping) else {}
    found = (_address(given.get(name)) for name in ("avatar", "header"))
    return tuple(url for url in found if url and not url.endswith("/missing.png"))


def to_profile(status: Mapping[str, Any], urls: tuple[str, ...]) -> NewPost:
    """Make a post of the profile of a status's author.

    Args:
        status: of `shown`.
        urls: of `pictures`: its revision, as a profile has no other.

    Raises:
        InvalidMessageError: the account has no name.
    """
    account, name = status["account"], author(status)
    if name is None:
        raise InvalidMessageError("the account has no name")
    lines = (clean(account.get("display_name"), MAX_SPOILER), words(account.get("note")))
    return _checked(
        id=name,
        url=_address(account.get("url")) or name,
        revision=" ".join(url[-120:] for url in urls),
        text="\n".join(line for line in lines if line),
        media=tuple(MediaItemRecord(url=url, kind=MediaKind.IMAGE) for url in urls),
        author=name,
    )


def words(content: Any) -> str:
    """Give the words of a content, a paragraph a line; of what is none, nothing."""
    return clean(plain_text(content[:MAX_HTML]), MAX_TEXT) if isinstance(content, str) else ""


def _parts(status: Mapping[str, Any]) -> Iterator[str]:
    """Give the warning, the words, and what a poll lets one choose from."""
    yield clean(status.get("spoiler_text"), MAX_SPOILER)
    yield words(status.get("content"))
    poll = status.get("poll")
    choices = poll.get("options") if isinstance(poll, Mapping) else None
    for one in islice(choices if isinstance(choices, list) else (), MAX_CHOICES):
        yield clean(one.get("title"), 200) if isinstance(one, Mapping) else ""


def _checked(**fields: Any) -> NewPost:
    try:
        return NewPost(**fields)
    except ValidationError as error:
        raise InvalidMessageError(explain(error)) from None


def _address(value: Any) -> str | None:
    return value if fits(LINK, value) else None


def _media(status: Mapping[str, Any]) -> Iterator[Medium]:
    """Give the attachments, the card, and the links, each address once."""
    found: dict[str, Medium] = {}
    for medium in (*_attachments(status), *_card(status)):
        found.setdefault(medium[0], medium)
    for link in _links(status):
        found.setdefault(link, (link, MediaKind.LINK, None))
    yield from found.values()


def _attachments(status: Mapping[str, Any]) -> Iterator[Medium]:
    given = status.get("media_attachments")
    for one in islice(given if isinstance(given, list) else (), MAX_ATTACHMENTS):
        if not isinstance(one, Mapping):
            continue
        # `url` is null while a server has no copy of its own
        url = _address(one.get("url")) or _address(one.get("remote_url"))
        kind = one.get("type")
        if url is not None:
            known = KINDS.get(kind) if isinstance(kind, str) else None
            yield url, known or MediaKind.UNKNOWN, one.get("description")


def _card(status: Mapping[str, Any]) -> Iterator[Medium]:
    card = status.get("card")
    if isinstance(card, Mapping):
        words = [card.get(name) for name in ("title", "description")]
        said = "\n".join(word for word in words if isinstance(word, str) and word)
        for name, kind in (("image", MediaKind.IMAGE), ("url", MediaKind.LINK)):
            if (url := _address(card.get(name))) is not None:
                yield url, kind, said if name == "url" else None


def _links(status: Mapping[str, Any]) -> list[str]:
    """Give the addresses that a content points to, but for those that its server resolved.

    That a link is a mention or a hashtag is its author's word: a link in their clothes only comes
    after the others.
    """
    content = status.get("content")
    resolved = {*_resolved(status.get("mentions")), *_resolved(status.get("tags"))}
    found: dict[str, bool] = {}
    for tag in tags(content[:MAX_HTML] if isinstance(content, str) else "", frozenset({"a"})):
        address = _address(tag.attributes.get("href"))
        if address is not None and address not in resolved:
            found.setdefault(address, bool(MARKS & set(tag.attributes.get("class", "").split())))
    return sorted(found, key=lambda one: found[one])[:MAX_LINKS]


def _resolved(several: Any) -> Iterator[str]:
    for one in several if isinstance(several, list) else ():
        if isinstance(one, Mapping) and isinstance(url := one.get("url"), str):
            yield url


def _described(media: Iterator[Medium]) -> Iterator[MediaItemRecord]:
    left = MAX_ALTS
    for url, kind, description in media:
        kept = clean(description, min(MAX_ALT, left))
        left -= len(kept)
        yield MediaItemRecord(url=url, kind=kind, alt_text=kept)
