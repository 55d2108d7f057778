"""Stop asking a host that does not answer, so that no batch waits for it.

A host that cannot be connected to is dead for everybody. A connection that broke or fell silent
may be one address's doing (a firewall that resets what looks like an attack, a slow page), and
addresses are chosen by uploaders: it takes several of those in a row, and after the cool-down the
host is asked as before. Else whoever names two such addresses hides everything on that host.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from streams.clock import Clock, SystemClock
from streams.errors import MediaUnavailableError

MAX_HOSTS = 10_000
"""Ailing hosts remembered, the latest first; an uploader can name any number of hosts."""


@dataclass(slots=True)
class _Ailing:
    failures: int = 0
    silences: int = 0
    closed_until: float = float("-inf")


@dataclass(slots=True)
class HostBreaker:
    """One process's memory of the hosts that failed last time.

    Args:
        max_failures: to connect, in a row, after which a host is left alone.
        max_silences: of connections that were made, likewise.
        cool_down_seconds: for how long; then one request may try, and the others wait on. After
            silences all may.
        clock: whose monotonic time counts.
    """

    max_failures: int = 2
    max_silences: int = 8
    cool_down_seconds: float = 60.0
    clock: Clock = field(default_factory=SystemClock)
    _hosts: OrderedDict[str, _Ailing] = field(default_factory=OrderedDict, init=False)

    def check(self, host: str) -> None:
        """Let a request pass, or raise at once.

        Raises:
            MediaUnavailableError: the host is left alone; it says for how long.
        """
        ailing = self._hosts.get(host)
        if ailing is None or not self._is_closed(ailing):
            return
        now = self.clock.monotonic()
        if now < ailing.closed_until:
            raise MediaUnavailableError(
                "the host failed repeatedly and is left alone",
                retry_after_seconds=ailing.closed_until - now,
            )
        ailing.silences = 0
        if ailing.failures >= self.max_failures:
            ailing.closed_until = now + self.cool_down_seconds

    def failed(self, host: str) -> None:
        """Count a connection that was refused or not made in time, or a name without address."""
        ailing = self._remember(host)
        ailing.failures += 1
        self._close(ailing)

    def fell_silent(self, host: str) -> None:
        """Count a connection that was made, and then broke or brought nothing in time."""
        ailing = self._remember(host)
        ailing.failures, ailing.silences = 0, ailing.silences + 1
        self._close(ailing)

    def answered(self, host: str) -> None:
        """Forget the failures: the host answered, whatever it said."""
        self._hosts.pop(host, None)

    def _remember(self, host: str) -> _Ailing:
        ailing = self._hosts.setdefault(host, _Ailing())
        self._hosts.move_to_end(host)
        if len(self._hosts) > MAX_HOSTS:
            self._hosts.popitem(last=False)
        return ailing

    def _is_closed(self, ailing: _Ailing) -> bool:
        return ailing.failures >= self.max_failures or ailing.silences >= self.max_silences

    def _close(self, ailing: _Ailing) -> None:
        if self._is_closed(ailing):
            ailing.closed_until = self.clock.monotonic() + self.cool_down_seconds
