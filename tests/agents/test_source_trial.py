"""`agents.source_trial`; what is tried is seen through `haechi source test`, too."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from agents.source_trial import Trial, Trying, try_source
from streams.errors import ConfigurationError, RateLimitedError
from streams.sources.catalogue import Adapter, Catalogue, Named
from streams.sources.config import SourceConfig
from streams.sources.source import Missed, Query, SourcedItem
from streams.types import Post
from tests.agents.pipeline import a_post
from tests.fakes import FakeClock

ADAPTER = Adapter("tests.agents.test_source_cli", "SourceConfig", "FakeSource")


def named(name: str) -> Named:
    return Named(config=SourceConfig(kind="fake", name=name), adapter=ADAPTER)


async def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    catalogue = Catalogue(streams=[named("sky")], searches=[named("ask")])
    with pytest.raises(ConfigurationError, match="there are: sky, ask"):
        await try_source(catalogue, "x", FakeClock(), Trying(seconds=1))
    with pytest.raises(ConfigurationError, match="--words"):
        await try_source(catalogue, "ask", FakeClock(), Trying(seconds=1))
    found = await try_source(catalogue, "sky", FakeClock(), Trying(seconds=1))
    assert found.worked


def test_nothing_is_no_success() -> None:
    assert not Trial().worked
    trial = Trial()
    trial.failed(RateLimitedError("wait\na while"))
    assert (trial.error, trial.detail, trial.worked) == ("rate_limited", "wait a while", False)


class Hanging:
    """Says only that it missed something, or stays silent; its own time-outs are bugs."""

    closed = 0

    def __init__(self, config: SourceConfig, *, clock: object) -> None:
        self.name = config.name

    async def posts(self, cursor: str | None) -> AsyncIterator[SourcedItem]:
        try:
            if self.name == "slow":
                raise TimeoutError
            yield Missed(cursor="1", reason="cursor_too_old")
            await asyncio.Event().wait()
        finally:
            Hanging.closed += 1

    async def search(self, query: Query) -> AsyncIterator[Post]:
        if query.words:
            raise ZeroDivisionError(query.words)
        yield a_post(FakeClock())


def hanging(name: str) -> Named:
    adapter = Adapter(__name__, "SourceConfig", "Hanging")
    return Named(config=SourceConfig(kind="fake", name=name), adapter=adapter)


async def test_a_source_that_gives_nothing_in_its_time_did_not_work_and_is_closed() -> None:
    before = Hanging.closed
    catalogue = Catalogue(streams=[hanging("still")])
    trial = await try_source(catalogue, "still", FakeClock(), Trying(seconds=0.05))
    assert (trial.worked, trial.error, dict(trial.events)) == (False, None, {})
    assert Hanging.closed == before + 1


async def test_a_time_out_of_the_adapters_own_is_not_the_end_of_the_trial() -> None:
    catalogue = Catalogue(streams=[hanging("slow")])
    trial = await try_source(catalogue, "slow", FakeClock(), Trying(seconds=5))
    assert (trial.error, trial.detail) == ("bug", "TimeoutError")


async def test_a_searchs_bug_is_named_by_its_class_alone() -> None:
    catalogue = Catalogue(searches=[hanging("ask")])
    trying = Trying(seconds=5, words="s3cret")
    trial = await try_source(catalogue, "ask", FakeClock(), trying)
    assert (trial.error, trial.detail, trial.worked) == ("bug", "ZeroDivisionError", False)
