"""Records of the AT Protocol as posts. Pure; what a record says is its author's word alone.

Read are `app.bsky.feed.post` and `app.bsky.actor.profile` with `app.bsky.embed.*` and the links of
`app.bsky.richtext.facet`. After the places that Bluesky shows, blobs are looked for anywhere in a
record, so that an embed which is new to us hides none. What is wrong beside the point (a language,
a date, a link) is left out: to reject the post for it would let its author choose not to be seen.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

from pydantic import ValidationError

from streams.errors import InvalidMessageError
from streams.schemas import MediaItemRecord, NewPost, explain
from streams.sources.fields import LANGUAGE, LINK, clean, fits, parse_time
from streams.types import MediaKind

NETWORK = "atproto"
"""`Post.network` of everything that comes from it."""

POSTS = "app.bsky.feed.post"
PROFILES = "app.bsky.actor.profile"
COLLECTIONS = (POSTS, PROFILES)

DID = re.compile(r"did:[a-z]{1,32}:[A-Za-z0-9._:%-]{1,512}")
"""As https://atproto.com/specs/did narrows it."""

RKEY = re.compile(r"[A-Za-z0-9._:~-]{1,512}")
"""As https://atproto.com/specs/record-key has it."""

CID = re.compile(r"[A-Za-z0-9]{8,128}")
MAX_TEXT = 10_000
"""Characters; the lexicon allows 3,000 bytes."""

MAX_ALT = 4_000
"""Characters of one description; Bluesky's own clients write up to 2,000."""

MAX_ALTS = 40_000
"""Characters of all descriptions of a post. With the other bounds a post stays below
`streams.schemas.MAX_POST_BYTES`, whatever its record holds."""

MAX_BLOBS = 50
MAX_LINKS = 45
"""The lexicon does not bound facets: links must not crowd out the pictures."""

MAX_DEPTH = 12
"""A blob that Bluesky shows is at most 6 deep."""


def to_new_post(*, did: Any, collection: str, rkey: Any, cid: Any, record: Any) -> NewPost:
    """Read a post's or a profile's record, decoded from JSON or from DAG-CBOR.

    Args:
        did: whose repository.
        collection: one of `COLLECTIONS`.
        rkey: the record's key.
        cid: of the record; see `read_cid`.
        record: anything.

    Raises:
        InvalidMessageError: it is none; the message quotes nothing of it.
    """
    name = post_id(did, collection, rkey)
    if not isinstance(record, Mapping):
        raise InvalidMessageError("the record is no object")
    if record.get("$type", collection) != collection:
        raise InvalidMessageError("the record is of another type than its collection")
    languages = record.get("langs")
    language = languages[0] if isinstance(languages, list) and languages else None
    try:
        return NewPost(
            id=name,
            url=_page(did, collection, rkey),
            revision=read_cid(cid),
            text=_text(record, collection),
            media=tuple(_media(did, record)),
            published_at=parse_time(record.get("createdAt")),
            author=did,
            language=language if fits(LANGUAGE, language) else None,
        )
    except ValidationError as error:
        raise InvalidMessageError(explain(error)) from None


def post_id(did: Any, collection: str, rkey: Any) -> str:
    """Name a record.

    Raises:
        InvalidMessageError: a repository or a record cannot have such a name.
    """
    if not fits(DID, did) or not fits(RKEY, rkey):
        raise InvalidMessageError("a repository's or a record's name is malformed")
    return f"at://{did}/{collection}/{rkey}"


def read_cid(value: Any) -> str:
    """Read a CID: text, JSON's `{"$link": …}`, or the bytes of DAG-CBOR.

    Raises:
        InvalidMessageError: it is none.
    """
    if isinstance(value, Mapping):
        value = value.get("$link")
    if isinstance(value, bytes) and 8 <= len(value) <= 64:
        return "b" + base64.b32encode(value).decode().lower().rstrip("=")
    if isinstance(value, str) and fits(CID, value):
        return value
    raise InvalidMessageError("a content identifier is malformed")


def _page(did: str, collection: str, rkey: str) -> str:
    profile = f"https://bsky.app/profile/{did}"
    return profile if collection == PROFILES else f"{profile}/post/{rkey}"


def _text(record: Mapping[Any, Any], collection: str) -> str:
    if collection == PROFILES:
        return clean(_joined(record, "displayName", "description"), MAX_TEXT)
    text = record.get("text", "")
    if not isinstance(text, str):
        raise InvalidMessageError("the text is none")
    return clean(text, MAX_TEXT)


def _joined(holder: Mapping[Any, Any], *names: str) -> str:
    parts = (holder.get(name) for name in names)
    return "\n".join(part for part in parts if isinstance(part, str) and part)


def _media(did: str, record: Mapping[Any, Any]) -> Iterator[MediaItemRecord]:
    """Give the blobs, then the links, with descriptions as far as the bound of all allows."""
    blobs: dict[str, tuple[MediaKind, Any]] = {}
    for holder, blob in chain(_shown(record), _walk(record)):
        cid = _cid_or_none(blob)
        if cid is not None and len(blobs) < MAX_BLOBS:
            blobs.setdefault(f"at+blob://{did}/{cid}", (_kind(blob), holder.get("alt")))
    links: dict[str, tuple[MediaKind, Any]] = {}
    for link, alt in islice(_links(record), MAX_LINKS):
        links.setdefault(link, (MediaKind.LINK, alt))
    left = MAX_ALTS
    for url, (kind, alt) in (blobs | links).items():
        kept = clean(alt, min(MAX_ALT, left))
        left -= len(kept)
        yield MediaItemRecord(url=url, kind=kind, alt_text=kept)


def _cid_or_none(blob: Mapping[Any, Any]) -> str | None:
    """Read which blob is meant; before 2023 a blob was `cid` and `mimeType` without a type."""
    try:
        return read_cid(blob.get("ref", blob.get("cid")))
    except InvalidMessageError:
        return None


def _kind(blob: Mapping[Any, Any]) -> MediaKind:
    mime = blob.get("mimeType")
    claimed = mime.partition("/")[0].lower() if isinstance(mime, str) else ""
    known = {"image": MediaKind.IMAGE, "video": MediaKind.VIDEO, "audio": MediaKind.AUDIO}
    return known.get(claimed, MediaKind.UNKNOWN)


Held = tuple[Mapping[Any, Any], Mapping[Any, Any]]
"""A blob's holder, which may describe it, and the blob."""


def _shown(record: Mapping[Any, Any]) -> Iterator[Held]:
    """Give what Bluesky shows, first: however many blobs a record has, these are looked at."""
    for embed in _embeds(record):
        images = islice(_mappings(embed.get("images")), MAX_BLOBS)
        places: list[tuple[Any, str]] = [(holder, "image") for holder in images]
        places += [(embed, "video"), (embed.get("external"), "thumb")]
        yield from _held(places)
    yield from _held([(record, "avatar"), (record, "banner")])


def _embeds(record: Mapping[Any, Any]) -> Iterator[Mapping[Any, Any]]:
    embed = record.get("embed")
    if isinstance(embed, Mapping):
        yield embed
        media = embed.get("media")  # of recordWithMedia
        if isinstance(media, Mapping):
            yield media


def _held(places: list[tuple[Any, str]]) -> Iterator[Held]:
    for holder, name in places:
        if isinstance(holder, Mapping) and isinstance(blob := holder.get(name), Mapping):
            yield holder, blob


def _walk(record: Mapping[Any, Any]) -> Iterator[Held]:
    """Give every blob of a record, but a video's captions, level by level."""
    level: list[Held] = list(_below(record))
    for _ in range(MAX_DEPTH):
        yield from ((holder, value) for holder, value in level if value.get("$type") == "blob")
        level = [below for _, value in level for below in _below(value)]


def _below(holder: Mapping[Any, Any]) -> Iterator[Held]:
    for name, value in holder.items():
        if name != "captions":
            several = value if isinstance(value, list) else (value,)
            yield from ((holder, one) for one in several if isinstance(one, Mapping))


def _links(record: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """Give the addresses that a post points to, the card's with the words on it."""
    for embed in _embeds(record):
        for card in _mappings([embed.get("external")]):
            yield from ((uri, _joined(card, "title", "description")) for uri in _uris([card]))
    for facet in _mappings(record.get("facets")):
        yield from ((uri, "") for uri in _uris(facet.get("features")))


def _uris(holders: Any) -> Iterator[str]:
    for holder in _mappings(holders):
        uri = holder.get("uri")
        if isinstance(uri, str) and fits(LINK, uri):
            yield uri


def _mappings(values: Any) -> Iterator[Mapping[Any, Any]]:
    if isinstance(values, list):
        yield from (one for one in values if isinstance(one, Mapping))
