"""The zygote: loads Pillow once, then forks one locked child for each medium.

`python -m streams.media.zygote CONTROL KIND MAX_SIDE MAX_FRAMES PARENT`, started by
`streams.media.decoder` alone. CONTROL is an inherited SOCK_SEQPACKET socket; a request brings the
medium and the answer's memory as two memfds. It ends when CONTROL closes, and its children with
it. It reads no medium itself.
"""

import gc
import heapq
import mmap
import os
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
from streams.media import pictures, sandbox
from streams.media.frames import (
    EXIT_ALLOWED,
    EXIT_DENIED,
    EXIT_UNLOCKED,
    REPLY,
    REQUEST,
    FrameWriter,
    Reply,
    Request,
    Status,
    capacity_bytes,
)
from streams.media.probes import DENIED, PROBES


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What every child is held to."""

    kind: sandbox.SandboxKind
    max_side: int
    max_frames: int
    rules: Any


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
        kind, job, seconds, probe = REQUEST.unpack(message)
        try:
            if kind == Request.CANCEL:
                self._kill(job)
            else:
                body, answer = descriptors
                self._fork(job, seconds, lambda: serve(self.terms, kind, probe, body, answer))
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


def serve(terms: Terms, kind: int, probe: int, body: int, answer: int) -> int:
    """Look at one medium, in a fresh child, and return the exit status.

    Raises:
        SandboxError: the child could not be locked.
    """
    capacity = capacity_bytes(terms.max_side, terms.max_frames)
    medium = mmap.mmap(body, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    memory = memoryview(mmap.mmap(answer, capacity))
    _drop_descriptors()
    sandbox.lock(terms.kind, terms.rules)
    if kind == Request.PROBE:
        return _try_probe(probe, memory)
    _decode(terms, medium[:], memory)
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


def _decode(terms: Terms, body: bytes, memory: memoryview) -> None:
    writer = FrameWriter(memory, terms.max_frames)
    signal.signal(signal.SIGPROF, _out_of_time)
    try:
        name, count = pictures.decode(
            body,
            writer,
            max_side=terms.max_side,
            max_frames=terms.max_frames,
            limit_cpu=lambda seconds: cast("None", signal.setitimer(signal.ITIMER_PROF, seconds)),
        )
        writer.finish(Status.FINE, name, count)
    except UndecodableMediaError:
        writer.finish(Status.UNREADABLE)
    except MediaTooLargeError:
        writer.finish(Status.TOO_LARGE)
    except pictures.OutOfTimeError:
        writer.finish(Status.OUT_OF_TIME)
    except MemoryError:
        writer.finish(Status.OUT_OF_MEMORY)


def _out_of_time(_signal: int, _frame: FrameType | None) -> None:
    raise pictures.OutOfTimeError


def check_sandbox(terms: Terms) -> None:
    """Have children try what must fail, before any medium is looked at.

    Raises:
        SandboxError: one of them succeeded, or could not be locked.
    """
    for place, (name, _) in enumerate(PROBES[: len(DENIED)]):
        body, answer = os.memfd_create("body"), os.memfd_create("answer")
        os.truncate(body, 1)
        os.truncate(answer, capacity_bytes(terms.max_side, terms.max_frames))
        pid = fork_child(lambda p=place, b=body, a=answer: serve(terms, Request.PROBE, p, b, a))  # type: ignore[misc]
        _, status = os.waitpid(pid, 0)
        os.close(body)
        os.close(answer)
        if os.waitstatus_to_exitcode(status) != EXIT_DENIED:
            raise SandboxError(f"the sandbox does not hold: {name}")


def main(arguments: list[str]) -> int:
    """Serve the parent; return the exit status."""
    control, kind, max_side, max_frames, parent = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to handle
    if int(parent):
        sandbox.die_with_parent(int(parent))
    pictures.prepare()
    pictures.warm_up()
    terms = Terms(
        kind=cast("sandbox.SandboxKind", kind),
        max_side=int(max_side),
        max_frames=int(max_frames),
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
