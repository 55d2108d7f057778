"""`gpu_kernels.privacy`, in processes of their own: there is no way back."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROCESS = """
import ctypes, resource
from pathlib import Path
from gpu_kernels.privacy import gain_no_privileges, leave_no_core
leave_no_core()
gain_no_privileges()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
print("NoNewPrivs:\\t1" in Path("/proc/self/status").read_text())
"""


def test_a_private_process_leaves_no_core_and_gains_nothing() -> None:
    command = [sys.executable, "-c", PROCESS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["(0, 0) 0", "True"]
