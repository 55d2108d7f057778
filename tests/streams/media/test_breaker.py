"""`streams.media.breaker`."""

from datetime import datetime

import pytest

from streams.errors import MediaUnavailableError
from streams.media import breaker
from streams.media.breaker import HostBreaker


class Hands:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        raise NotImplementedError

    def monotonic(self) -> float:
        return self.at


def is_open(hosts: HostBreaker, host: str) -> bool:
    try:
        hosts.check(host)
    except MediaUnavailableError:
        return False
    return True


def test_one_failure_stops_nobody() -> None:
    hosts = HostBreaker(clock=Hands())
    hosts.failed("a")
    assert is_open(hosts, "a")


def test_two_failures_in_a_row_stop_that_host_alone() -> None:
    hosts = HostBreaker(clock=Hands())
    hosts.failed("a")
    hosts.failed("a")
    with pytest.raises(MediaUnavailableError) as raised:
        hosts.check("a")
    assert raised.value.retry_after_seconds == 60
    assert is_open(hosts, "b")


def test_an_answer_between_two_failures_counts() -> None:
    hosts = HostBreaker(clock=Hands())
    for _ in range(5):
        hosts.failed("a")
        hosts.answered("a")
    assert is_open(hosts, "a")


def test_after_the_cool_down_one_tries_and_the_others_wait_on() -> None:
    clock = Hands()
    hosts = HostBreaker(cool_down_seconds=30, clock=clock)
    hosts.failed("a")
    hosts.failed("a")
    clock.at = 29.9
    assert not is_open(hosts, "a")
    clock.at = 30
    assert is_open(hosts, "a")
    assert not is_open(hosts, "a")
    hosts.answered("a")
    assert is_open(hosts, "a")


def test_a_trial_that_fails_stops_the_host_at_once() -> None:
    clock = Hands()
    hosts = HostBreaker(cool_down_seconds=30, clock=clock)
    hosts.failed("a")
    hosts.failed("a")
    clock.at = 31
    assert is_open(hosts, "a")
    clock.at = 40
    hosts.failed("a")
    clock.at = 69
    assert not is_open(hosts, "a")


def test_a_trial_that_is_cancelled_does_not_stop_the_host_for_ever() -> None:
    clock = Hands()
    hosts = HostBreaker(cool_down_seconds=30, clock=clock)
    hosts.failed("a")
    hosts.failed("a")
    clock.at = 31
    assert is_open(hosts, "a")
    clock.at = 62
    assert is_open(hosts, "a")


def test_a_silence_after_a_trials_connection_opens_a_host_again() -> None:
    clock = Hands()
    hosts = HostBreaker(cool_down_seconds=30, clock=clock)
    hosts.failed("a")
    hosts.failed("a")
    clock.at = 31
    assert is_open(hosts, "a")
    hosts.fell_silent("a")
    assert is_open(hosts, "a")


def test_hosts_that_an_uploader_invents_do_not_fill_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker, "MAX_HOSTS", 10)
    hosts = HostBreaker(clock=Hands())
    for number in range(100):
        hosts.failed(str(number))
    assert len(hosts._hosts) == 10
    hosts.failed("99")
    assert not is_open(hosts, "99")
