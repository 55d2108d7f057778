"""`gpu_kernels.pool`, with real children and a toy network."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.engine import load_engine
from gpu_kernels.errors import EngineChildError, ModelError, PoisonedInputError
from gpu_kernels.fingerprint import (
    fingerprint_moving_reference,
    fingerprint_query,
    fingerprint_reference,
)
from gpu_kernels.keypoints import Keypoints, find_keypoints
from gpu_kernels.models import Model
from gpu_kernels.pool import EnginePool
from gpu_kernels.sound import fingerprint_sound
from gpu_kernels.toolbox import as_samples
from gpu_kernels.views import Picture
from gpu_kernels.wire import MAX_SAMPLES, Task
from tests.contracts.test_engines import TOY, toy_network
from tests.gpu_kernels.test_views import photo

ENGINE = "onnxruntime"  # of the three, it starts fastest
MAKERS = {
    Task.QUERY: fingerprint_query,
    Task.REFERENCE: fingerprint_reference,
    Task.MOVING_REFERENCE: fingerprint_moving_reference,
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Model]:
    path, content = tmp_path_factory.mktemp("toy") / "toy.onnx", toy_network()
    path.write_bytes(content)
    return path, replace(TOY, sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture
async def pool(toy: tuple[Path, Model]) -> AsyncIterator[EnginePool]:
    pool = EnginePool(ENGINE, *toy, children=2)
    await pool.start()
    yield pool
    await pool.close()


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


async def test_children_see_what_the_engine_sees(pool: EnginePool, toy: tuple[Path, Model]) -> None:
    path, model = toy
    engine = load_engine(ENGINE, path, model=model)
    assert pool.space == engine.space
    for picture in (photo(90, 160), photo(1, 7), np.asarray(photo(200, 200)[:, ::-1])):
        for task, make in MAKERS.items():
            theirs, ours = await pool.fingerprint(picture, task=task), make(picture, engine)
            assert (theirs.width, theirs.height, theirs.space) == (
                ours.width,
                ours.height,
                ours.space,
            )
            assert theirs.detail == ours.detail
            for name in ("boxes", "embeddings", "pdq", "pdq_quality"):
                np.testing.assert_array_equal(getattr(theirs, name), getattr(ours, name))


async def test_a_fingerprint_keeps_when_its_picture_was(pool: EnginePool) -> None:
    assert (await pool.fingerprint(photo(60, 60), at_seconds=7.5)).at_seconds == 7.5
    assert (await pool.fingerprint(photo(60, 60))).at_seconds == 0


async def test_children_see_points_and_hear_sounds_as_the_parent_would(pool: EnginePool) -> None:
    picture = photo(200, 300)
    mirrored = np.asarray(picture[:, ::-1])
    theirs, seconds = await pool.look(Task.KEYPOINTS, mirrored, Keypoints.from_arrays)
    ours = find_keypoints(np.ascontiguousarray(picture[:, ::-1]))
    np.testing.assert_array_equal(theirs.descriptors, ours.descriptors)
    assert len(theirs.points) > 20
    assert seconds > 0
    samples = np.random.default_rng(1).integers(-9000, 9000, 4 * 16_000).astype(np.int16)
    heard, _ = await pool.look(Task.SOUND, samples, dict)
    for name, expected in fingerprint_sound(as_samples(samples)).to_arrays().items():
        np.testing.assert_array_equal(heard[name], expected)


async def test_a_child_without_a_model_says_the_way_out_and_lives_on(pool: EnginePool) -> None:
    before = pool.pids()
    with pytest.raises(ModelError, match="haechi models pull"):
        await pool.look(Task.NUDITY, photo(60, 60), dict)
    assert pool.pids() == before
    assert (await pool.fingerprint(photo(60, 60))).width == 60


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((2, 100), np.int16),
        np.zeros(100, np.float32),
        np.zeros(100, ">i2"),
        np.zeros(0, np.int16),
        np.zeros(MAX_SAMPLES + 1, np.int16),
    ],
    ids=["stereo", "floats", "other end", "none", "endless"],
)
async def test_what_is_no_sound_is_refused_before_any_child_hears_it(
    toy: tuple[Path, Model], samples: NDArray[Any]
) -> None:
    pool = EnginePool(ENGINE, *toy, children=1)
    with pytest.raises(ValueError, match=r"expected int16|a sound of"):
        await pool.look(Task.SOUND, samples, dict)
    assert pool.pids() == []


ANSWERS = [
    "reply_to_bytes(1, 0, b'no arrays', 0.1)",
    "reply_to_bytes(9, 0, pack({}), 0.1)",
    "reply_to_bytes(1, 0, pack({'size': np.zeros(2)}), 0.1)",
]
LIAR = """
import json, socket, sys
import numpy as np
from gpu_kernels.arrays import pack
from gpu_kernels.wire import REQUEST_BYTES, hello_to_bytes, reply_to_bytes
with socket.socket(fileno=int(sys.argv[1])) as connection:
    connection.sendall(hello_to_bytes("toy", ready=True))
    socket.recv_fds(connection, REQUEST_BYTES, 1)
    connection.sendall({answer})
    connection.recv(1)
"""


TELLTALE = """
import os, socket, sys
from gpu_kernels.wire import hello_to_bytes
with socket.socket(fileno=int(sys.argv[1])) as connection:
    told = [one for one in os.environ if one == "PATH" or one.startswith("HAECHI_")]
    connection.sendall(hello_to_bytes(" ".join(told), ready=True))
    connection.recv(1)
"""


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_child_that_was_taken_over_is_not_believed(
    toy: tuple[Path, Model], monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    deaths: list[int] = []
    program = LIAR.replace("{answer}", answer)
    pool = child_of(program, toy, monkeypatch, on_death=lambda: deaths.append(1))
    await pool.start()
    try:
        with pytest.raises(PoisonedInputError, match="2 engine children"):
            await pool.fingerprint(photo(20, 20))
    finally:
        await pool.close()
    assert len(deaths) == 2


async def test_an_answer_that_cannot_be_costs_its_own_medium_alone(pool: EnginePool) -> None:
    def refuse(_arrays: object) -> int:
        raise ValueError("an embedding is not of length 1")

    before = pool.pids()
    first = asyncio.ensure_future(pool.look(Task.KEYPOINTS, photo(60, 60), refuse))
    others = await asyncio.gather(*(pool.fingerprint(photo(30, 40 + i)) for i in range(4)))
    with pytest.raises(PoisonedInputError):
        await first
    assert [one.width for one in others] == [40, 41, 42, 43]
    assert pool.pids() != before
    assert (await pool.fingerprint(photo(60, 60))).width == 60


def child_of(
    program: str,
    toy: tuple[Path, Model],
    monkeypatch: pytest.MonkeyPatch,
    on_death: Callable[[], None] = lambda: None,
) -> EnginePool:
    """Make a pool whose children run another program."""
    original = subprocess.Popen

    def start(command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        return original([command[0], "-c", program, *command[3:]], **options)

    monkeypatch.setattr(subprocess, "Popen", start)
    return EnginePool(ENGINE, *toy, children=1, on_death=on_death)


@pytest.mark.parametrize(
    "hello", ["b'HKH1' + bytes([1, 0, 0, 0, 1, 0, 0, 0, 255])", "bytes(12)", "b''"]
)
async def test_a_child_that_says_no_hello_is_an_error_of_the_engines(
    toy: tuple[Path, Model], monkeypatch: pytest.MonkeyPatch, hello: str
) -> None:
    program = f"import socket, sys; socket.socket(fileno=int(sys.argv[1])).sendall({hello})"
    pool = child_of(program, toy, monkeypatch)
    with pytest.raises(EngineChildError, match=r"died before|out of turn"):
        await pool.start()
    assert pool.pids() == []


async def test_a_child_is_given_no_setting(
    toy: tuple[Path, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAECHI_DATABASE_URL", "postgresql://u:password@h/d")
    pool = child_of(TELLTALE, toy, monkeypatch)
    await pool.start()
    await pool.close()
    assert pool.space == "PATH"


async def test_many_pictures_at_once_keep_their_answers_apart(pool: EnginePool) -> None:
    pictures = [photo(20 + i, 50 - i, seed=i) for i in range(24)]
    prints = await asyncio.gather(*(pool.fingerprint(picture) for picture in pictures))
    assert [(one.height, one.width) for one in prints] == [p.shape[:2] for p in pictures]


async def test_each_picture_is_counted_with_its_time(toy: tuple[Path, Model]) -> None:
    counted: list[tuple[float, int]] = []
    pool = EnginePool(
        ENGINE, *toy, children=1, on_batch=lambda seconds, views: counted.append((seconds, views))
    )
    await pool.start()
    found = await pool.fingerprint(photo(90, 160))
    await pool.close()
    assert counted[0][0] > 0
    assert counted[0][1] == len(found.embeddings)


async def test_a_dead_child_is_replaced(pool: EnginePool) -> None:
    before = pool.pids()
    os.kill(before[0], signal.SIGKILL)
    for _ in range(4):
        await pool.fingerprint(photo(60, 60))
    after = pool.pids()
    assert len(after) == 2
    assert before[0] not in after
    assert before[1] in after


async def test_a_picture_whose_child_is_killed_is_tried_again(pool: EnginePool) -> None:
    asked = [asyncio.ensure_future(pool.fingerprint(photo(600, 800, seed=i))) for i in range(4)]
    await asyncio.sleep(0)
    os.kill(pool.pids()[0], signal.SIGKILL)
    assert len(await asyncio.gather(*asked)) == 4


async def test_a_picture_that_kills_two_children_is_poisoned(
    pool: EnginePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header that does not fit its memory makes a child end itself."""
    original = os.ftruncate
    monkeypatch.setattr(os, "ftruncate", lambda fd, size: original(fd, size + 3))
    with pytest.raises(PoisonedInputError):
        await pool.fingerprint(photo(50, 50))
    monkeypatch.undo()
    assert (await pool.fingerprint(photo(50, 50))).width == 50


async def test_a_child_that_hangs_is_taken_for_dead(toy: tuple[Path, Model]) -> None:
    pool = EnginePool(ENGINE, *toy, children=1, item_seconds=0.5)
    await pool.start()
    (hung,) = pool.pids()
    os.kill(hung, signal.SIGSTOP)
    assert (await pool.fingerprint(photo(40, 40))).width == 40
    assert not is_running(hung)
    await pool.close()


async def test_a_cancelled_question_does_not_answer_the_next(pool: EnginePool) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await pool.fingerprint(photo(900, 900))
    found = await asyncio.gather(*(pool.fingerprint(photo(30, 40 + i)) for i in range(4)))
    assert [one.width for one in found] == [40, 41, 42, 43]


async def test_closing_ends_every_child(toy: tuple[Path, Model]) -> None:
    pool = EnginePool(ENGINE, *toy, children=2)
    await pool.start()
    pids = pool.pids()
    await pool.close()
    await pool.close()
    assert pool.pids() == []
    assert not any(is_running(pid) for pid in pids)


@pytest.mark.parametrize("content", [None, b"altered"], ids=["missing", "altered"])
async def test_an_unusable_model_is_told_at_the_start(
    toy: tuple[Path, Model], tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "toy.onnx"
    if content is not None:
        path.write_bytes(content)
    pool = EnginePool(ENGINE, path, toy[1], children=2)
    with pytest.raises(ModelError, match="haechi models pull"):
        await pool.start()
    assert pool.pids() == []


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)],
    ids=["grey", "floats", "empty"],
)
async def test_what_is_no_picture_is_refused_before_any_child_sees_it(
    pool: EnginePool, picture: Picture
) -> None:
    before = pool.pids()
    with pytest.raises(ValueError, match=r"picture|expected"):
        await pool.fingerprint(picture)
    assert pool.pids() == before


ORPHANS = """
import asyncio, json, os, sys
from pathlib import Path
from gpu_kernels.models import Model
from gpu_kernels.pool import EnginePool

async def main():
    pool = EnginePool(sys.argv[1], Path(sys.argv[2]), Model(**json.loads(sys.argv[3])), 2)
    await pool.start()
    print(*pool.pids(), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_children_die_with_a_parent_that_is_killed(toy: tuple[Path, Model]) -> None:
    path, model = toy
    arguments = [sys.executable, "-c", ORPHANS, ENGINE, str(path), json.dumps(asdict(model))]
    root = Path(__file__).parents[2]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()
    for _ in range(100):
        if not any(is_running(pid) for pid in pids):
            break
        time.sleep(0.05)
    assert not any(is_running(pid) for pid in pids)
