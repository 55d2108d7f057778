"""`agents.backoff`."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from agents.backoff import Backoff


class Longest(Random):
    """Chance that never shortens a wait."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def test_waits_double_up_to_the_cap() -> None:
    backoff = Backoff(Longest(), 2.0, 60.0)
    assert [backoff.next() for _ in range(7)] == [2, 4, 8, 16, 32, 60, 60]


def test_what_worked_begins_anew() -> None:
    backoff = Backoff(Longest(), 2.0, 60.0)
    for _ in range(5):
        backoff.next()
    backoff.reset()
    assert backoff.next() == 2.0


@given(tries=st.integers(0, 2000), seed=st.integers())
def test_a_wait_is_shortened_by_half_at_most(tries: int, seed: int) -> None:
    backoff, longest = Backoff(Random(seed), 2.0, 60.0), Backoff(Longest(), 2.0, 60.0)
    for _ in range(tries):
        backoff.next()
        longest.next()
    most = longest.next()
    assert most / 2 <= backoff.next() <= most


def test_two_clients_do_not_return_at_once() -> None:
    waits = {Backoff(Random(seed), 2.0, 60.0).next() for seed in range(20)}
    assert len(waits) == 20


@given(asked=st.floats(0, 1e6))
def test_nobody_returns_before_it_was_asked_to(asked: float) -> None:
    assert Backoff(Random(1), 2.0, 60.0).next(at_least=asked) >= asked
