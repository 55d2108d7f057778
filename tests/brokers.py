"""The embedded broker, for tests that need one."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from agents.children import die_with_parent
from streams import broker


@contextmanager
def embedded_broker() -> Iterator[str]:
    """Run one on a free port; give its URL. It may need a moment to answer."""
    port = broker.free_port()
    process = subprocess.Popen(
        broker.embedded_command(port),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent(),  # noqa: PLW1509
    )
    try:
        yield broker.embedded_url(port)
    finally:
        process.kill()
        process.wait()
