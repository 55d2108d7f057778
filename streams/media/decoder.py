"""Bytes in, frames and sound out, through a locked child for each medium; see `docs/media.md`."""

import asyncio
import fcntl
import mmap
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from streams.errors import (
    DecoderCrashedError,
    MediaTooLargeError,
    SandboxError,
    UndecodableMediaError,
)
from streams.media.frames import (
    EXIT_UNLOCKED,
    Limits,
    Reply,
    Request,
    parse_frames,
)
from streams.media.handle import ZygoteGoneError, ZygoteHandle
from streams.media.probes import PROBES
from streams.media.sandbox import SandboxKind, sandbox_status
from streams.types import DecodedMedia, Look

MAX_BODY_BYTES = 64 * 2**20
"""Of one medium: four minutes of video at 2 Mbit/s."""

ATTEMPTS = 2
"""A medium whose child or zygote was killed is tried once more: somebody else may have done it."""

GRACE_SECONDS = 5.0
"""After its time, how long a zygote may take to say that the child is dead."""

ALL = Look()
"""One frame a second from the start, no sound."""

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
"""A memfd that shrinks under its reader kills the reader."""


class Decoder(Protocol):
    """Bytes to frames and sound."""

    async def decode(self, body: bytes, look: Look = ALL) -> DecodedMedia:
        """Decode one medium, or a part of it.

        What the caps left out is told by `looked_until_seconds`: a look that starts there goes on.

        Raises:
            ValueError: the look asks for what no medium has.
            UndecodableMediaError: no decoder accepts these bytes.
            DecoderCrashedError: killed its decoder, or ran over its time or memory.
            MediaTooLargeError: more bytes or pixels than allowed.
            SandboxError: nothing is decoded on this machine.
        """
        ...


class _KilledError(Exception):
    """The child was killed, by its medium or by somebody else, or says that it is not locked."""


class SandboxedDecoder:
    """A zygote and up to `workers` children. One event loop; safe for any number of its tasks.

    Best started from the main thread: then the kernel ends the zygote with this process at once.
    Otherwise it ends when it sees its control socket close.

    Args:
        workers: media decoded at once.
        limits: sides, in pixels, and numbers of frames of one answer.
        timeout_seconds: wall time of one medium.
        kind: the sandbox; the best of this machine where None.
    """

    def __init__(
        self,
        workers: int = 2,
        timeout_seconds: float = 20.0,
        *,
        limits: Limits | None = None,
        kind: SandboxKind | None = None,
    ) -> None:
        self._slots = asyncio.Semaphore(workers)
        self._starting = asyncio.Lock()
        self._limits = limits or Limits()
        self._timeout_seconds = timeout_seconds
        self._kind = kind
        self._zygote: ZygoteHandle | None = None
        self._replaced: set[ZygoteHandle] = set()
        self._closed = False

    async def start(self) -> None:
        """Start the zygote, so that the first medium does not wait for it.

        Raises:
            SandboxError: this machine has no sandbox, or it does not hold.
        """
        self._closed = False
        await self._get_zygote()

    async def close(self) -> None:
        """End the zygote and every child; what is being decoded fails."""
        self._closed = True
        async with self._starting:
            zygotes = [*self._replaced, *([self._zygote] if self._zygote else [])]
            self._replaced, self._zygote = set(), None
            for zygote in zygotes:
                await zygote.close()

    @property
    def zygote_pid(self) -> int | None:
        """The zygote's process, for supervision; None where none runs."""
        return self._zygote.pid if self._zygote else None

    async def decode(self, body: bytes, look: Look = ALL) -> DecodedMedia:
        if not body:
            raise UndecodableMediaError("no bytes")
        if len(body) > MAX_BODY_BYTES:
            raise MediaTooLargeError(f"more than {MAX_BODY_BYTES} bytes")
        async with self._slots:
            for _ in range(ATTEMPTS):
                try:
                    return await self._decode_once(body, look)
                except _KilledError:
                    continue
        raise DecoderCrashedError(f"killed its decoder {ATTEMPTS} times")

    async def probe(self, name: str) -> int:
        """Have a locked child do what hostile media would try, for tests and supervision.

        Returns:
            The child's exit status; negative, the signal that ended it.

        Raises:
            DecoderCrashedError: it was killed when its time was over.
        """
        place = [name for name, _ in PROBES].index(name)
        with _memory_file(b"x") as body, self._answer_file() as answer:
            return await self._run(Request.PROBE, body, answer, probe=place)

    async def _decode_once(self, body: bytes, look: Look) -> DecodedMedia:
        with _memory_file(body) as medium, self._answer_file() as answer:
            code = await self._run(Request.DECODE, medium, answer, look=look)
            _check_exit(code)
            with mmap.mmap(answer, 0, prot=mmap.PROT_READ) as memory, memoryview(memory) as view:
                return parse_frames(view, self._limits)

    async def _run(
        self, request: Request, body: int, answer: int, *, probe: int = 0, look: Look = ALL
    ) -> int:
        zygote = await self._get_zygote()
        seconds = self._timeout_seconds
        try:
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                reply, status = await zygote.run(
                    request, (body, answer), seconds, probe=probe, look=look
                )
        except ZygoteGoneError:
            raise _KilledError from None
        except TimeoutError:
            zygote.kill()
            raise DecoderCrashedError("the decoder does not answer") from None
        finally:
            await self._close_if_done(zygote)
        if reply == Reply.TIMED_OUT:
            raise DecoderCrashedError("ran over its time")
        code = os.waitstatus_to_exitcode(status)
        if code == EXIT_UNLOCKED:
            await self._replace(zygote)
        return code

    async def _replace(self, zygote: ZygoteHandle) -> None:
        """Try the sandbox anew: a child that says it is not locked may have been taken over.

        What other children of the old zygote decode is not disturbed.

        Raises:
            SandboxError: it really does not hold.
        """
        async with self._starting:
            if self._zygote is not zygote or self._closed:
                return
            fresh = ZygoteHandle(self._find_kind(), self._limits)
            await fresh.start()
            self._zygote = fresh
            self._replaced.add(zygote)
        await self._close_if_done(zygote)

    async def _close_if_done(self, zygote: ZygoteHandle) -> None:
        if zygote in self._replaced and zygote.is_idle:
            self._replaced.discard(zygote)
            await zygote.close()

    async def _get_zygote(self) -> ZygoteHandle:
        async with self._starting:
            if self._closed:
                raise SandboxError("the decoder is closed")
            if self._zygote is not None:
                if self._zygote.is_alive:
                    return self._zygote
                await self._zygote.close()
            self._zygote = ZygoteHandle(self._find_kind(), self._limits)
            await self._zygote.start()
            return self._zygote

    def _find_kind(self) -> SandboxKind:
        if self._kind is None:
            status = sandbox_status()
            if status.kind == "none":
                raise SandboxError(status.detail)
            self._kind = status.kind
        return self._kind

    @contextmanager
    def _answer_file(self) -> Iterator[int]:
        descriptor = os.memfd_create("frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.truncate(descriptor, self._limits.capacity_bytes)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS | fcntl.F_SEAL_SEAL)
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def _memory_file(body: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("medium", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        seals = SEALS | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        yield descriptor
    finally:
        os.close(descriptor)


def _check_exit(code: int) -> None:
    if code == 0:
        return
    if code == -signal.SIGXCPU:
        raise DecoderCrashedError("ran over its time")
    if code < 0 or code == EXIT_UNLOCKED:
        raise _KilledError
    raise DecoderCrashedError(f"the decoder ended with status {code}")
