"""`streams.schemas`."""

import contextlib
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streams.errors import InvalidMessageError, OversizedMessageError
from streams.schemas import (
    MAX_MEDIA,
    MAX_POST_BYTES,
    MAX_TEXT,
    DeadLetterRecord,
    EvidenceRecord,
    InspectionRecord,
    KeywordHitRecord,
    LookedRecord,
    MatchRecord,
    MediaItemRecord,
    MediumResultRecord,
    NewPost,
    PostRecord,
    SightingRecord,
    post_key,
)
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
    Priority,
    ReferenceId,
    Sighting,
)

LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
URLS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=40
).map("https://".__add__)
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
DATES = st.datetimes(timezones=st.just(UTC) | OFFSETS)
SANE_DATES = st.datetimes(
    datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC) | OFFSETS
)
UNIT = st.floats(0, 1)
MEDIA = st.builds(MediaItem, url=URLS, kind=st.sampled_from(MediaKind), alt_text=st.text())
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True)


@st.composite
def posts(draw: st.DrawFn) -> Post:
    source, post_id, revision = draw(NAMES), draw(LINES.filter(bool)), draw(LINES)
    return Post(
        key=post_key(source, post_id, revision),
        source=source,
        id=post_id,
        url=draw(URLS),
        revision=revision,
        text=draw(st.text()),
        media=tuple(draw(st.lists(MEDIA, max_size=3))),
        observed_at=draw(SANE_DATES).astimezone(UTC),
        published_at=draw(st.none() | SANE_DATES.map(lambda at: at.astimezone(UTC))),
        author=draw(st.none() | LINES),
        language=draw(st.none() | LINES),
    )


SPANS = st.none() | st.tuples(st.floats(0, 1e6), st.floats(0, 1e6))
HITS = st.builds(
    KeywordHit,
    case=LINES.map(CaseId),
    keyword=LINES.map(KeywordId),
    similarity=UNIT,
)
EVIDENCE = st.builds(
    Evidence,
    modality=st.sampled_from(Modality),
    similarity=st.floats(allow_nan=False, allow_infinity=False),
    query_box=st.none() | st.tuples(UNIT, UNIT, UNIT, UNIT),
    query_span_seconds=SPANS,
    reference_span_seconds=SPANS,
    space=st.none() | LINES,
)
MATCHES = st.builds(
    Match,
    case=LINES.map(CaseId),
    reference=LINES.map(ReferenceId),
    content=LINES.map(ContentId),
    confidence=UNIT,
    decision=st.sampled_from(Decision),
    evidence=st.lists(EVIDENCE, min_size=1, max_size=3).map(tuple),
)
SECONDS = st.floats(0, 1e9)
LOOKED = st.builds(
    Looked,
    kind=st.sampled_from(MediaKind),
    seconds=SECONDS,
    until_seconds=SECONDS,
    frames=st.integers(0, 10**9),
    skipped=st.lists(LINES, max_size=32).map(tuple),
    nudity=st.none() | UNIT,
)
RESULTS = st.builds(
    MediumResult,
    index=st.integers(0, 99),
    outcome=st.sampled_from(Outcome),
    reason=st.none() | LINES,
    sha256=st.none() | LINES,
    matches=st.lists(MATCHES, max_size=2).map(tuple),
    looked=st.none() | LOOKED,
)
SIGHTINGS = st.builds(
    Sighting,
    post=posts(),
    results=st.lists(RESULTS, max_size=3).map(tuple),
    hits=st.lists(HITS, max_size=2).map(tuple),
    triaged_at=SANE_DATES,
    inspected_at=SANE_DATES,
)


@given(posts())
def test_a_post_survives_the_wire(post: Post) -> None:
    assert PostRecord.from_bytes(PostRecord.from_domain(post).to_bytes()).to_post() == post


@given(SIGHTINGS)
def test_a_sighting_survives_the_wire(sighting: Sighting) -> None:
    raw = SightingRecord.from_domain(sighting).to_bytes()
    assert SightingRecord.from_bytes(raw).to_domain() == sighting


@given(posts(), st.sampled_from(Priority), st.lists(HITS, max_size=3), SANE_DATES)
def test_an_inspection_survives_the_wire(
    post: Post, priority: Priority, hits: list[KeywordHit], at: datetime
) -> None:
    record = InspectionRecord(
        post=PostRecord.from_domain(post),
        priority=priority,
        hits=tuple(KeywordHitRecord.from_domain(hit) for hit in hits),
        triaged_at=at,
    )
    again = InspectionRecord.from_bytes(record.to_bytes())
    assert again == record
    assert [hit.to_domain() for hit in again.hits] == hits
    assert again.post.to_post() == post


@given(st.text(), st.integers(), st.text())
def test_a_dead_letter_survives_the_wire(topic: str, offset: int, agent: str) -> None:
    record = DeadLetterRecord(
        topic=topic, partition=0, offset=offset, agent=agent, reason="bug", error="ValueError"
    )
    assert DeadLetterRecord.from_bytes(record.to_bytes()) == record


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_do_more_than_be_refused(raw: bytes) -> None:
    with pytest.raises(InvalidMessageError):
        NewPost.from_bytes(raw)


@given(
    st.sampled_from(list(NewPost.model_fields)),
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5),
)
def test_no_json_in_a_field_does_more_than_be_refused(name: str, value: object) -> None:
    good: dict[str, object] = {"id": "1", "url": "https://a.example/"}
    raw = json.dumps(good | {name: value}).encode()
    with contextlib.suppress(InvalidMessageError):
        NewPost.from_bytes(raw).to_domain(source="s", observed_at=datetime.now(UTC))


@given(DATES)
def test_whatever_date_a_platform_claims_the_post_is_taken(claimed: datetime) -> None:
    new = NewPost(id="1", url="https://a.example/", published_at=claimed)
    post = new.to_domain(source="s", observed_at=datetime(2026, 11, 23, tzinfo=UTC))
    assert post.published_at is None or post.published_at == claimed


@pytest.mark.parametrize(
    ("claimed", "kept"),
    [
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("2026-11-23T21:00:00+09:00", datetime(2026, 11, 23, 12, tzinfo=UTC)),
    ],
)
def test_a_claim_out_of_the_calendar_is_dropped(claimed: str, kept: datetime | None) -> None:
    raw = json.dumps({"id": "1", "url": "https://a.example/", "published_at": claimed}).encode()
    post = NewPost.from_bytes(raw).to_domain(source="s", observed_at=datetime.now(UTC))
    assert post.published_at == kept


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"id": "a\nb"},
        {"id": "a\x00"},
        {"id": "a" * 1025},
        {"id": 1},
        {"url": "ftp://a.example/"},
        {"url": "javascript:alert(1)"},
        {"url": "https://a b"},
        {"url": "https://a.example/\n"},
        {"url": "https://" + "a" * 4096},
        {"url": None},
        {"text": "a" * (MAX_TEXT + 1)},
        {"media": [{"url": "https://a.example/"}] * (MAX_MEDIA + 1)},
        {"media": [{"url": "file:///etc/passwd"}]},
        {"media": [{"url": "https://a.example/", "kind": "hologram"}]},
        {"published_at": "yesterday"},
        {"published_at": "2026-11-23T12:00:00"},
        {"author": "a\rb"},
        {"language": "k" * 65},
        {"revision": "r" * 257},
        {"source": "mine"},
        {"observed_at": "2026-11-23T12:00:00Z"},
    ],
)
def test_a_post_out_of_bounds_is_refused_and_the_field_named(fields: dict[str, object]) -> None:
    good: dict[str, object] = {"id": "1", "url": "https://a.example/"}
    NewPost.from_bytes(json.dumps(good).encode())
    with pytest.raises(InvalidMessageError, match=next(iter(fields))):
        NewPost.from_bytes(json.dumps(good | fields).encode())


def test_what_is_wrong_is_said_without_a_value_of_the_posts() -> None:
    raw = json.dumps({"id": "secret\n", "url": "secret", "text": 7, "published_at": "secret"})
    with pytest.raises(InvalidMessageError) as caught:
        NewPost.from_bytes(raw.encode())
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "raw",
    [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"id":"\\ud800","url":"https://a"}'],
)
def test_what_is_no_record_is_invalid(raw: bytes) -> None:
    with pytest.raises(InvalidMessageError):
        NewPost.from_bytes(raw)


def test_a_tombstone_is_invalid() -> None:
    with pytest.raises(InvalidMessageError):
        NewPost.from_bytes(None)


def test_an_oversized_record_is_refused_before_it_is_read() -> None:
    with pytest.raises(OversizedMessageError):
        NewPost.from_bytes(b" " * (2 * MAX_POST_BYTES + 1))


@pytest.mark.parametrize("similarity", [float("nan"), float("inf"), float("-inf")])
def test_a_similarity_that_is_no_number_is_a_bug_where_it_arises(similarity: float) -> None:
    with pytest.raises(ValidationError):
        EvidenceRecord(modality=Modality.FACE, similarity=similarity)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_a_confidence_is_a_probability(confidence: float) -> None:
    with pytest.raises(ValidationError):
        MatchRecord(
            case="c",
            reference="r",
            content="g",
            confidence=confidence,
            decision=Decision.NONE,
            evidence=(),
        )


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "hologram"},
        {"frames": -1},
        {"nudity": 1.5},
        {"nudity": float("nan")},
        {"seconds": float("inf")},
        {"skipped": ("speech:no_time",) * 33},
        {"skipped": ("a\nb",)},
        {"words": "what was said"},
    ],
)
def test_what_was_looked_at_is_within_bounds(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LookedRecord.model_validate({"kind": "video"} | fields)


def test_a_result_of_an_earlier_version_says_nothing_of_what_was_looked_at() -> None:
    record = MediumResultRecord.from_bytes(b'{"index": 0, "outcome": "clear"}')
    assert record.to_domain().looked is None


@given(*[st.tuples(NAMES, LINES, LINES)] * 2)
def test_two_observations_share_a_key_only_where_all_parts_agree(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (post_key(*one) == post_key(*other)) == (one == other)


def test_a_key_is_thirty_two_hex_digits_for_ever() -> None:
    assert post_key("push", "42") == "982daec2d2f11f63982c006bfb7a94f5"


DOCUMENT = (Path(__file__).parents[2] / "docs" / "post.md").read_text(encoding="utf-8")


def test_the_document_names_every_field_and_no_other() -> None:
    named = re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE)
    assert set(named) == set(PostRecord.model_fields) | set(MediaItemRecord.model_fields)


@pytest.mark.parametrize("limit", [MAX_POST_BYTES, MAX_TEXT, MAX_MEDIA])
def test_the_document_names_the_limits(limit: int) -> None:
    assert f"{limit:,}" in DOCUMENT


def test_the_documents_example_is_a_post_with_every_field_but_the_revision() -> None:
    [example] = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    assert NewPost.from_bytes(example.encode()).media[0].alt_text == "A whale"
    assert set(json.loads(example)) == set(NewPost.model_fields) - {"revision"}
