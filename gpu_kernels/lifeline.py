"""A child process that ends with its parent, however the parent ends."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
"""linux/prctl.h"""


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process with the thread that started it.

    Args:
        parent: the parent's pid; where it is gone already, this ends at once.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
