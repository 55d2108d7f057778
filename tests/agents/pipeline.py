"""Stand-ins that the pipeline's tests share."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from agents.sending import Keyed
from monitors import inbox
from monitors.database import Database
from streams.schemas import post_key
from streams.sources.source import SourcedItem
from streams.types import MediaItem, Post
from tests.fakes import FakeClock


class Sent:
    """A `Send` that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[tuple[str, Keyed]] = []

    async def __call__(self, topic: str, records: Sequence[Keyed]) -> None:
        self.records.extend((topic, record) for record in records)

    def to(self, topic: str) -> list[Keyed]:
        """Give what was sent to one topic."""
        return [record for name, record in self.records if name == topic]


class Script:
    """A source that plays what it is told; an exception in it is raised once."""

    def __init__(
        self, *items: SourcedItem | BaseException, hangs: bool = False, name: str = "replay"
    ) -> None:
        self.name = name
        self.items = list(items)
        self.hangs = hangs
        self.resumed: list[str | None] = []
        self.closed = 0

    async def posts(self, cursor: str | None) -> AsyncIterator[SourcedItem]:
        self.resumed.append(cursor)
        try:
            for item in list(self.items):
                if isinstance(item, BaseException):
                    self.items.remove(item)
                    raise item
                if cursor is None or int(item.cursor) > int(cursor):
                    yield item
            if self.hangs:
                await asyncio.Event().wait()
        finally:
            self.closed += 1


def a_post(
    clock: FakeClock,
    number: int = 1,
    *,
    media: tuple[MediaItem, ...] = (),
    text: str = "",
    source: str = "replay",
) -> Post:
    """Make a post, observed now."""
    return Post(
        key=post_key(source, str(number)),
        source=source,
        id=str(number),
        url=f"https://host.example/{number}",
        text=text,
        media=media,
        observed_at=clock.now(),
    )


def store(database: Database, *posts: Post) -> None:
    """Put posts into the inbox."""
    with database.write() as connection:
        inbox.add(
            connection,
            [inbox.Arrival(post=post, payload=inbox.payload_of(post)) for post in posts],
        )


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds, at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - agents have no event to wait for
            await asyncio.sleep(0.02)
