"""Stop asking a host that does not answer, so that no batch waits for it."""

from collections import OrderedDict
from dataclasses import dataclass, field

from streams.clock import Clock, SystemClock
from streams.errors import MediaUnavailableError

MAX_HOSTS = 10_000
"""Ailing hosts remembered, the latest first; an uploader can name any number of hosts."""


@dataclass(slots=True)
class _Ailing:
    failures: int = 0
    closed_until: float = float("-inf")


@dataclass(slots=True)
class HostBreaker:
    """One process's memory of the hosts that failed last time.

    Args:
        max_failures: in a row, after which a host is left alone.
        cool_down_seconds: for how long; then one request may try, and the others wait on.
        clock: whose monotonic time counts.
    """

    max_failures: int = 2
    cool_down_seconds: float = 60.0
    clock: Clock = field(default_factory=SystemClock)
    _hosts: OrderedDict[str, _Ailing] = field(default_factory=OrderedDict, init=False)

    def check(self, host: str) -> None:
        """Let a request pass, or raise at once.

        Raises:
            MediaUnavailableError: the host is left alone; it says for how long.
        """
        ailing = self._hosts.get(host)
        if ailing is None or ailing.failures < self.max_failures:
            return
        now = self.clock.monotonic()
        if now < ailing.closed_until:
            raise MediaUnavailableError(
                "the host failed repeatedly and is left alone",
                retry_after_seconds=ailing.closed_until - now,
            )
        ailing.closed_until = now + self.cool_down_seconds

    def failed(self, host: str) -> None:
        """Count a time-out, a refused or broken connection, or a name that does not resolve."""
        ailing = self._hosts.setdefault(host, _Ailing())
        self._hosts.move_to_end(host)
        ailing.failures += 1
        if ailing.failures >= self.max_failures:
            ailing.closed_until = self.clock.monotonic() + self.cool_down_seconds
        if len(self._hosts) > MAX_HOSTS:
            self._hosts.popitem(last=False)

    def answered(self, host: str) -> None:
        """Forget the failures: the host answered, whatever it said."""
        self._hosts.pop(host, None)
