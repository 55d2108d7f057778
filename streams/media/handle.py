"""One zygote, seen from its parent: started, asked, replaced by its owner when it is gone."""

import asyncio
import dataclasses
import itertools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from streams.errors import SandboxError
from streams.media import sandbox
from streams.media.frames import REPLY, Limits, Reply, Request, pack_request
from streams.types import Look

ROOT = Path(__file__).parents[2]
"""What the zygote imports `streams` from."""

START_SECONDS = 30.0
"""For loading Pillow and FFmpeg and trying the sandbox; 0.7 s on an idle machine."""

EXIT_SECONDS = 5.0


class ZygoteGoneError(Exception):
    """The zygote ended before it answered; never leaves this package."""


class ZygoteHandle:
    """A running zygote. One event loop; `run` may be called by several tasks at once.

    Args:
        kind: "landlock" or "bubblewrap".
        limits: of every answer.
    """

    def __init__(self, kind: sandbox.SandboxKind, limits: Limits) -> None:
        self._kind = kind
        self._limits = limits
        self._jobs: dict[int, asyncio.Future[tuple[Reply, int]]] = {}
        self._numbers = itertools.count(1)
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process, or bubblewrap around it; None where there is none."""
        return self._process.pid if self._process else None

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._control is not None

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._jobs

    async def start(self) -> None:
        """Start the process and wait until it has tried its sandbox.

        Raises:
            SandboxError: it ended instead; its standard error says why.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - quick; must be this thread's
                self._command(theirs.fileno()),
                env={"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                cwd="/",
            )
        ours.setblocking(False)
        self._control = ours
        ready = self._expect(0)
        asyncio.get_running_loop().add_reader(ours.fileno(), self._listen)
        try:
            async with asyncio.timeout(START_SECONDS):
                await ready
        except (ZygoteGoneError, TimeoutError):
            await self.close()
            raise SandboxError("the decoder's zygote did not start") from None
        except asyncio.CancelledError:
            await self.close()
            raise

    def _command(self, control: int) -> list[str]:
        # The kernel's "parent" is the thread that forked: another thread may end before the process
        is_main = threading.current_thread() is threading.main_thread()
        wrapped = self._kind == "bubblewrap"  # has a parent of its own, and dies with ours
        parent = os.getpid() if is_main and not wrapped else 0
        numbers = (control, self._kind, *dataclasses.astuple(self._limits), parent)
        command = [sys.executable, "-m", "streams.media.zygote", *map(str, numbers)]
        return sandbox.wrap_command(command, ROOT) if wrapped else command

    async def run(
        self,
        request: Request,
        descriptors: Sequence[int],
        seconds: float,
        *,
        probe: int = 0,
        look: Look | None = None,
    ) -> tuple[Reply, int]:
        """Have one child work; it is killed where this call is cancelled.

        Args:
            request: `DECODE` or `PROBE`.
            descriptors: the medium's and the answer's memfd; may be closed afterwards.
            seconds: wall time after which the child is killed.
            probe: its place in the list.
            look: what to take out of the medium.

        Returns:
            `EXITED` or `TIMED_OUT`, and the child's wait status; the child is gone.

        Raises:
            ZygoteGoneError: the zygote ended before it answered.
            ValueError: the look asks for what no medium has.
        """
        if self._control is None:
            raise ZygoteGoneError
        job = next(self._numbers)
        message = pack_request(request, job, seconds, probe, look)
        answer = self._expect(job)
        try:
            socket.send_fds(self._control, [message], list(descriptors))
            return await answer
        except OSError:
            self._lose()
            raise ZygoteGoneError from None
        finally:
            if self._jobs.pop(job, None) is not None:  # unanswered: cancelled or failed
                self._cancel(job)

    def _expect(self, job: int) -> asyncio.Future[tuple[Reply, int]]:
        answer: asyncio.Future[tuple[Reply, int]] = asyncio.get_running_loop().create_future()
        self._jobs[job] = answer
        return answer

    def _cancel(self, job: int) -> None:
        if self._control is None:
            return
        try:
            self._control.send(pack_request(Request.CANCEL, job))
        except OSError:
            self._lose()

    def _listen(self) -> None:
        while self._control is not None:
            try:
                message = self._control.recv(REPLY.size)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._lose()
                return
            kind, job, status = REPLY.unpack(message)
            answer = self._jobs.pop(job, None)
            if answer is not None and not answer.done():
                answer.set_result((Reply(kind), status))

    def _lose(self) -> None:
        """Let go of the zygote: it ends, and everybody who waited is told."""
        if self._control is None:
            return
        asyncio.get_running_loop().remove_reader(self._control.fileno())
        self._control.close()
        self._control = None
        for answer in self._jobs.values():
            if not answer.done():
                answer.set_exception(ZygoteGoneError())
        self._jobs.clear()

    def kill(self) -> None:
        """End the zygote now; its children end with it."""
        if self._process is not None:
            self._process.kill()
        self._lose()

    async def close(self) -> None:
        """End the zygote and wait for it. A second call does nothing."""
        self._lose()
        process, self._process = self._process, None
        if process is None:
            return
        try:
            await asyncio.to_thread(process.wait, EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)
