"""The wire: one pydantic model a topic, with `to_domain` and `from_domain`, and its JSON Schema.

Records travel as raw JSON bytes, decoded inside an agent's body: Faust skips what it cannot decode.
"""

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from streams.errors import InvalidMessageError, OversizedMessageError
from streams.types import (
    CaseId,
    ContentId,
    Decision,
    Evidence,
    KeywordHit,
    KeywordId,
    Looked,
    Match,
    MediaItem,
    MediaKind,
    MediumResult,
    Modality,
    Outcome,
    Post,
    PostKey,
    Priority,
    ReferenceId,
    Sighting,
)

MAX_POST_BYTES = 512 * 1024
"""A post's JSON. Half of a Kafka broker's default message limit (1 MiB)."""

MAX_MEDIA = 100
"""Media of one post. Ten times what the largest platforms of domain.md, section 5, carry."""

MAX_TEXT = 100_000
"""Characters of a post's text."""

HttpUrl = Annotated[
    str,
    StringConstraints(pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s\x00-\x1f\x7f]+$", max_length=4096),
]
MediaUrl = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:[Hh][Tt][Tt][Pp][Ss]?|at\+blob)://[^\s\x00-\x1f\x7f]+$", max_length=4096
    ),
]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=1024)]
"""Text without control characters: it is stored and shown."""

ShortLine = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=256)]
"""Likewise. A `Field(max_length=…)` beside `Line` would be overruled by the latter's own."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]


def post_key(source: str, post_id: str, revision: str = "") -> PostKey:
    """Name one observation of one post: the first 128 bits of a SHA-256, in hex.

    Args:
        source: the network, where several sources give its posts; else the source.
        post_id: the source's own identifier.
        revision: names an edit.
    """
    joined = f"{source}\0{post_id}\0{revision}".encode("utf-8", "surrogatepass")
    return PostKey(hashlib.sha256(joined).hexdigest()[:32])


class Record(BaseModel):
    """What every record has in common: immutable, and it knows every field it carries."""

    # NaN would travel as null and come back as an invalid record: a match lost on the way.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def from_bytes(cls, raw: bytes | None) -> Self:
        """Read a record.

        Raises:
            OversizedMessageError: more than twice `MAX_POST_BYTES`.
            InvalidMessageError: not JSON, or not this record; the message names the fields only.
        """
        if raw is None:
            raise InvalidMessageError("an empty record")
        if len(raw) > 2 * MAX_POST_BYTES:
            raise OversizedMessageError(f"{len(raw)} bytes")
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            raise InvalidMessageError(explain(error)) from None

    def to_bytes(self) -> bytes:
        """Write the record as JSON."""
        return self.model_dump_json(exclude_defaults=True).encode()


def explain(error: ValidationError) -> str:
    """Say what is wrong where, without a value of the message's."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'record'}: {one['msg']}" for one in found[:5]
    )


class MediaItemRecord(Record):
    """One medium of a post."""

    url: MediaUrl = Field(description="Where the bytes are; http, https, or an AT Protocol's blob.")
    kind: MediaKind = Field(default=MediaKind.UNKNOWN, description="What the source says it is.")
    alt_text: str = Field(default="", max_length=MAX_TEXT, description="Searched like the text.")

    def to_domain(self) -> MediaItem:
        """Give the domain's value."""
        return MediaItem(url=self.url, kind=self.kind, alt_text=self.alt_text)


class NewPost(Record):
    """A post as a source hands it in: what the push endpoint takes, and a line of a replay file."""

    id: Line = Field(min_length=1, description="The source's identifier.")
    url: HttpUrl = Field(description="The post's page, which a notice would name.")
    revision: ShortLine = Field(default="", description="Names an edit of the post.")
    text: str = Field(default="", max_length=MAX_TEXT)
    media: tuple[MediaItemRecord, ...] = Field(default=(), max_length=MAX_MEDIA)
    published_at: AwareDatetime | None = Field(
        default=None, description="As the platform claims; kept, never trusted."
    )
    author: Line | None = None
    language: Line | None = Field(default=None, max_length=64)

    def to_domain(
        self, *, source: str, observed_at: datetime, network: str = "", urgent: bool = False
    ) -> Post:
        """Give the domain's value."""
        return Post(
            key=post_key(network or source, self.id, self.revision),
            source=source,
            id=self.id,
            url=self.url,
            revision=self.revision,
            text=self.text,
            media=tuple(item.to_domain() for item in self.media),
            observed_at=observed_at.astimezone(UTC),
            published_at=_in_utc(self.published_at),
            author=self.author,
            language=self.language,
            network=network,
            urgent=urgent,
        )


def _in_utc(claimed: datetime | None) -> datetime | None:
    """Convert a platform's claim; one that falls out of the calendar in UTC says nothing."""
    try:
        return claimed and claimed.astimezone(UTC)
    except OverflowError:
        return None


class PostRecord(NewPost):
    """The canonical post: on `haechi.posts.v1`, and in the inbox table."""

    source: Name
    observed_at: AwareDatetime
    network: Name | None = None
    urgent: bool = False

    def to_post(self) -> Post:
        """Give the domain's value."""
        return self.to_domain(
            source=self.source,
            observed_at=self.observed_at,
            network=self.network or "",
            urgent=self.urgent,
        )

    @classmethod
    def from_domain(cls, post: Post) -> Self:
        """Make the record of a post."""
        return cls(
            id=post.id,
            url=post.url,
            revision=post.revision,
            text=post.text,
            media=tuple(
                MediaItemRecord(url=item.url, kind=item.kind, alt_text=item.alt_text)
                for item in post.media
            ),
            published_at=post.published_at,
            author=post.author,
            language=post.language,
            source=post.source,
            observed_at=post.observed_at,
            network=post.network or None,
            urgent=post.urgent,
        )


class KeywordHitRecord(Record):
    """A keyword found in a post."""

    case: str
    keyword: str
    similarity: float = Field(ge=0, le=1)

    def to_domain(self) -> KeywordHit:
        """Give the domain's value."""
        return KeywordHit(
            case=CaseId(self.case), keyword=KeywordId(self.keyword), similarity=self.similarity
        )

    @classmethod
    def from_domain(cls, hit: KeywordHit) -> Self:
        """Make the record of a hit."""
        return cls(case=hit.case, keyword=hit.keyword, similarity=hit.similarity)


class InspectionRecord(Record):
    """A triaged post with media."""

    post: PostRecord
    priority: Priority
    hits: tuple[KeywordHitRecord, ...] = ()
    triaged_at: AwareDatetime


class EvidenceRecord(Record):
    """One modality's word for a match."""

    modality: Modality
    similarity: float
    query_box: tuple[float, float, float, float] | None = None
    query_span_seconds: tuple[float, float] | None = None
    reference_span_seconds: tuple[float, float] | None = None
    space: str | None = None

    def to_domain(self) -> Evidence:
        """Give the domain's value."""
        return Evidence(**dict(self))


class MatchRecord(Record):
    """A medium's best candidate among one reference group."""

    case: str
    reference: str
    content: str
    confidence: float = Field(ge=0, le=1)
    decision: Decision
    evidence: tuple[EvidenceRecord, ...]

    def to_domain(self) -> Match:
        """Give the domain's value."""
        return Match(
            case=CaseId(self.case),
            reference=ReferenceId(self.reference),
            content=ContentId(self.content),
            confidence=self.confidence,
            decision=self.decision,
            evidence=tuple(one.to_domain() for one in self.evidence),
        )


class LookedRecord(Record):
    """What of a medium was looked at."""

    kind: MediaKind
    seconds: float = 0.0
    until_seconds: float = 0.0
    frames: int = Field(default=0, ge=0)
    skipped: tuple[ShortLine, ...] = Field(default=(), max_length=32)
    nudity: float | None = Field(default=None, ge=0, le=1)

    def to_domain(self) -> Looked:
        """Give the domain's value."""
        return Looked(**dict(self))


class MediumResultRecord(Record):
    """How one medium ended."""

    index: int = Field(ge=0)
    outcome: Outcome
    reason: str | None = None
    sha256: str | None = None
    matches: tuple[MatchRecord, ...] = ()
    looked: LookedRecord | None = None

    def to_domain(self) -> MediumResult:
        """Give the domain's value."""
        return MediumResult(
            index=self.index,
            outcome=self.outcome,
            reason=self.reason,
            sha256=self.sha256,
            matches=tuple(match.to_domain() for match in self.matches),
            looked=None if self.looked is None else self.looked.to_domain(),
        )


class SightingRecord(Record):
    """An inspected post with at least one match."""

    post: PostRecord
    results: tuple[MediumResultRecord, ...]
    hits: tuple[KeywordHitRecord, ...] = ()
    triaged_at: AwareDatetime
    inspected_at: AwareDatetime

    def to_domain(self) -> Sighting:
        """Give the domain's value."""
        return Sighting(
            post=self.post.to_post(),
            results=tuple(result.to_domain() for result in self.results),
            hits=tuple(hit.to_domain() for hit in self.hits),
            triaged_at=self.triaged_at,
            inspected_at=self.inspected_at,
        )

    @classmethod
    def from_domain(cls, sighting: Sighting) -> Self:
        """Make the record of a sighting."""
        return cls(
            post=PostRecord.from_domain(sighting.post),
            results=tuple(_result(result) for result in sighting.results),
            hits=tuple(KeywordHitRecord.from_domain(hit) for hit in sighting.hits),
            triaged_at=sighting.triaged_at,
            inspected_at=sighting.inspected_at,
        )


class DeadLetterRecord(Record):
    """A message set aside: where it stands and why; never a payload, a URL or a person."""

    topic: str
    partition: int
    offset: int
    agent: str
    reason: str
    error: str


def _result(result: MediumResult) -> MediumResultRecord:
    return MediumResultRecord(
        index=result.index,
        outcome=result.outcome,
        reason=result.reason,
        sha256=result.sha256,
        matches=tuple(_match(match) for match in result.matches),
        looked=None if result.looked is None else LookedRecord(**asdict(result.looked)),
    )


def _match(match: Match) -> MatchRecord:
    evidence: list[dict[str, Any]] = [
        {name: getattr(one, name) for name in EvidenceRecord.model_fields} for one in match.evidence
    ]
    return MatchRecord(
        case=match.case,
        reference=match.reference,
        content=match.content,
        confidence=match.confidence,
        decision=match.decision,
        evidence=tuple(EvidenceRecord(**one) for one in evidence),
    )
