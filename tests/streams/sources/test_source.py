"""`streams.sources.source`."""

from dataclasses import fields

from streams.sources.source import Rejected


def test_what_is_rejected_says_where_and_why_and_carries_nothing_of_the_input() -> None:
    rejected = Rejected(cursor="7", reason="invalid_message", position=3)
    assert {one.name for one in fields(rejected)} == {"cursor", "reason", "position"}
