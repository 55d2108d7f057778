"""Bytes to fingerprints: the sandboxed decoder and the engine children, wired from the settings."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.arrays import Arrays, take
from gpu_kernels.errors import EngineChildError, PoisonedInputError
from gpu_kernels.errors import ModelError as KernelModelError
from gpu_kernels.faces import Faces
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.keypoints import Keypoints
from gpu_kernels.lettering import Lettering
from gpu_kernels.models import DEFAULT_MODEL, MODELS, locate
from gpu_kernels.pool import EnginePool, OnBatch
from gpu_kernels.privacy import leave_no_core
from gpu_kernels.sound import SoundFingerprint
from gpu_kernels.speech import Transcript
from gpu_kernels.views import Picture
from gpu_kernels.voice import Voices
from gpu_kernels.wire import Task
from streams.errors import DecoderCrashedError, EngineError, ModelError
from streams.media.decoder import Decoder, SandboxedDecoder
from streams.settings import Settings
from streams.types import DecodedMedia, Frame, Look, Sound

T = TypeVar("T")

STILL = Look()


class Recogniser(Protocol):
    """What enrolment and inspection need: bytes in, fingerprints out.

    Each call raises `EngineError` where no engine child can be had, `ModelError` where a model's
    file or library is missing, and `DecoderCrashedError` where the medium killed what looked at it.
    """

    @property
    def space(self) -> str:
        """The vector space of every fingerprint; known once started."""
        ...

    async def decode(self, body: bytes, look: Look = STILL) -> DecodedMedia:
        """Decode a medium, or a part of it.

        Raises:
            MediaRefusedError: too large.
            UndecodableMediaError: no decoder accepts it, or it killed what looked at it.
            SandboxError: nothing is decoded on this machine.
        """
        ...

    async def fingerprint_frames(
        self, frames: Sequence[Frame], *, task: Task = Task.QUERY
    ) -> list[ImageFingerprint]:
        """Fingerprint frames, several at once, in order; as references where the task says so."""
        ...

    async def keypoints(self, frame: Frame) -> Keypoints:
        """Find a frame's local features."""
        ...

    async def sound(self, sound: Sound) -> SoundFingerprint:
        """Fingerprint a sound."""
        ...

    async def faces(self, frame: Frame) -> Faces:
        """Find the faces of a frame."""
        ...

    async def voices(self, sound: Sound) -> Voices:
        """Embed the voices of a sound."""
        ...

    async def lettering(self, frame: Frame, budget_seconds: float) -> Lettering:
        """Read what a frame shows in writing, for so many seconds of computing."""
        ...

    async def speech(self, sound: Sound, budget_seconds: float) -> Transcript:
        """Write down what is said, for so many seconds of computing."""
        ...

    async def nudity(self, frame: Frame) -> float:
        """Estimate how likely a frame shows nudity, 0..1."""
        ...


class StartedDecoder(Decoder, Protocol):
    """A decoder with processes of its own."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class Fingerprinter(Protocol):
    """What `EnginePool` offers."""

    @property
    def space(self) -> str: ...

    async def start(self) -> None: ...

    async def fingerprint(
        self, image: Picture, *, task: Task = Task.QUERY, at_seconds: float = 0.0
    ) -> ImageFingerprint: ...

    async def look(
        self,
        task: Task,
        given: NDArray[Any],
        read: Callable[[dict[str, NDArray[Any]]], T],
        *,
        budget_seconds: float = 0.0,
    ) -> tuple[T, float]: ...

    async def close(self) -> None: ...


class Recognition:
    """A decoder and a pool of engines; an async context manager that starts and closes both.

    Start it from the main thread: the kernel then ends its children with this process.

    Args:
        decoder: not started.
        pool: not started.
    """

    def __init__(self, decoder: StartedDecoder, pool: Fingerprinter) -> None:
        self._decoder = decoder
        self._pool = pool

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        engine_children: int | None = None,
        decoder_children: int | None = None,
        on_batch: OnBatch | None = None,
        on_death: Callable[[], None] = lambda: None,
    ) -> Self:
        """Wire what the settings name.

        Args:
            settings: engine, model cache and numbers of children.
            engine_children: instead of the settings' number.
            decoder_children: likewise.
            on_batch: told each child's working time.
            on_death: told of each engine child that has to be replaced.

        Raises:
            ModelError: the model's file is missing or altered; the message says the way out.
        """
        try:
            located = locate(MODELS[DEFAULT_MODEL], settings.models, settings.sscd_file)
        except KernelModelError as error:
            raise ModelError(str(error)) from error
        pool = EnginePool(
            settings.engine,
            located.path,
            located.model,
            engine_children or settings.engine_children,
            weights_dir=Path(settings.models),
            on_batch=on_batch or _ignore,
            on_death=on_death,
        )
        return cls(SandboxedDecoder(decoder_children or settings.decoder_children), pool)

    @property
    def space(self) -> str:
        return self._pool.space

    async def start(self) -> None:
        """Start every child and wait until each is ready.

        This process leaves no core from now on: frames pass through its memory.

        Raises:
            SandboxError: nothing is decoded on this machine.
            ModelError: the model cannot be loaded.
            EngineError: a child died before it was ready.
        """
        leave_no_core()
        try:
            await self._decoder.start()
            await self._pool.start()
        except BaseException as error:
            await self.close()
            _translate(error)
            raise

    async def close(self) -> None:
        """End every child. Idempotent."""
        try:
            await self._decoder.close()
        finally:
            await self._pool.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def decode(self, body: bytes, look: Look = STILL) -> DecodedMedia:
        return await self._decoder.decode(body, look)

    async def fingerprint_frames(
        self, frames: Sequence[Frame], *, task: Task = Task.QUERY
    ) -> list[ImageFingerprint]:
        return await _all(
            self._pool.fingerprint(as_picture(frame), task=task, at_seconds=frame.at_seconds)
            for frame in frames
        )

    async def keypoints(self, frame: Frame) -> Keypoints:
        return await self._look(Task.KEYPOINTS, as_picture(frame), Keypoints.from_arrays)

    async def sound(self, sound: Sound) -> SoundFingerprint:
        return await self._look(Task.SOUND, as_samples(sound), SoundFingerprint.from_arrays)

    async def faces(self, frame: Frame) -> Faces:
        return await self._look(Task.FACES, as_picture(frame), Faces.from_arrays)

    async def voices(self, sound: Sound) -> Voices:
        return await self._look(Task.VOICES, as_samples(sound), Voices.from_arrays)

    async def lettering(self, frame: Frame, budget_seconds: float) -> Lettering:
        return await self._look(
            Task.LETTERING, as_picture(frame), Lettering.from_arrays, budget_seconds
        )

    async def speech(self, sound: Sound, budget_seconds: float) -> Transcript:
        return await self._look(
            Task.SPEECH, as_samples(sound), Transcript.from_arrays, budget_seconds
        )

    async def nudity(self, frame: Frame) -> float:
        return await self._look(Task.NUDITY, as_picture(frame), _first_number)

    async def _look(
        self,
        task: Task,
        given: NDArray[Any],
        read: Callable[[dict[str, NDArray[Any]]], T],
        budget_seconds: float = 0.0,
    ) -> T:
        try:
            found, _ = await self._pool.look(task, given, read, budget_seconds=budget_seconds)
        except BaseException as error:
            _translate(error)
            raise
        return found


def as_picture(frame: Frame) -> Picture:
    """View a frame's bytes as uint8 (height, width, 3); read-only, nothing is copied."""
    return np.frombuffer(frame.rgb, np.uint8).reshape(frame.height, frame.width, 3)


def as_samples(sound: Sound) -> NDArray[np.int16]:
    """View a sound's samples; read-only, nothing is copied."""
    return np.frombuffer(sound.pcm, "<i2")


def _first_number(arrays: Arrays) -> float:
    number = float(take(arrays, "nudity", np.float64, (1,))[0])
    if not 0 <= number <= 1:
        raise ValueError("no estimate")
    return number


async def _all(calls: Iterable[Awaitable[T]]) -> list[T]:
    found = await asyncio.gather(*calls, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            _translate(one)
            raise one
    return [one for one in found if not isinstance(one, BaseException)]


def _translate(error: BaseException) -> None:
    """Say a kernel's error in the pipeline's words."""
    if isinstance(error, PoisonedInputError):
        raise DecoderCrashedError(str(error)) from error
    if isinstance(error, EngineChildError):
        raise EngineError(str(error)) from error
    if isinstance(error, KernelModelError):
        raise ModelError(str(error)) from error


def _ignore(_seconds: float, _images: int) -> None:
    return
