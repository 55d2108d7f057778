"""The zygote: loads Pillow and FFmpeg once, then forks one locked child for each medium.

`python -m streams.media.zygote CONTROL KIND LIMITS... PARENT`, started by `streams.media.decoder`
alone. CONTROL is an inherited SOCK_SEQPACKET socket; a request brings the medium and the answer's
memory as two memfds; LIMITS are the four of `frames.Limits`. It ends when CONTROL closes, and its
children with it. It reads no medium itself.
"""

import gc
import heapq
import mmap
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NoReturn, cast

from streams.errors import MediaTooLargeError, SandboxError, UndecodableMediaError
from streams.media import looking, sandbox
from streams.media.frames import (
    EXIT_ALLOWED,
    EXIT_DENIED,
    EXIT_UNLOCKED,
    REPLY,
    REQUEST,
    FrameWriter,
    Limits,
    Reply,
    Request,
    Status,
    read_look,
)
from streams.media.probes import DENIED, PROBES
from streams.media.sampling import OutOfTimeError
from streams.types import Look

WALL_SHARE = 1.5
"""On a busy machine a child must stop, and say what it saw, before it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What every child is held to."""

    kind: sandbox.SandboxKind
    limits: Limits
    rules: Any


@dataclass(frozen=True, slots=True)
class Task:
    """What one child is for.

    Args:
        kind: a `Request`.
        probe: its place in the list.
        look: what to take out of the medium.
        body: the medium's memfd.
        answer: the memfd that the answer goes to.
    """

    kind: int
    probe: int
    look: Look
    body: int
    answer: int


@dataclass(slots=True)
class _Child:
    job: int
    pid: int
    timed_out: bool = False


@dataclass(slots=True)
class Zygote:
    """The loop between the parent and the children.

    Args:
        control: the parent's end is its only master.
        terms: for every child.
    """

    control: socket.socket
    terms: Terms
    _children: dict[int, _Child] = field(default_factory=dict)
    _deadlines: list[tuple[float, int]] = field(default_factory=list)
    _poll: select.poll = field(default_factory=select.poll)

    def run(self) -> None:
        """Serve until the parent is gone."""
        self._poll.register(self.control.fileno(), select.POLLIN)
        self._reply(Reply.READY, 0, 0)
        while True:
            for descriptor, _ in self._poll.poll(self._wait_ms()):
                if descriptor != self.control.fileno():
                    self._reap(descriptor)
                elif not self._take():
                    return
            self._end_overdue()

    def close(self) -> None:
        """End every child."""
        for child in self._children.values():
            os.kill(child.pid, signal.SIGKILL)

    def _wait_ms(self) -> float | None:
        if not self._deadlines:
            return None
        return max(0.0, (self._deadlines[0][0] - time.monotonic()) * 1000 + 1)

    def _take(self) -> bool:
        """Take one request; False where the parent is gone."""
        message, descriptors, _, _ = socket.recv_fds(self.control, REQUEST.size, 2)
        if not message:
            return False
        kind, job, seconds, probe, *asked = REQUEST.unpack(message)
        try:
            if kind == Request.CANCEL:
                self._kill(job)
            else:
                task = Task(kind, probe, read_look(*asked), *descriptors)
                self._fork(job, seconds, lambda: serve(self.terms, task))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _fork(self, job: int, seconds: float, serve_child: Callable[[], int]) -> None:
        pid = fork_child(serve_child)
        descriptor = os.pidfd_open(pid)
        self._children[descriptor] = _Child(job, pid)
        self._poll.register(descriptor, select.POLLIN)
        heapq.heappush(self._deadlines, (time.monotonic() + seconds, job))

    def _kill(self, job: int, *, timed_out: bool = False) -> None:
        for child in self._children.values():
            if child.job == job:
                child.timed_out = timed_out
                os.kill(child.pid, signal.SIGKILL)

    def _end_overdue(self) -> None:
        while self._deadlines and self._deadlines[0][0] <= time.monotonic():
            self._kill(heapq.heappop(self._deadlines)[1], timed_out=True)

    def _reap(self, descriptor: int) -> None:
        child = self._children.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(child.pid, 0)
        self._reply(Reply.TIMED_OUT if child.timed_out else Reply.EXITED, child.job, status)

    def _reply(self, kind: Reply, job: int, status: int) -> None:
        self.control.send(REPLY.pack(kind, job, status))


def fork_child(serve_child: Callable[[], int]) -> int:
    """Fork; the child ends with what the function returns and never comes back."""
    zygote = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_child(zygote, serve_child)
    return pid


def _be_child(zygote: int, serve_child: Callable[[], int]) -> NoReturn:
    code = 1
    try:
        sandbox.die_with_parent(zygote)
        code = serve_child()
    except SandboxError:
        code = EXIT_UNLOCKED
    finally:
        os._exit(code)


def serve(terms: Terms, task: Task) -> int:
    """Look at one medium, in a fresh child, and return the exit status.

    Raises:
        SandboxError: the child could not be locked.
    """
    medium = mmap.mmap(task.body, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    memory = memoryview(mmap.mmap(task.answer, terms.limits.capacity_bytes))
    _drop_descriptors()
    sandbox.lock(terms.kind, terms.rules)
    if task.kind == Request.PROBE:
        return _try_probe(task.probe, memory)
    body = medium[:]
    medium.close()
    _decode(terms.limits, body, task.look, memory)
    return 0


def _drop_descriptors() -> None:
    """Keep nothing but a void: what a child holds is what a hostile medium could use."""
    void = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(void, descriptor)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _try_probe(probe: int, memory: memoryview) -> int:
    try:
        PROBES[probe][1](memory)
    except PermissionError:
        return EXIT_DENIED
    return EXIT_ALLOWED


def _decode(limits: Limits, body: bytes, look: Look, memory: memoryview) -> None:
    writer = FrameWriter(memory, limits)
    for overdue in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(overdue, _out_of_time)
    try:
        summary = looking.decode(body, writer, limit_cpu=_limit_cpu, limits=limits, look=look)
        _limit_cpu(0)
        writer.finish(Status.FINE, summary)
    except UndecodableMediaError:
        writer.finish(Status.UNREADABLE)
    except MediaTooLargeError:
        writer.finish(Status.TOO_LARGE)
    except OutOfTimeError:
        writer.finish(Status.OUT_OF_TIME)
    except MemoryError:
        writer.finish(Status.OUT_OF_MEMORY)


def _limit_cpu(seconds: float) -> None:
    """Raise `OutOfTimeError` after so many seconds of CPU, or half as many again by the clock."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds * WALL_SHARE)


def _out_of_time(_signal: int, _frame: FrameType | None) -> None:
    raise OutOfTimeError


def check_sandbox(terms: Terms) -> None:
    """Have children try what must fail, before any medium is looked at.

    Raises:
        SandboxError: one of them succeeded, or could not be locked.
    """
    for place, (name, _) in enumerate(PROBES[: len(DENIED)]):
        body, answer = os.memfd_create("body"), os.memfd_create("answer")
        os.truncate(body, 1)
        os.truncate(answer, terms.limits.capacity_bytes)
        task = Task(Request.PROBE, place, Look(), body, answer)
        pid = fork_child(lambda task=task: serve(terms, task))  # type: ignore[misc]
        _, status = os.waitpid(pid, 0)
        os.close(body)
        os.close(answer)
        if os.waitstatus_to_exitcode(status) != EXIT_DENIED:
            raise SandboxError(f"the sandbox does not hold: {name}")


def main(arguments: list[str]) -> int:
    """Serve the parent; return the exit status."""
    control, kind, max_side, max_frames, video_side, max_video_frames, parent = arguments
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to handle
    if int(parent):
        sandbox.die_with_parent(int(parent))
    looking.prepare()
    terms = Terms(
        kind=cast("sandbox.SandboxKind", kind),
        limits=Limits(
            max_side=int(max_side),
            max_frames=int(max_frames),
            video_side=int(video_side),
            max_video_frames=int(max_video_frames),
        ),
        rules=sandbox.build_filter(),
    )
    check_sandbox(terms)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(control)) as master:
        zygote = Zygote(master, terms)
        try:
            zygote.run()
        except ConnectionError:
            pass  # the parent is gone
        finally:
            zygote.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
