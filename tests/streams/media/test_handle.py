"""`streams.media.handle`, beside what `test_decoder.py` and `test_zygote.py` show of it."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streams.media.frames import REPLY, REQUEST, Limits, Reply, Request
from streams.media.handle import ZygoteGoneError, ZygoteHandle
from streams.media.sandbox import sandbox_status

LIMITS = Limits(max_side=8, max_frames=1, video_side=8, max_video_frames=1)

needs_sandbox = pytest.mark.skipif(sandbox_status().kind == "none", reason=sandbox_status().detail)


@contextmanager
def played(handle: ZygoteHandle) -> Iterator[socket.socket]:
    """Let the test play the zygote."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setblocking(False)
    handle._control = ours
    asyncio.get_running_loop().add_reader(ours.fileno(), handle._listen)
    with theirs:
        yield theirs
    handle.kill()


async def test_answers_reach_who_asked_in_any_order() -> None:
    handle = ZygoteHandle("landlock", LIMITS)
    with played(handle) as zygote:
        asked = [asyncio.ensure_future(handle.run(Request.DECODE, (), 1.0)) for _ in range(3)]
        await asyncio.sleep(0)
        jobs = [REQUEST.unpack(zygote.recv(100))[1] for _ in range(3)]
        for number in (2, 0, 1):
            zygote.send(REPLY.pack(Reply.EXITED, jobs[number], number))
        assert [status for _, status in await asyncio.gather(*asked)] == [0, 1, 2]


async def test_a_late_answer_to_nobody_is_dropped() -> None:
    handle = ZygoteHandle("landlock", LIMITS)
    with played(handle) as zygote:
        asked = asyncio.ensure_future(handle.run(Request.DECODE, (), 1.0))
        await asyncio.sleep(0)
        job = REQUEST.unpack(zygote.recv(100))[1]
        asked.cancel()
        await asyncio.wait([asked])
        assert REQUEST.unpack(zygote.recv(100))[:2] == (Request.CANCEL, job)
        zygote.send(REPLY.pack(Reply.EXITED, job, 9))
        await asyncio.sleep(0.01)
        assert handle.is_alive


async def test_whoever_waits_is_told_when_the_zygote_is_gone() -> None:
    handle = ZygoteHandle("landlock", LIMITS)
    with played(handle) as zygote:
        asked = [asyncio.ensure_future(handle.run(Request.DECODE, (), 1.0)) for _ in range(3)]
        await asyncio.sleep(0)
        zygote.close()
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(error) for error in told] == [ZygoteGoneError] * 3
        assert not handle.is_alive
        with pytest.raises(ZygoteGoneError):
            await handle.run(Request.DECODE, (), 1.0)


async def test_the_kernel_is_told_of_the_parent_only_by_its_main_thread() -> None:
    handle = ZygoteHandle("landlock", LIMITS)
    assert handle._command(7)[-1] == str(os.getpid())
    assert (await asyncio.to_thread(handle._command, 7))[-1] == "0"


@needs_sandbox
async def test_a_start_that_is_cancelled_leaves_no_process() -> None:
    kind = sandbox_status().kind
    handle = ZygoteHandle(kind, LIMITS)
    starting = asyncio.ensure_future(handle.start())
    await asyncio.sleep(0.05)
    assert handle.pid is not None
    starting.cancel()
    await asyncio.wait([starting])
    assert handle._process is None
    await handle.close()
