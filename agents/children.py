"""Child processes of the launcher: they log to a file, and die with it, however it dies."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

_PR_SET_PDEATHSIG = 1
MAX_LOG_BYTES = 20 * 2**20
"""A log larger than this becomes `<name>.log.1` at the next start of its process."""


def die_with_parent() -> Callable[[], None]:
    """Make a `preexec_fn`: the kernel kills the child when the thread that started it ends.

    So children are started from the main thread, which ends with the process.
    """
    libc, parent = ctypes.CDLL(None), os.getpid()

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return prepare


class Child:
    """One process, started again as often as asked.

    Args:
        name: of its log file.
        command: its command line.
        environment: all of it.
        logs: directory of the log files.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], logs: Path
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = dict(environment)
        self._log = logs / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs, or until its end was seen."""
        return None if self._process is None else self._process.pid

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self._log

    def start(self) -> None:
        """Start it, from the main thread."""
        with self._output() as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command lines
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches the launcher alone
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - it only makes system calls
            )

    def poll(self) -> int | None:
        """Give its exit status once it has ended; None while it runs, or before its start."""
        return None if self._process is None else self._process.poll()

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def memory_bytes(self) -> int:
        """Tell its resident memory; 0 where it does not run."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if it runs."""
        if self._process is not None and self.runs:
            self._process.send_signal(number)

    def last_words(self) -> str:
        """Give the last line of its log that is not a log record, for a message to the user."""
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        plain = [line for line in lines[-50:] if line.startswith("haechi: ")]
        return plain[-1].removeprefix("haechi: ") if plain else ""

    def _output(self) -> BinaryIO:
        """Open the log, setting a long one apart; on a full disk the process runs without."""
        try:
            if self._log.exists() and self._log.stat().st_size > MAX_LOG_BYTES:
                self._log.replace(self._log.with_suffix(".log.1"))
            self._log.touch(mode=0o600, exist_ok=True)
            return self._log.open("ab")
        except OSError:
            return Path(os.devnull).open("ab")
