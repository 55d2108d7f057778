"""Lock the calling process for ever: it may compute, and answer through memory it already has.

Landlock takes the file system away, seccomp every system call that computing does not need,
limits bound memory and CPU (`research/ops.md`, 5b). Where the kernel has no Landlock, the process
that forks the locked children lives in bubblewrap's namespaces instead.
"""

import ctypes
import importlib
import os
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from streams.errors import SandboxError

SandboxKind = Literal["landlock", "bubblewrap", "none"]

MEMORY_BYTES = 5 * 2**28
"""Address space of one child, 1.25 GiB. Of twelve kinds of pictures of up to 50 million pixels none
needed more than 0.75 GiB beside the interpreter and the file (measured, Pillow 13.0); interpreter
and libraries take 0.15, FFmpeg's among them 0.10, the answer's room 0.13, the file up to 0.13."""

CPU_SECONDS = 15
OPEN_FILES = 64

ALLOWED_CALLS = (
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "exit",
    "exit_group",
    "futex",
    "getitimer",
    "getpid",
    "getrandom",
    "getrusage",
    "gettid",
    "gettimeofday",
    "lseek",
    "madvise",
    "mremap",
    "munmap",
    "nanosleep",
    "read",
    "restart_syscall",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "setitimer",
    "write",
)
"""What Python, Pillow and FFmpeg on one thread need to compute; all else fails with EPERM."""

MEMORY_CALLS = ("mmap", "mprotect")
"""Allowed where the pages are not to be executed."""

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38

LANDLOCK_CREATE_RULESET = 444
LANDLOCK_RESTRICT_SELF = 446
"""One number on every architecture (Linux 5.13)."""
LANDLOCK_VERSION_FLAG = 1

LANDLOCK_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""ABI to the number of file-system rights it knows; all are handled, so all are denied."""

READ_ONLY_PATHS = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/sbin",
    "/etc/alternatives",
    "/etc/ld.so.cache",
)
"""The system's programs and libraries; pyseccomp finds its own with /sbin/ldconfig."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxStatus:
    """What this machine offers.

    Args:
        kind: the best sandbox that works here.
        detail: in words, with the cure where there is none.
    """

    kind: SandboxKind
    detail: str


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def landlock_abi() -> int:
    """Tell the kernel's Landlock version; 0 where it has none, or it is switched off."""
    return max(0, int(_libc().syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION_FLAG)))


def load_seccomp() -> Any:
    """Load the binding of libseccomp.

    Raises:
        SandboxError: the library is not installed.
    """
    try:
        return importlib.import_module("pyseccomp")
    except (ImportError, RuntimeError, OSError) as error:
        raise SandboxError("libseccomp is missing: apt-get install libseccomp2") from error


def sandbox_status() -> SandboxStatus:
    """Find the best sandbox of this machine; nothing is decoded without one."""
    try:
        load_seccomp()
    except SandboxError as error:
        return SandboxStatus(kind="none", detail=str(error))
    abi = landlock_abi()
    if abi > 0:
        return SandboxStatus(kind="landlock", detail=f"Landlock ABI {abi} and seccomp")
    if bubblewrap_works():
        return SandboxStatus(kind="bubblewrap", detail="no Landlock; bubblewrap and seccomp")
    return SandboxStatus(
        kind="none",
        detail="no Landlock (Linux 5.13 or later, lsm=landlock) and no working bubblewrap "
        "(apt-get install bubblewrap, with unprivileged user namespaces)",
    )


def bubblewrap_works() -> bool:
    """Try it: the program may be there and user namespaces forbidden."""
    program = shutil.which("bwrap")
    if program is None:
        return False
    command = [program, "--unshare-all", "--ro-bind", "/", "/", "true"]
    try:
        tried = subprocess.run(command, capture_output=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


def wrap_command(command: list[str], root: Path) -> list[str]:
    """Put a Python command into namespaces that show the interpreter and `root/streams` alone.

    Raises:
        SandboxError: bubblewrap is not installed.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxError("bubblewrap is missing: apt-get install bubblewrap")
    wrapped = [program, "--unshare-all", "--die-with-parent", "--new-session"]
    wrapped += ["--cap-drop", "ALL", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 - its own
    seen = [*READ_ONLY_PATHS, sys.base_prefix, sys.prefix, str(root / "streams")]
    for path in dict.fromkeys(seen):
        wrapped += ["--ro-bind-try", path, path]
    return [*wrapped, "--", *command]


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it is gone.

    Args:
        parent: the process that must still be the parent.

    Raises:
        SandboxError: it is gone already.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SandboxError("the parent is gone")


def build_filter() -> Any:
    """Build the seccomp filter once; each child loads it.

    Raises:
        SandboxError: libseccomp is missing.
    """
    seccomp = load_seccomp()
    rules = seccomp.SyscallFilter(seccomp.ERRNO(1))  # EPERM
    for call in ALLOWED_CALLS:
        rules.add_rule(seccomp.ALLOW, call)
    for call in MEMORY_CALLS:
        not_executable = seccomp.Arg(2, seccomp.MASKED_EQ, 4, 0)  # PROT_EXEC is 4
        rules.add_rule(seccomp.ALLOW, call, not_executable)
    return rules


def lock(kind: SandboxKind, rules: Any) -> None:
    """Lock this process; there is no way back.

    Args:
        kind: "landlock" takes the file system away; in "bubblewrap" it is gone already.
        rules: from `build_filter`.

    Raises:
        SandboxError: the kernel refused; nothing must be decoded.
    """
    set_limits()
    _prctl(PR_SET_DUMPABLE, 0)  # no core for a program of `core_pattern` either
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    if kind == "landlock":
        forbid_files()
    elif kind != "bubblewrap":
        raise SandboxError("no sandbox")
    try:
        rules.load()
    except OSError as error:
        raise SandboxError("the kernel takes no seccomp filter") from error


def set_limits() -> None:
    """Bound memory, CPU and descriptors; no file grows, and a crash leaves no core behind."""
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def forbid_files() -> None:
    """Deny every file, and what else this kernel's Landlock knows; needs no new privileges set.

    Raises:
        SandboxError: the kernel refused.
    """
    abi = landlock_abi()
    if abi < 1:
        raise SandboxError("the kernel has no Landlock")
    rights = LANDLOCK_FILE_RIGHTS[min(abi, max(LANDLOCK_FILE_RIGHTS))]
    ruleset = _Ruleset((1 << rights) - 1, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    descriptor = _libc().syscall(LANDLOCK_CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    if descriptor < 0:
        raise SandboxError(f"Landlock: {os.strerror(ctypes.get_errno())}")
    locked = _libc().syscall(LANDLOCK_RESTRICT_SELF, descriptor, 0)
    os.close(descriptor)
    if locked != 0:
        raise SandboxError(f"Landlock: {os.strerror(ctypes.get_errno())}")


def _prctl(option: int, value: int) -> None:
    if _libc().prctl(option, value, 0, 0, 0) != 0:
        raise SandboxError(f"prctl {option}: {os.strerror(ctypes.get_errno())}")
