"""Rows and sightings that tests of tasks start from; all of it made up."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from alerts.tasks import TaskStatus, task_id
from monitors.tables import cases, contents, references, tasks
from streams.schemas import post_key
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
    ReferenceId,
    Sighting,
)


def identifier(*parts: object) -> str:
    """Make 32 hex digits out of anything."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def add_case(
    connection: Connection, now: datetime, number: int = 0, **values: Any
) -> tuple[CaseId, ContentId]:
    """Add an open case of an adult who asked for help, with one reference group."""
    case = CaseId(values.get("id", identifier("case", number)))
    content = content_of(number)
    row: dict[str, Any] = {
        "id": case,
        "alias": f"blue-heron-{number}",
        "age_class": "adult",
        "legal_basis": "victim_request",
        "consent_face": False,
        "consent_voice": False,
        "status": "open",
        "opened_at": now,
    }
    connection.execute(sa.insert(cases).values(row | values))
    add_content(connection, now, case, content)
    return case, content


def content_of(number: int, index: int = 0) -> ContentId:
    return ContentId(identifier("content", number, index))


def add_content(
    connection: Connection, now: datetime, case: CaseId, content: ContentId
) -> ContentId:
    connection.execute(sa.insert(contents).values(id=content, case_id=case, created_at=now))
    return content


def add_reference(
    connection: Connection, now: datetime, case: CaseId, content: ContentId, **values: Any
) -> ReferenceId:
    """Add the reference that `match_of` names for the content."""
    row: dict[str, Any] = {
        "id": identifier("reference", content),
        "case_id": case,
        "content_id": content,
        "kind": "image",
        "bytes_hmac": identifier("hmac", content),
        "added_at": now,
    }
    row |= values
    connection.execute(sa.insert(references).values(row))
    return ReferenceId(row["id"])


def add_task(
    connection: Connection,
    now: datetime,
    case: CaseId,
    content: ContentId,
    *,
    host: str = "example.com",
    **values: Any,
) -> str:
    """Add a task without a location."""
    task = values.pop("task", task_id(case, content, host))
    row: dict[str, Any] = {
        "id": task,
        "case_id": case,
        "content_id": content,
        "host": host,
        "status": TaskStatus.NEW,
        "severity": "high",
        "decision": "alert",
        "confidence": 0.93,
        "opened_at": now,
        "updated_at": now,
        "observed_at": now - timedelta(seconds=20),
        "reappeared": 0,
    }
    connection.execute(sa.insert(tasks).values(row | values))
    return str(task)


def match_of(
    case: CaseId,
    content: ContentId,
    *,
    decision: Decision = Decision.ALERT,
    confidence: float = 0.93,
    hash_similarity: float = 0.92,
) -> Match:
    return Match(
        case=case,
        reference=ReferenceId(identifier("reference", content)),
        content=content,
        confidence=confidence,
        decision=decision,
        evidence=(
            Evidence(
                modality=Modality.FRAME,
                similarity=0.81,
                query_box=(0.12, 0.2, 0.8, 0.9),
                space="sscd/1/openvino/f32",
            ),
            Evidence(modality=Modality.HASH, similarity=hash_similarity),
        ),
    )


def sighting_of(
    *media: tuple[Match, ...],
    now: datetime,
    post: str = "1",
    host: str = "www.example.com",
    hits: tuple[CaseId, ...] = (),
    nudity: float | None = None,
) -> Sighting:
    """Make the sighting of a post; each medium has the matches given."""
    results = [
        MediumResult(
            index=index,
            outcome=Outcome.SIGHTED if matches else Outcome.CLEAR,
            sha256=identifier("bytes", post, index) * 2,
            matches=matches,
            looked=Looked(kind=MediaKind.IMAGE, frames=1, nudity=nudity),
        )
        for index, matches in enumerate(media)
    ]
    return Sighting(
        post=Post(
            key=post_key("board", post),
            source="board",
            id=post,
            url=f"https://{host}/posts/{post}",
            text="secret words of the post",
            media=tuple(
                MediaItem(url=f"https://cdn.example.net/{post}/{index}.jpg")
                for index in range(len(media))
            ),
            observed_at=now - timedelta(seconds=20),
            author="@uploader",
        ),
        results=tuple(results),
        hits=tuple(
            KeywordHit(case=case, keyword=KeywordId(identifier("kw", i)), similarity=1.0)
            for i, case in enumerate(hits)
        ),
        triaged_at=now - timedelta(seconds=15),
        inspected_at=now - timedelta(seconds=5),
    )
