"""Waits that grow, with jitter, so that many clients do not return at once."""

from random import Random


class Backoff:
    """Gives the wait before each further try: it doubles up to a cap, less up to half by chance.

    Args:
        random: the jitter.
        first_seconds: the longest first wait.
        most_seconds: the cap.
    """

    def __init__(self, random: Random, first_seconds: float, most_seconds: float) -> None:
        self._random = random
        self._first = first_seconds
        self._most = most_seconds
        self._tries = 0

    def next(self, *, at_least: float = 0.0) -> float:
        """Give the next wait, in seconds; never less than somebody asked for."""
        longest = min(self._most, self._first * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return max(at_least, longest * self._random.uniform(0.5, 1.0))

    def reset(self) -> None:
        """Begin anew: it worked."""
        self._tries = 0
