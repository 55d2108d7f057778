"""The domain, standard library only. A wire model never gets past `to_domain`."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

PostKey = NewType("PostKey", str)
"""32 hex digits: SHA-256 of source, id and revision. Names one observation of one post."""
CaseId = NewType("CaseId", str)
"""Random, tells nothing of the person."""
ReferenceId = NewType("ReferenceId", str)
ContentId = NewType("ContentId", str)
"""A reference group of a case: a reference with its confirmed copies (canonical content)."""
KeywordId = NewType("KeywordId", str)
TaskId = NewType("TaskId", str)


class MediaKind(StrEnum):
    """What a source says an item is; the decoder decides what it really is."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    PAGE = "page"
    """A web page that is read for the media that it names."""
    LINK = "link"
    """A page that is read only where the post is urgent: most links lead to news."""
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """How a post, a medium or a scanned file ended. Each post ends in exactly one."""

    CLEAR = "clear"
    SIGHTED = "sighted"
    VANISHED = "vanished"
    UNREADABLE = "unreadable"
    REFUSED = "refused"
    SHED = "shed"
    DEAD = "dead"


class Decision(StrEnum):
    """What is done about a match: page somebody, let an officer look, nothing."""

    ALERT = "alert"
    REVIEW = "review"
    NONE = "none"


class Modality(StrEnum):
    """What kind of evidence speaks for a match."""

    FRAME = "frame"
    HASH = "hash"
    FACE = "face"
    AUDIO = "audio"
    VOICE = "voice"
    SPEECH = "speech"
    TEXT = "text"


class Priority(StrEnum):
    """Which inspection topic a post takes."""

    URGENT = "urgent"
    BULK = "bulk"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaItem:
    """One medium of a post.

    Args:
        url: where its bytes are; attacker-controlled. `at+blob://DID/CID` is a blob of the AT
            Protocol, on whatever server its author has now.
        kind: the source's claim.
        alt_text: the description that the platform carries, searched like the post's text.
    """

    url: str
    kind: MediaKind = MediaKind.UNKNOWN
    alt_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One observation of one post of one source.

    Args:
        key: deterministic; see `streams.schemas.post_key`.
        source: the source's name, of fewer than 20 in one installation.
        id: the source's own identifier of the post.
        url: the page that a notice would name.
        revision: what the source calls this edit of the post; empty where it has none.
        text: as published.
        media: in the post's order.
        observed_at: received from the source, aware UTC: the SLA's clock starts here.
        published_at: as the platform claims; may be nonsense; never used for the SLA.
        author: the account, as far as a notice needs it.
        language: BCP 47, as claimed.
        network: whose identifiers `id` and `author` are, where several sources give one network's
            posts ("atproto", "activitypub"); empty: the source's own. `key` is of this.
        urgent: asked for by a search: goes before the rest.
    """

    key: PostKey
    source: str
    id: str
    url: str
    revision: str = ""
    text: str = ""
    media: tuple[MediaItem, ...] = ()
    observed_at: datetime
    published_at: datetime | None = None
    author: str | None = None
    language: str | None = None
    network: str = ""
    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A decoded picture.

    Args:
        width: in pixels.
        height: in pixels.
        rgb: `height * width * 3` bytes, row by row, R G B, 0..255.
        at_seconds: position in its medium; 0 for a still image.
    """

    width: int
    height: int
    rgb: bytes
    at_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Decoded sound, mono.

    Args:
        pcm: signed 16 bits, little endian.
        rate_hz: samples a second.
        at_seconds: position of the first sample in its medium.
    """

    pcm: bytes
    rate_hz: int = 16_000
    at_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.pcm) / 2 / self.rate_hz


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What to take out of a medium. A still picture gives its one frame whatever is asked.

    Args:
        start_seconds: where to begin; whole media of unknown length begin at 0.
        seconds: how much; None: as much as the caps allow.
        key_frames: pictures that need no other to be decoded, and none else: quick, but sparse.
        frames_per_second: otherwise; near-identical ones are left out.
        sound: whether to decode the sound of that part, too.
        seed: below 2**64. What is shown at a random moment of each step is taken: who made the
            medium cannot know where it will be looked at. None: the first frame of each step.
    """

    start_seconds: float = 0.0
    seconds: float | None = None
    key_frames: bool = False
    frames_per_second: float = 1.0
    sound: bool = False
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedMedia:
    """What the sandbox made of one medium, or of the part that was asked for.

    Args:
        kind: what it really is; an animated picture is a video.
        format: the container's name, lower case ("jpeg", "png", "gif", "webp", "mp4"...).
        frames: in order of time; none of a sound.
        frame_count: how many the medium holds, as far as that is known; at least `frames`.
        duration_seconds: of the whole medium as its container claims or its frames show; 0 of a
            still picture.
        looked_until_seconds: up to where the frames, or of a sound its samples, were looked at.
        reached_end: whether nothing comes after it. The decoder came to the end of the track and
            knows; the duration is only what an uploader claims.
        has_sound: whether there is a track of sound, decoded or not.
        heard_end: whether its sound, where asked for, was decoded until the track ended.
        sound: where it was asked for and could be decoded.
    """

    kind: MediaKind
    format: str
    frames: tuple[Frame, ...]
    frame_count: int
    duration_seconds: float = 0.0
    looked_until_seconds: float = 0.0
    reached_end: bool = False
    has_sound: bool = False
    heard_end: bool = False
    sound: Sound | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordHit:
    """A keyword of a case found in a post's text.

    Args:
        case: whose keyword.
        keyword: which.
        similarity: 0..1; 1 is an exact hit after normalisation.
    """

    case: CaseId
    keyword: KeywordId
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One modality's word for a match.

    Args:
        modality: which.
        similarity: 0..1, rises with likeness; cosine for frames, 1 - bits/256 for hashes.
        query_box: the matched part of the query's frame as x0, y0, x1, y1 in 0..1.
        query_span_seconds: from, to in the query; None where the modality has no time.
        reference_span_seconds: likewise in the reference.
        space: the vector space compared in, e.g. "sscd/1/openvino/f32".
    """

    modality: Modality
    similarity: float
    query_box: tuple[float, float, float, float] | None = None
    query_span_seconds: tuple[float, float] | None = None
    reference_span_seconds: tuple[float, float] | None = None
    space: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A medium's best candidate among one reference group of a case.

    Args:
        case: whose reference.
        reference: the nearest reference.
        content: its group.
        confidence: calibrated probability, 0..1, that the medium shows the reference's content.
        decision: by the thresholds in force.
        evidence: at least one.
    """

    case: CaseId
    reference: ReferenceId
    content: ContentId
    confidence: float
    decision: Decision
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What of a medium was looked at.

    Args:
        kind: what it really is.
        seconds: how long it is; 0 of a still picture.
        until_seconds: up to where its frames, or its sound, were looked at.
        frames: how many were.
        skipped: what was not done, as "what:why"; nothing is left out silently.
        nudity: estimate, 0..1, of the frames that matched, the highest; None where none did, or
            nothing could estimate it. For the order of the queue and for what a preview blurs; no
            decision rests on it.
    """

    kind: MediaKind
    seconds: float = 0.0
    until_seconds: float = 0.0
    frames: int = 0
    skipped: tuple[str, ...] = ()
    nudity: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumResult:
    """How one medium of a post ended.

    Args:
        index: position in the post's media.
        outcome: what became of it.
        reason: snake_case; None for `clear` and `sighted`.
        sha256: of the bytes, hex; None where none came.
        matches: best first, one for each reference group; empty unless sighted.
        looked: at what; None where it could not be looked at.
    """

    index: int
    outcome: Outcome
    reason: str | None = None
    sha256: str | None = None
    matches: tuple[Match, ...] = ()
    looked: Looked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An inspected post with at least one match: what `decide` consumes.

    Args:
        post: as observed.
        results: one for each medium, in order.
        hits: keyword hits in the post's text; evidence, and they raise severity.
        triaged_at: aware UTC.
        inspected_at: aware UTC.
    """

    post: Post
    results: tuple[MediumResult, ...]
    hits: tuple[KeywordHit, ...] = ()
    triaged_at: datetime
    inspected_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PostOutcome:
    """The one counted end of a post.

    Args:
        key: whose.
        source: its source.
        outcome: which.
        reason: snake_case; None where the outcome says it all.
        media: how many media it had.
        observed_at: the SLA clock's start.
        ended_at: when it was decided, aware UTC.
        tasks: the tasks that hold it as a location.
    """

    key: PostKey
    source: str
    outcome: Outcome
    reason: str | None = None
    media: int = 0
    observed_at: datetime
    ended_at: datetime
    tasks: tuple[TaskId, ...] = field(default=())
