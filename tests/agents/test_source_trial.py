"""`agents.source_trial`; what is tried is seen through `haechi source test`, too."""

import pytest

from agents.source_trial import Trial, Trying, try_source
from streams.errors import ConfigurationError, RateLimitedError
from streams.sources.catalogue import Adapter, Catalogue, Named
from streams.sources.config import SourceConfig
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
