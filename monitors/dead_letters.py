"""Dead letters in the database: where a message stands and why; never its payload."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitors.tables import dead_letters

SOURCE_EPOCH = "source"
"""The epoch of what never became a message: a source's own positions do not restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message set aside.

    Args:
        epoch: the consumer group that read it, or `SOURCE_EPOCH`.
        topic: where it stands; `source:<name>` for a source's own input.
        partition: likewise.
        offset: likewise; a source's own position.
        agent: who gave it up.
        reason: a `StreamError`'s, or `bug`.
        error: the error's class.
    """

    epoch: str
    topic: str
    partition: int
    offset: int
    agent: str
    reason: str
    error: str


def record(connection: Connection, letter: DeadLetter, now: datetime) -> bool:
    """Write a dead letter once; say whether it is new."""
    known = sa.select(dead_letters.c.id).where(
        dead_letters.c.epoch == letter.epoch,
        dead_letters.c.topic == letter.topic,
        dead_letters.c.partition == letter.partition,
        dead_letters.c.record_offset == letter.offset,
        dead_letters.c.agent == letter.agent,
    )
    if connection.execute(known).first() is not None:
        return False
    connection.execute(
        sa.insert(dead_letters).values(
            epoch=letter.epoch,
            topic=letter.topic,
            partition=letter.partition,
            record_offset=letter.offset,
            agent=letter.agent,
            reason=letter.reason,
            error=letter.error,
            at=now,
        )
    )
    return True
