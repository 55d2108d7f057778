"""What hostile media would try. Run inside a locked child, to see that it gets nowhere.

The zygote runs `DENIED` once at its start; tests run them all. Names come from this list only.
"""

import ctypes
import mmap
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from streams.media.frames import EXIT_UNLOCKED

Probe = Callable[[memoryview], None]


def _read_file(_answer: memoryview) -> None:
    Path("/etc/passwd").read_bytes()


def _write_file(_answer: memoryview) -> None:
    Path("/tmp/haechi-probe").write_bytes(b"x")  # noqa: S108 - must fail


def _list_directory(_answer: memoryview) -> None:
    os.listdir("/")  # noqa: PTH208 - the plain call is the probe


def _look_at_file(_answer: memoryview) -> None:
    os.stat("/etc/passwd")  # noqa: PTH116 - the plain call is the probe


def _open_socket(_answer: memoryview) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def _open_unix_socket(_answer: memoryview) -> None:
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def _execute(_answer: memoryview) -> None:
    os.execv("/bin/true", ["/bin/true"])  # noqa: S606 - must fail


def _fork(_answer: memoryview) -> None:
    if os.fork() == 0:
        os._exit(0)


def _signal_zygote(_answer: memoryview) -> None:
    os.kill(1, 0)


def _trace(_answer: memoryview) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def _mount(_answer: memoryview) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def _make_memory_file(_answer: memoryview) -> None:
    os.memfd_create("probe")


def _map_executable(_answer: memoryview) -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


def _use_inherited(_answer: memoryview) -> None:
    for descriptor in range(3, 64):
        try:
            os.lseek(descriptor, 0, os.SEEK_CUR)
        except OSError as error:
            if error.errno != 9:  # EBADF: not open, as it should be
                return
        else:
            return
    raise PermissionError("no descriptor was left open")


def _sleep(_answer: memoryview) -> None:
    time.sleep(3600)


def _spin(_answer: memoryview) -> None:
    while True:
        pass


def _eat_memory(_answer: memoryview) -> None:
    eaten = []
    while True:
        eaten.append(bytearray(2**26))


def _crash(_answer: memoryview) -> None:
    ctypes.string_at(0)


def _stop(_answer: memoryview) -> None:
    signal.raise_signal(signal.SIGSTOP)


def _forge(answer: memoryview) -> None:
    answer[:] = b"\xff" * len(answer)
    os._exit(0)


def _claim_unlocked(_answer: memoryview) -> None:
    os._exit(EXIT_UNLOCKED)


DENIED: dict[str, Probe] = {
    "read_file": _read_file,
    "write_file": _write_file,
    "list_directory": _list_directory,
    "look_at_file": _look_at_file,
    "open_socket": _open_socket,
    "open_unix_socket": _open_unix_socket,
    "execute": _execute,
    "fork": _fork,
    "signal_zygote": _signal_zygote,
    "trace": _trace,
    "mount": _mount,
    "make_memory_file": _make_memory_file,
    "map_executable": _map_executable,
    "use_inherited": _use_inherited,
    "stop": _stop,
}
"""Each must end in a PermissionError."""

HOSTILE: dict[str, Probe] = {
    "sleep": _sleep,
    "spin": _spin,
    "eat_memory": _eat_memory,
    "crash": _crash,
    "forge": _forge,
    "claim_unlocked": _claim_unlocked,
}
"""Allowed to try, and ended by a limit or by what the parent checks."""

PROBES: tuple[tuple[str, Probe], ...] = (*DENIED.items(), *HOSTILE.items())
"""A request names a probe by its place here."""
