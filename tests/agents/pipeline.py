"""Stand-ins that the pipeline's tests share."""

import asyncio
from collections.abc import Callable, Sequence

from agents.sending import Keyed
from monitors import inbox
from monitors.database import Database
from streams.schemas import post_key
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


def a_post(
    clock: FakeClock, number: int = 1, *, media: tuple[MediaItem, ...] = (), text: str = ""
) -> Post:
    """Make a post, observed now."""
    return Post(
        key=post_key("replay", str(number)),
        source="replay",
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
