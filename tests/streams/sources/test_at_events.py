"""`streams.sources.at_events`."""

from datetime import UTC, datetime
from typing import Any

import pytest

from streams.schemas import post_key
from streams.sources.at_events import (
    Operation,
    Origin,
    account_item,
    to_item,
)
from streams.sources.at_records import POSTS, PROFILES
from streams.sources.source import (
    EventKind,
    Passed,
    Rejected,
    Removed,
    Restored,
    SourcedItem,
    SourcedPost,
)

DID = "did:plc:abcdefghijklmnopqrstuvwx"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
CID = "bafyreifabvdg2r6gy3nutqoxnqkrglfkcpwq2qfhiz2mb4dxulnpkjhaxa"


def origin(number: int = 7) -> Origin:
    return Origin(source="sky", cursor=str(number), position=number, observed_at=NOW, at=NOW)


def operate(action: Any, collection: Any = POSTS, record: Any = None, **other: Any) -> SourcedItem:
    where = {"did": DID, "rkey": "3mabc", "cid": CID} | other
    return to_item(
        Operation(action=action, collection=collection, record=record, **where), origin()
    )


@pytest.mark.parametrize(
    ("action", "collection", "kind"),
    [
        ("create", POSTS, EventKind.POST),
        ("update", POSTS, EventKind.EDIT),
        ("create", PROFILES, EventKind.PROFILE),
        ("update", PROFILES, EventKind.PROFILE),
    ],
)
def test_posts_edits_and_profiles_are_told_apart(
    action: str, collection: str, kind: EventKind
) -> None:
    item = operate(action, collection, {"text": "x"})
    assert isinstance(item, SourcedPost)
    assert (item.kind, item.cursor, item.at) == (kind, "7", NOW)
    assert (item.post.source, item.post.network) == ("sky", "atproto")
    assert item.post.key == post_key("atproto", f"at://{DID}/{collection}/3mabc", CID)


def test_a_deletion_names_the_post_and_its_author() -> None:
    item = operate("delete", cid=None)
    assert isinstance(item, Removed)
    assert (item.post_id, item.author) == (f"at://{DID}/{POSTS}/3mabc", DID)
    assert (item.reason, item.kind) == ("deleted", EventKind.DELETION)


@pytest.mark.parametrize(
    ("action", "collection"),
    [("create", "app.bsky.feed.like"), ("delete", None), ("create", []), ("squash", POSTS),
     ([], POSTS)],
)  # fmt: skip
def test_what_is_not_looked_at_is_counted(action: Any, collection: Any) -> None:
    assert operate(action, collection) == Passed(cursor="7", counts={EventKind.OTHER: 1}, at=NOW)


@pytest.mark.parametrize(("action", "other"), [("create", {}), ("delete", {"rkey": 7})])
def test_what_is_malformed_is_rejected_where_it_stands(action: str, other: dict[str, Any]) -> None:
    rejected = Rejected(cursor="7", reason="invalid_message", position=7)
    assert operate(action, **other) == rejected


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ({"active": False, "status": "takendown"}, "account_takendown"),
        ({"active": False, "status": "deleted"}, "account_deleted"),
        ({"active": False, "status": "deactivated"}, "account_deactivated"),
        ({"active": False}, "account_inactive"),
    ],
)
def test_an_account_that_ends_takes_all_its_posts_along(
    account: dict[str, Any], reason: str
) -> None:
    item = account_item(DID, account, origin())
    assert isinstance(item, Removed)
    assert (item.author, item.post_id, item.reason) == (DID, None, reason)
    assert item.kind is EventKind.ACCOUNT


@pytest.mark.parametrize("status", ["desynchronized", "throttled", "new", ["x"], 7])
def test_a_relays_trouble_is_no_removal(status: Any) -> None:
    item = account_item(DID, {"active": False, "status": status}, origin())
    assert item == Passed(cursor="7", counts={EventKind.ACCOUNT: 1}, at=NOW)


def test_an_account_comes_back() -> None:
    item = account_item(DID, {"active": True}, origin())
    assert item == Restored(cursor="7", network="atproto", author=DID, at=NOW)


@pytest.mark.parametrize(("did", "active"), [(DID, "no"), (DID, None), ("x", True), (None, False)])
def test_an_account_event_that_says_nothing_is_rejected(did: Any, active: Any) -> None:
    assert isinstance(account_item(did, {"active": active}, origin()), Rejected)
