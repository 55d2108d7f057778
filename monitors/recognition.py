"""Bytes to fingerprints: the sandboxed decoder and the engine children, wired from the settings."""

import asyncio
from collections.abc import Callable
from typing import Protocol, Self

import numpy as np

from gpu_kernels.errors import EngineChildError, PoisonedInputError
from gpu_kernels.errors import ModelError as KernelModelError
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.models import DEFAULT_MODEL, MODELS, locate
from gpu_kernels.pool import EnginePool, OnBatch
from gpu_kernels.views import Picture
from streams.errors import DecoderCrashedError, EngineError, ModelError
from streams.media.decoder import Decoder, SandboxedDecoder
from streams.settings import Settings
from streams.types import DecodedMedia, Frame


class Recogniser(Protocol):
    """What enrolment and inspection need: bytes in, fingerprints out."""

    @property
    def space(self) -> str:
        """The vector space of every fingerprint; known once started."""
        ...

    async def fingerprints(
        self, body: bytes, *, reference: bool = False
    ) -> tuple[DecodedMedia, list[ImageFingerprint]]:
        """Decode a medium and fingerprint each of its frames, in order.

        Args:
            body: the medium; hostile.
            reference: with the views and mirrored hashes that a registered picture gets.

        Raises:
            MediaRefusedError: too large.
            UndecodableMediaError: no decoder accepts it, or it killed what looked at it.
            SandboxError: nothing is decoded on this machine.
            EngineError: no engine child can be had.
            ModelError: the model's file went missing meanwhile.
        """
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

    async def fingerprint(self, image: Picture, *, reference: bool = False) -> ImageFingerprint: ...

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
            on_batch=on_batch or _ignore,
            on_death=on_death,
        )
        return cls(SandboxedDecoder(decoder_children or settings.decoder_children), pool)

    @property
    def space(self) -> str:
        return self._pool.space

    async def start(self) -> None:
        """Start every child and wait until each is ready.

        Raises:
            SandboxError: nothing is decoded on this machine.
            ModelError: the model cannot be loaded.
            EngineError: a child died before it was ready.
        """
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

    async def decode(self, body: bytes) -> DecodedMedia:
        """Decode alone; see `fingerprints`."""
        return await self._decoder.decode(body)

    async def fingerprint_frames(
        self, media: DecodedMedia, *, reference: bool = False
    ) -> list[ImageFingerprint]:
        """Fingerprint decoded frames, several at once; see `fingerprints`."""
        asked = (
            self._pool.fingerprint(as_picture(frame), reference=reference) for frame in media.frames
        )
        found = await asyncio.gather(*asked, return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                _translate(one)
                raise one
        return [one for one in found if not isinstance(one, BaseException)]

    async def fingerprints(
        self, body: bytes, *, reference: bool = False
    ) -> tuple[DecodedMedia, list[ImageFingerprint]]:
        media = await self.decode(body)
        return media, await self.fingerprint_frames(media, reference=reference)


def as_picture(frame: Frame) -> Picture:
    """View a frame's bytes as uint8 (height, width, 3); read-only, nothing is copied."""
    return np.frombuffer(frame.rgb, np.uint8).reshape(frame.height, frame.width, 3)


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
