"""A pool of single-threaded engine processes: pictures and sounds in, fingerprints out.

A stranger's medium can crash a native library; it then takes a child with it, not the worker.
Children are started from the thread that runs the event loop, which must be the main thread: Linux
kills a child when the *thread* that started it ends.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

import gpu_kernels
from gpu_kernels.arrays import unpack
from gpu_kernels.errors import EngineChildError, ModelError, PoisonedInputError
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.models import Model
from gpu_kernels.views import Picture
from gpu_kernels.wire import (
    HELLO_BYTES,
    MAX_PIXELS,
    MAX_SAMPLES,
    REPLY_BYTES,
    AnswerStatus,
    ReplyHeader,
    Request,
    Task,
    hello_from_bytes,
)

T = TypeVar("T")

OnBatch = Callable[[float, int], None]
"""Told, for each picture, the seconds that a child worked and the views that it embedded."""

_PACKAGE_ROOT = Path(gpu_kernels.__file__).parent.parent
_START_SECONDS = 60.0
"""A model loads in about one second; a machine under load takes a multiple."""
_ITEM_SECONDS = 60.0
"""A picture takes about a tenth of a second, a minute of speech some ten."""
_ATTEMPTS = 2


class EnginePool:
    """Several engine children and a queue before them.

    Args:
        engine_name: a key of `gpu_kernels.engine.ENGINES`.
        model_path: see `gpu_kernels.models.locate`.
        model: what that file must be.
        children: how many processes.
        weights_dir: of all other weights, loaded when they are first needed; default: the folder
            above the model's own.
        on_batch: see `OnBatch`.
        item_seconds: after which a child is taken for hung.
        on_death: told of each child that has to be replaced.
    """

    def __init__(  # noqa: PLR0913 - two of them are told what happens
        self,
        engine_name: str,
        model_path: Path,
        model: Model,
        children: int,
        *,
        weights_dir: Path | None = None,
        on_batch: OnBatch = lambda _seconds, _images: None,
        item_seconds: float = _ITEM_SECONDS,
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_death = on_death
        folder = weights_dir or model_path.resolve().parent.parent
        command = [engine_name, json.dumps(asdict(model)), str(model_path.resolve()), str(folder)]
        self._children = [_Child(command, item_seconds) for _ in range(children)]
        self._idle: asyncio.Queue[_Child] = asyncio.Queue()
        self._on_batch = on_batch

    @property
    def space(self) -> str:
        """The vector space of every fingerprint; known once started."""
        return self._children[0].space

    def pids(self) -> list[int]:
        """Return the running children's process ids."""
        return [child.pid for child in self._children if child.pid]

    async def start(self) -> None:
        """Start every child and wait until each has loaded the model.

        Raises:
            ModelError: the model's file is missing, altered or cannot be loaded.
            EngineChildError: a child died before it was ready.
        """
        try:
            await asyncio.gather(*(child.ensure_ready() for child in self._children))
        except BaseException:
            await self.close()
            raise
        for child in self._children:
            self._idle.put_nowait(child)

    async def fingerprint(
        self, image: Picture, *, task: Task = Task.QUERY, at_seconds: float = 0.0
    ) -> ImageFingerprint:
        """Fingerprint one picture, uint8 (height, width, 3), RGB; see `look`.

        Args:
            image: the picture.
            task: `QUERY`, or as what kind of reference.
            at_seconds: its position in its medium.

        Raises:
            ValueError: it is no picture, or has more than `wire.MAX_PIXELS`.
        """
        found, seconds = await self.look(task, image, ImageFingerprint.from_arrays)
        self._on_batch(seconds, len(found.embeddings))
        return replace(found, at_seconds=at_seconds)

    async def look(
        self,
        task: Task,
        given: NDArray[Any],
        read: Callable[[dict[str, NDArray[Any]]], T],
        *,
        budget_seconds: float = 0.0,
    ) -> tuple[T, float]:
        """Have a child work on a picture, or on int16 (samples,) at 16 kHz.

        A child that dies over it, or whose answer cannot be read, is replaced, and the medium is
        tried once more.

        Args:
            task: which.
            given: what to look at or listen to.
            read: makes the answer of its arrays; raises ValueError where they are something else.
            budget_seconds: see `Request`.

        Returns:
            The answer, and the seconds that the child worked.

        Raises:
            PoisonedInputError: two children died over it or answered something else.
            EngineChildError: no child can be started.
            ModelError: a model's file is missing.
            ValueError: it is no picture or sound, or too large.
        """
        check = _check_sound if task.hears else _check_picture
        check(given)
        for _ in range(_ATTEMPTS):
            child = await self._idle.get()
            try:
                if child.has_died:
                    self._on_death()
                await child.ensure_ready()
                return await child.ask(task, given, read, budget_seconds)
            except _DiedError:
                self._on_death()
            finally:
                self._idle.put_nowait(child)
        raise PoisonedInputError(f"a medium killed {_ATTEMPTS} engine children")

    async def close(self) -> None:
        """End every child. Idempotent."""
        for child in self._children:
            child.kill()


def _check_sound(samples: NDArray[Any]) -> None:
    if samples.ndim != 1 or samples.dtype != np.int16:
        raise ValueError(f"expected int16 (samples,), got {samples.dtype} {samples.shape}")
    if not 0 < len(samples) <= MAX_SAMPLES:
        raise ValueError(f"a sound of {len(samples)} samples")


def _check_picture(image: NDArray[Any]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected uint8 (height, width, 3), got {image.dtype} {image.shape}")
    if not 0 < image.shape[0] * image.shape[1] <= MAX_PIXELS:
        raise ValueError(f"a picture of {image.shape[1]} x {image.shape[0]} pixels")


def _environment() -> dict[str, str]:
    """Leave the settings out: a child that strangers' pictures take over must find no password."""
    return {key: value for key, value in os.environ.items() if not key.startswith("HAECHI_")}  # noqa: TID251


class _DiedError(Exception):
    """The child died, hung or answered nonsense over one item."""


class _Child:
    """One process, restarted on demand. Used by one caller at a time."""

    def __init__(self, command: list[str], item_seconds: float) -> None:
        self.space = ""
        self._command = command
        self._item_seconds = item_seconds
        self._number = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def has_died(self) -> bool:
        """Whether it ended by itself, between two pictures."""
        return self._process is not None and self._process.poll() is not None

    async def ensure_ready(self) -> None:
        """Start it unless it runs, and wait for its hello."""
        if self._process is not None and self._process.poll() is None:
            return
        self.kill()
        self._spawn()
        try:
            async with asyncio.timeout(_START_SECONDS):
                ready, length = hello_from_bytes(await self._receive(HELLO_BYTES))
                text = (await self._receive(length)).decode()
        except (OSError, UnicodeDecodeError) as error:  # TimeoutError is an OSError
            self.kill()
            raise EngineChildError("an engine child died before it was ready") from error
        except BaseException:
            self.kill()
            raise
        if not ready:
            self.kill()
            raise ModelError(text)
        self.space = text

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        command = [sys.executable, "-m", "gpu_kernels.engine_child"]
        command += [str(theirs.fileno()), str(os.getpid()), *self._command]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command,
                env=_environment(),
                pass_fds=[theirs.fileno()],
                cwd=_PACKAGE_ROOT,
                stdin=subprocess.DEVNULL,
            )
        self._socket = ours

    async def ask(
        self,
        task: Task,
        given: NDArray[Any],
        read: Callable[[dict[str, NDArray[Any]]], T],
        budget_seconds: float,
    ) -> tuple[T, float]:
        """Send one medium and wait for its answer and the seconds it took.

        Whatever goes wrong, cancellation included, ends the child: an answer that nobody waits for
        must not meet the next question.

        Raises:
            _DiedError: it died, hung, or answered something else.
            ModelError: it lacks a model.
        """
        self._number = (self._number + 1) % 2**32
        height, width = (1, len(given)) if task.hears else given.shape[:2]
        request = Request(
            number=self._number,
            task=task,
            width=width,
            height=height,
            budget_seconds=budget_seconds,
        )
        try:
            async with asyncio.timeout(self._item_seconds + budget_seconds):
                self._send(request, given)
                header = ReplyHeader.from_bytes(
                    await self._receive(REPLY_BYTES), number=request.number
                )
                content = await self._receive(header.size_bytes)
            if header.status is AnswerStatus.FINE:
                return read(unpack(content)), header.seconds
        except (OSError, EngineChildError, ValueError) as error:  # TimeoutError is an OSError
            self.kill()
            raise _DiedError from error
        except BaseException:
            self.kill()
            raise
        raise ModelError(content.decode(errors="replace"))

    def _send(self, request: Request, given: NDArray[Any]) -> None:
        descriptor = os.memfd_create("medium", os.MFD_CLOEXEC)
        try:
            os.ftruncate(descriptor, request.size_bytes)
            content = memoryview(given.tobytes())
            while content:
                content = content[os.write(descriptor, content) :]
            socket.send_fds(self._connection, [request.to_bytes()], [descriptor])
        finally:
            os.close(descriptor)

    async def _receive(self, length: int) -> bytes:
        loop = asyncio.get_running_loop()
        content = bytearray()
        while len(content) < length:
            part = await loop.sock_recv(self._connection, length - len(content))
            if not part:
                raise ConnectionResetError("an engine child hung up")
            content += part
        return bytes(content)

    @property
    def _connection(self) -> socket.socket:
        if self._socket is None:
            raise ConnectionResetError("the engine child was ended")
        return self._socket

    def kill(self) -> None:
        """End it now; it holds nothing that is worth a farewell. Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
