"""Bytes to fingerprints, with stand-ins and with the real children."""

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpu_kernels.errors import EngineChildError, PoisonedInputError
from gpu_kernels.errors import ModelError as KernelModelError
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.models import DEFAULT_MODEL, MODELS, is_verified
from gpu_kernels.views import Picture
from monitors.recognition import Recognition, as_picture
from streams.errors import DecoderCrashedError, EngineError, ModelError, StreamError
from streams.settings import Settings
from streams.types import DecodedMedia, Frame, MediaKind
from tests.fakes import fingerprint_of
from tests.servers import missing


class _Decoder:
    """Gives as many frames as the body has bytes, each of its own grey."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def start(self) -> None:
        self.calls.append("start")

    async def close(self) -> None:
        self.calls.append("close")

    async def decode(self, body: bytes) -> DecodedMedia:
        frames = tuple(Frame(width=3, height=2, rgb=bytes([grey]) * 18) for grey in body)
        return DecodedMedia(
            kind=MediaKind.IMAGE, format="gif", frames=frames, frame_count=len(frames)
        )


class _Pool(_Decoder):
    """Fingerprints a frame by its grey; white is poison."""

    space = "fake/1/numpy/f32"

    def __init__(self, fails: Exception | None = None) -> None:
        super().__init__()
        self.fails = fails
        self.seen: list[bool] = []

    async def start(self) -> None:
        await super().start()
        if self.fails:
            raise self.fails

    async def fingerprint(self, image: Picture, *, reference: bool = False) -> ImageFingerprint:
        await asyncio.sleep(0.01 * (10 - int(image[0, 0, 0]) % 10) / 10)
        self.seen.append(reference)
        if image[0, 0, 0] == 255:
            raise PoisonedInputError("killed two")
        if image[0, 0, 0] == 254:
            raise EngineChildError("no child")
        return fingerprint_of(int(image[0, 0, 0]))


async def test_every_frame_is_fingerprinted_in_order() -> None:
    pool = _Pool()
    async with Recognition(_Decoder(), pool) as recognition:
        media, found = await recognition.fingerprints(b"\x01\x02\x03\x04", reference=True)
    assert recognition.space == pool.space
    assert len(media.frames) == 4
    assert pool.seen == [True] * 4
    wanted = [fingerprint_of(grey).embeddings for grey in (1, 2, 3, 4)]
    assert all(np.array_equal(a.embeddings, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize(("grey", "error"), [(255, DecoderCrashedError), (254, EngineError)])
async def test_a_kernels_error_is_said_in_the_pipelines_words(
    grey: int, error: type[StreamError]
) -> None:
    async with Recognition(_Decoder(), _Pool()) as recognition:
        with pytest.raises(error):
            await recognition.fingerprints(bytes([1, grey, 2]))


@pytest.mark.parametrize(
    ("fails", "error"),
    [(KernelModelError("altered"), ModelError), (EngineChildError("dead"), EngineError)],
)
async def test_what_did_start_is_ended_when_the_rest_does_not(
    fails: Exception, error: type[StreamError]
) -> None:
    decoder, pool = _Decoder(), _Pool(fails)
    with pytest.raises(error, match=str(fails)):
        await Recognition(decoder, pool).start()
    assert decoder.calls == ["start", "close"]
    assert pool.calls == ["start", "close"]


async def test_everything_is_ended_after_an_error_inside() -> None:
    decoder, pool = _Decoder(), _Pool()
    with pytest.raises(RuntimeError):
        async with Recognition(decoder, pool):
            raise RuntimeError
    assert decoder.calls == pool.calls == ["start", "close"]


def test_a_missing_model_is_said_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="haechi models pull"):
        Recognition.from_settings(Settings(home=tmp_path, models=tmp_path))


def test_an_altered_model_is_refused(tmp_path: Path) -> None:
    file = MODELS[DEFAULT_MODEL].path_in(tmp_path)
    file.parent.mkdir()
    file.write_bytes(b"something else")
    with pytest.raises(ModelError, match="altered"):
        Recognition.from_settings(Settings(home=tmp_path, models=tmp_path))


def test_a_frame_is_seen_row_by_row_without_a_copy() -> None:
    frame = Frame(width=2, height=1, rgb=bytes([1, 2, 3, 4, 5, 6]))
    picture = as_picture(frame)
    assert picture.tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert not picture.flags.owndata
    assert as_picture(replace(frame, width=1, height=2)).shape == (2, 1, 3)


@pytest.mark.models
async def test_the_real_children_recognise_a_scaled_copy_and_refuse_noise(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, engine_children=1, decoder_children=1)
    if not is_verified(MODELS[DEFAULT_MODEL], settings.models):
        missing("the model (haechi models pull)")
    from skimage import data

    picture = Image.fromarray(data.astronaut())  # type: ignore[no-untyped-call]
    batches: list[tuple[float, int]] = []
    recognition = Recognition.from_settings(
        settings, on_batch=lambda seconds, images: batches.append((seconds, images))
    )
    async with recognition:
        _, (own,) = await recognition.fingerprints(_encoded(picture, "PNG"), reference=True)
        small = picture.resize((256, 256))
        media, (copy,) = await recognition.fingerprints(_encoded(small, "JPEG"))
        other = Image.fromarray(data.coffee())  # type: ignore[no-untyped-call]
        _, (stranger,) = await recognition.fingerprints(_encoded(other, "PNG"))
        assert recognition.space == own.space == copy.space
        with pytest.raises(StreamError):
            await recognition.fingerprints(b"no picture")
    assert (media.kind, media.format) == (MediaKind.IMAGE, "jpeg")
    assert float(own.embeddings[0] @ copy.embeddings[0]) > 0.9
    assert float(own.embeddings[0] @ stranger.embeddings[0]) < 0.5
    assert len(batches) == 3


def _encoded(picture: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form)
    return buffer.getvalue()
