"""A canary of the AT Protocol: a post by an account of the operator's own, and who sends it."""

import secrets
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from streams.clock import Clock
from streams.errors import SourceError
from streams.sources.answers import ServiceUrl
from streams.sources.at_events import EXPECTED_SECONDS
from streams.sources.at_records import POSTS
from streams.sources.at_session import Account, AtSession
from streams.sources.canary import Canary
from streams.sources.config import Seconds, SourceConfig, Token
from streams.sources.source import EventKind

TEXT = "This is a test of a monitoring service; it is deleted in a moment. {token}"
RKEY_CHARACTERS = 512


class AtCanaryConfig(BaseModel):
    """The account that posts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pds: ServiceUrl = Field(description="https://HOST of the account's server.")
    identifier: str = Field(min_length=1, description="The account's handle or DID.")
    password: Token = Field(description="An app password of the account.")


class AtStreamConfig(SourceConfig):
    """What both streams of the AT Protocol have: what they must give, and a canary."""

    expect_seconds: Mapping[EventKind, Seconds] = Field(
        default=EXPECTED_SECONDS,
        description="Kinds of event that must come at least so often, or are missing.",
    )
    canary: AtCanaryConfig | None = None

    def build_canary(self, clock: Clock) -> Canary | None:
        return None if self.canary is None else AtCanary(self.canary, clock=clock)


class AtCanary:
    """Publishes and deletes posts. A `Canary`.

    Args:
        config: the account.
        clock: gives the posts' dates.
    """

    def __init__(self, config: AtCanaryConfig, *, clock: Clock) -> None:
        account = Account(identifier=config.identifier, password=config.password)
        self._session = AtSession(config.pds, account, clock=clock)
        self._clock = clock

    async def publish(self) -> str:
        record = {
            "$type": POSTS,
            "text": TEXT.format(token=secrets.token_hex(8)),
            "langs": ["en"],
            "createdAt": self._clock.now().isoformat(timespec="milliseconds"),
        }
        content = {"repo": await self._session.did(), "collection": POSTS, "record": record}
        answer = await self._session.post("com.atproto.repo.createRecord", content)
        uri = answer.get("uri")
        if not isinstance(uri, str):
            raise SourceError("an answer without a name")
        return uri

    async def withdraw(self, post_id: str) -> None:
        content = {
            "repo": await self._session.did(),
            "collection": POSTS,
            "rkey": post_id.rpartition("/")[2][:RKEY_CHARACTERS],
        }
        await self._session.post("com.atproto.repo.deleteRecord", content)
