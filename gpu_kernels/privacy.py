"""What a process asks of the kernel that holds frames of strangers and of victims in its memory."""

import ctypes
import resource

_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
"""linux/prctl.h"""


def leave_no_core() -> None:
    """Have a crash write this process's memory nowhere, and no process of the same user read it.

    The limit alone does not stop a kernel that pipes cores into a program (`core_pattern`): of a
    process that is not dumpable it writes none. A program that this one starts inherits the limit
    alone. There is no way back for who is not root.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def gain_no_privileges() -> None:
    """Give up what a set-user-ID program would give, for this process and all that it starts."""
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
