"""The demo's own instance: a fresh home, its own ports, and `haechi up` as a process of its own."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from agents.children import Child
from streams.errors import StreamError
from streams.settings import Settings, environment_of

STOP_SECONDS = 30.0
"""The launcher stops what it started in a third of that."""

_KEPT = ("models", "engine", "engine_children", "decoder_children", "sscd_file", "workers")
_UP = (sys.executable, "-m", "haechi", "up")


class LaunchError(StreamError):
    """The instance ended by itself."""

    reason = "demo_launch"


def demo_settings(base: Settings, home: Path, *, origin: str, rate: float) -> Settings:
    """Keep the user's engine, models and numbers of processes; everything else is the demo's own.

    Args:
        base: as the user has them.
        home: fresh.
        origin: of the media host, the one private origin that the fetcher may reach.
        rate: posts a second.
    """
    own = Settings.model_construct(
        home=home,
        fetch_allow=frozenset({origin}),
        fetch_attempts=2,
        fetch_retry_seconds=3.0,
        replay_file=home / "posts.jsonl",
        replay_rate=rate,
        console_port=base.console_port if _is_free(base.console_port) else 0,
        push_port=0,
        collector_port=0,
        worker_port=0,
    )
    return own.model_copy(update={name: getattr(base, name) for name in _KEPT})


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False


class Instance:
    """`haechi up` with these settings; an async context manager that stops it, whatever happens.

    Enter it in the main thread: the kernel then ends it with this process.

    Args:
        settings: see `demo_settings`.
        command: what is run instead, in tests.
    """

    def __init__(self, settings: Settings, command: Sequence[str] = _UP) -> None:
        self._settings = settings
        self._child = Child("up", command, environment_of(settings), settings.home)

    async def __aenter__(self) -> Self:
        self._child.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._child.signal(number)
            await self._ended()

    def check(self) -> None:
        """Look whether it still runs.

        Raises:
            LaunchError: it ended.
        """
        if not self._child.runs:
            why = self._child.last_words() or f"see {self._child.log}"
            raise LaunchError(f"`haechi up` ended with status {self._child.poll()}: {why}")

    def console(self) -> str | None:
        """Tell the console's address; None before it is ready."""
        try:
            state = json.loads((self._settings.run_dir / "state.json").read_text())
        except (OSError, ValueError):
            return None
        known = "console" in state["processes"]
        return f"http://127.0.0.1:{state['ports']['console']}" if state["ready"] and known else None

    async def _ended(self) -> None:
        for _ in range(int(STOP_SECONDS / 0.05)):
            if not self._child.runs:
                return
            await asyncio.sleep(0.05)
