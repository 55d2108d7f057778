"""Bytes to fingerprints, with stand-ins and with the real children."""

import asyncio
import io
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gpu_kernels.arrays import Arrays
from gpu_kernels.errors import EngineChildError, PoisonedInputError
from gpu_kernels.errors import ModelError as KernelModelError
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.keypoints import Keypoints, agree, find_keypoints
from gpu_kernels.lettering import Lettering
from gpu_kernels.models import DEFAULT_MODEL, MODELS, is_verified
from gpu_kernels.sound import fingerprint_sound
from gpu_kernels.speech import Transcript
from gpu_kernels.views import Picture
from gpu_kernels.wire import Task
from monitors.recognition import Recogniser, Recognition, as_picture, as_samples
from streams.errors import DecoderCrashedError, EngineError, ModelError, StreamError
from streams.settings import Settings
from streams.types import DecodedMedia, Frame, Look, MediaKind, Sound
from tests.fakes import a_melody, faces_of, fingerprint_of, voices_of
from tests.servers import missing

T = TypeVar("T")


class _Decoder:
    """Gives as many frames as the body has bytes, each of its own grey."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.looks: list[Look] = []

    async def start(self) -> None:
        self.calls.append("start")

    async def close(self) -> None:
        self.calls.append("close")

    async def decode(self, body: bytes, look: Look = Look()) -> DecodedMedia:
        self.looks.append(look)
        return DecodedMedia(
            kind=MediaKind.IMAGE, format="gif", frames=_frames(body), frame_count=len(body)
        )


def _frames(greys: bytes) -> tuple[Frame, ...]:
    return tuple(
        Frame(width=3, height=2, rgb=bytes([grey]) * 18, at_seconds=place / 2)
        for place, grey in enumerate(greys)
    )


class _Pool(_Decoder):
    """Fingerprints a frame by its grey; white is poison."""

    space = "fake/1/numpy/f32"

    def __init__(self, fails: Exception | None = None, answer: Arrays | None = None) -> None:
        super().__init__()
        self.fails = fails
        self.answer = answer or {}
        self.seen: list[tuple[Task, float]] = []
        self.given: list[tuple[Task, NDArray[Any], float]] = []

    async def start(self) -> None:
        await super().start()
        if self.fails:
            raise self.fails

    async def fingerprint(
        self, image: Picture, *, task: Task = Task.QUERY, at_seconds: float = 0.0
    ) -> ImageFingerprint:
        await asyncio.sleep(0.01 * (10 - int(image[0, 0, 0]) % 10) / 10)
        self.seen.append((task, at_seconds))
        if image[0, 0, 0] == 255:
            raise PoisonedInputError("killed two")
        if image[0, 0, 0] == 254:
            raise EngineChildError("no child")
        return replace(fingerprint_of(int(image[0, 0, 0])), at_seconds=at_seconds)

    async def look(
        self,
        task: Task,
        given: NDArray[Any],
        read: Callable[[dict[str, NDArray[Any]]], T],
        *,
        budget_seconds: float = 0.0,
    ) -> tuple[T, float]:
        self.given.append((task, given, budget_seconds))
        if self.fails:
            raise self.fails
        try:
            return read(dict(self.answer)), 0.1
        except ValueError as error:
            raise PoisonedInputError("answered something else twice") from error


async def test_every_frame_is_fingerprinted_in_order_and_keeps_its_time() -> None:
    pool, frames = _Pool(), _frames(b"\x01\x02\x03\x04")
    async with Recognition(_Decoder(), pool) as recognition:
        found = await recognition.fingerprint_frames(frames, task=Task.MOVING_REFERENCE)
    assert recognition.space == pool.space
    assert {task for task, _ in pool.seen} == {Task.MOVING_REFERENCE}
    wanted = [fingerprint_of(grey).embeddings for grey in (1, 2, 3, 4)]
    assert all(np.array_equal(a.embeddings, b) for a, b in zip(found, wanted, strict=True))
    assert [one.at_seconds for one in found] == [0, 0.5, 1, 1.5]


async def test_a_part_is_decoded_as_it_was_asked_for() -> None:
    decoder = _Decoder()
    async with Recognition(decoder, _Pool()) as recognition:
        await recognition.decode(b"\x01")
        await recognition.decode(b"\x01", Look(start_seconds=3, key_frames=True, sound=True))
    assert decoder.looks == [Look(), Look(start_seconds=3, key_frames=True, sound=True)]


@pytest.mark.parametrize(("grey", "error"), [(255, DecoderCrashedError), (254, EngineError)])
async def test_a_kernels_error_is_said_in_the_pipelines_words(
    grey: int, error: type[StreamError]
) -> None:
    async with Recognition(_Decoder(), _Pool()) as recognition:
        with pytest.raises(error):
            await recognition.fingerprint_frames(_frames(bytes([1, grey, 2])))


FRAME = Frame(width=3, height=2, rgb=bytes(18))
SOUND = Sound(pcm=np.arange(-3, 3, dtype="<i2").tobytes())
POINTS = Keypoints(
    width=3,
    height=2,
    points=np.zeros((1, 2), np.float32),
    descriptors=np.zeros((1, 128), np.uint8),
)
HEARD = fingerprint_sound(a_melody(1, 4))
CALLS: dict[Task, tuple[Callable[[Recogniser], Awaitable[Any]], Arrays]] = {
    Task.KEYPOINTS: (lambda eyes: eyes.keypoints(FRAME), POINTS.to_arrays()),
    Task.FACES: (lambda eyes: eyes.faces(FRAME), faces_of(1, 2).to_arrays()),
    Task.LETTERING: (lambda eyes: eyes.lettering(FRAME, 7.5), Lettering().to_arrays()),
    Task.NUDITY: (lambda eyes: eyes.nudity(FRAME), {"nudity": np.array([0.25])}),
    Task.SOUND: (lambda eyes: eyes.sound(SOUND), HEARD.to_arrays()),
    Task.VOICES: (lambda eyes: eyes.voices(SOUND), voices_of(1).to_arrays()),
    Task.SPEECH: (lambda eyes: eyes.speech(SOUND, 7.5), Transcript().to_arrays()),
}


@pytest.mark.parametrize("task", CALLS, ids=lambda task: task.name)
async def test_each_task_is_given_what_it_looks_at_and_its_answer_is_read(task: Task) -> None:
    call, answer = CALLS[task]
    pool = _Pool(answer=answer)
    async with Recognition(_Decoder(), pool) as recognition:
        found = await call(recognition)
    [(asked, given, budget)] = pool.given
    assert asked is task
    assert given.shape == ((6,) if task.hears else (2, 3, 3))
    assert budget == (7.5 if task in {Task.SPEECH, Task.LETTERING} else 0.0)
    if task is Task.NUDITY:
        assert found == 0.25
    else:
        again = found.to_arrays()
        assert all(np.array_equal(again[name], array) for name, array in answer.items())


@pytest.mark.parametrize("task", CALLS, ids=lambda task: task.name)
@pytest.mark.parametrize(
    "answer",
    [{"nothing": np.zeros(1)}, {"nudity": np.array([np.nan])}, {"nudity": np.zeros(0)}],
    ids=["nothing", "nan", "empty"],
)
async def test_an_answer_of_something_else_is_its_mediums_end(task: Task, answer: Arrays) -> None:
    async with Recognition(_Decoder(), _Pool(answer=answer)) as recognition:
        with pytest.raises(DecoderCrashedError):
            await CALLS[task][0](recognition)


@pytest.mark.parametrize(
    ("fails", "error"),
    [
        (PoisonedInputError("x"), DecoderCrashedError),
        (EngineChildError("x"), EngineError),
        (KernelModelError("x"), ModelError),
    ],
)
async def test_a_tasks_failure_is_said_in_the_pipelines_words(
    fails: Exception, error: type[StreamError]
) -> None:
    pool = _Pool()
    async with Recognition(_Decoder(), pool) as recognition:
        pool.fails = fails
        with pytest.raises(error):
            await recognition.faces(FRAME)


def test_samples_are_heard_in_order_without_a_copy() -> None:
    samples = as_samples(SOUND)
    assert samples.tolist() == [-3, -2, -1, 0, 1, 2]
    assert not samples.flags.owndata


PARENT = """
import asyncio, ctypes, resource
from tests.monitors.test_recognition import Recognition, _Decoder, _Pool
asyncio.run(Recognition(_Decoder(), _Pool()).start())
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_the_process_that_frames_pass_through_leaves_no_core() -> None:
    command = [sys.executable, "-c", PARENT]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert done.stdout == "(0, 0) 0\n"


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

    async def look(body: bytes, task: Task = Task.QUERY) -> tuple[DecodedMedia, ImageFingerprint]:
        media = await recognition.decode(body)
        (found,) = await recognition.fingerprint_frames(media.frames, task=task)
        return media, found

    async with recognition:
        _, own = await look(_encoded(picture, "PNG"), Task.REFERENCE)
        media, copy = await look(_encoded(picture.resize((256, 256)), "JPEG"))
        other = Image.fromarray(data.coffee())  # type: ignore[no-untyped-call]
        _, stranger = await look(_encoded(other, "PNG"))
        assert recognition.space == own.space == copy.space
        with pytest.raises(StreamError):
            await recognition.decode(b"no picture")
        shared = agree(
            await recognition.keypoints(media.frames[0]), find_keypoints(np.asarray(picture))
        )
    assert (media.kind, media.format) == (MediaKind.IMAGE, "jpeg")
    assert float(own.embeddings[0] @ copy.embeddings[0]) > 0.9
    assert float(own.embeddings[0] @ stranger.embeddings[0]) < 0.5
    assert len(batches) == 3
    assert shared.points > 30


def _encoded(picture: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form)
    return buffer.getvalue()
