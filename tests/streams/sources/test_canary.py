"""`streams.sources.canary`: what implementations there are keep to it."""

from streams.sources.at_canary import AtCanary, AtCanaryConfig
from streams.sources.canary import Canary
from streams.sources.config import Token
from tests.fakes import FakeClock


def test_the_at_protocols_canary_is_one() -> None:
    config = AtCanaryConfig(pds="https://a.example", identifier="a", password=Token())
    canary: Canary = AtCanary(config, clock=FakeClock())
    assert callable(canary.publish)
    assert callable(canary.withdraw)
