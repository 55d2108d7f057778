"""What happens in the AT Protocol, as items: operations on records, and accounts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streams.errors import InvalidMessageError
from streams.sources.at_records import (
    COLLECTIONS,
    DID,
    NETWORK,
    PROFILES,
    post_id,
    to_new_post,
)
from streams.sources.fields import fits
from streams.sources.source import (
    EventKind,
    Passed,
    Rejected,
    Removed,
    Restored,
    SourcedItem,
    SourcedPost,
)

GONE = ("deactivated", "deleted", "suspended", "takendown")
"""Statuses of an account whose posts are no longer shown. The others (`desynchronized`,
`throttled`) speak of a relay's trouble with a host that still shows them."""

EXPECTED_SECONDS: Mapping[EventKind, float] = {
    EventKind.POST: 30.0,
    EventKind.PROFILE: 600.0,
    EventKind.DELETION: 300.0,
    EventKind.ACCOUNT: 3600.0,
}
"""How often the public network has each at least: some 50 posts a second (domain.md, section 5)
leave room for nights and for the network's own pauses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an event stands in its stream.

    Args:
        source: the source's name.
        cursor: from which it would go on after the event.
        position: in the source's own unit.
        observed_at: when it was received, aware UTC.
        at: when the source says that it happened.
    """

    source: str
    cursor: str
    position: int
    observed_at: datetime
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a commit did to one record; nothing of it is checked.

    Args:
        action: `create`, `update` or `delete`.
        did: whose repository.
        collection: an NSID.
        rkey: the record's key.
        cid: of the record.
        record: as decoded from JSON or DAG-CBOR.
    """

    action: Any
    did: Any
    collection: Any
    rkey: Any
    cid: Any = None
    record: Any = None


def to_item(operation: Operation, origin: Origin) -> SourcedItem:
    """Make an item of one operation; never raises."""
    if operation.collection not in COLLECTIONS:
        return passed(origin)
    try:
        if operation.action == "delete":
            return _removed(operation, origin)
        if operation.action in ("create", "update"):
            return _posted(operation, origin)
    except InvalidMessageError as error:
        return rejected(origin, error.reason)
    return passed(origin)


def account_item(did: Any, account: Mapping[str, Any], origin: Origin) -> SourcedItem:
    """Make an item of an account's event: `active`, and where it is not, its `status`."""
    active, status = account.get("active"), account.get("status")
    if not fits(DID, did) or not isinstance(active, bool):
        return rejected(origin, InvalidMessageError.reason)
    if active:
        return Restored(cursor=origin.cursor, network=NETWORK, author=did, at=origin.at)
    if status is not None and status not in GONE:
        return passed(origin, EventKind.ACCOUNT)
    return Removed(
        cursor=origin.cursor,
        network=NETWORK,
        reason=f"account_{status or 'inactive'}",
        author=did,
        at=origin.at,
    )


def passed(origin: Origin, kind: EventKind = EventKind.OTHER) -> Passed:
    """Count one event with nothing to look at."""
    return Passed(cursor=origin.cursor, counts={kind: 1}, at=origin.at)


def rejected(origin: Origin, reason: str) -> Rejected:
    """Count one event that is not what it should be."""
    return Rejected(cursor=origin.cursor, reason=reason, position=origin.position)


def _removed(operation: Operation, origin: Origin) -> Removed:
    return Removed(
        cursor=origin.cursor,
        network=NETWORK,
        reason="deleted",
        post_id=post_id(operation.did, operation.collection, operation.rkey),
        author=operation.did,
        at=origin.at,
    )


def _posted(operation: Operation, origin: Origin) -> SourcedPost:
    new = to_new_post(
        did=operation.did,
        collection=operation.collection,
        rkey=operation.rkey,
        cid=operation.cid,
        record=operation.record,
    )
    post = new.to_domain(source=origin.source, observed_at=origin.observed_at, network=NETWORK)
    kind = EventKind.EDIT if operation.action == "update" else EventKind.POST
    kind = EventKind.PROFILE if operation.collection == PROFILES else kind
    return SourcedPost(post=post, cursor=origin.cursor, kind=kind, at=origin.at)
